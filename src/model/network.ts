/** One network on one native thread: the calls of the addon, its facts, and what belongs to the weights it holds. */
import { callAddon } from '../addon/call';
import type { NativeClassifier, NativeFacts } from '../addon/types';
import { GRAY_NORMALIZATION } from '../data/transforms/presets';
import type { ResizePixels } from '../data/types';
import { CovidCtError } from '../errors';
import { metadataSchema, pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import type { LoadReport } from '../weights/match';
import { readWeights } from '../weights/read';
import { writeSafetensors } from '../weights/safetensors';
import { belongingsOf, weightsMetadata } from './belongings';
import type { Belongings } from './belongings';
import { configureSchema, loadWeightsOptionsSchema } from './options';
import type { LoadWeightsOptions } from './options';
import { checkPreprocessing } from './preprocessing';
import type { Preprocessing } from './preprocessing';
import { Resizer } from './resizer';
import type { NativeCalls, Network, NetworkSettings } from './types';
import { libraryVersions } from './versions';

/** Makes the network of an addon's object that is ready. */
export function makeNetwork(
  handle: NativeClassifier,
  facts: NativeFacts,
  settings: NetworkSettings,
  imageSize: number | undefined,
  belongings: Belongings,
): Network {
  const own = { ...settings, ...facts, ...guardedCalls(handle) };
  return Object.assign(new WeightHolder(handle, own, imageSize, belongings), own);
}

/** The addon's calls with its errors made the library's own. A call that the addon gains needs no line here. */
function guardedCalls(handle: NativeClassifier): NativeCalls {
  const methods = handle as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).filter((name) => !OWN.has(name));
  const guard =
    (name: string) =>
    async (...values: unknown[]): Promise<unknown> =>
      await callAddon(() => methods[name]!.apply(handle, values));
  return Object.fromEntries(names.map((name) => [name, guard(name)])) as unknown as NativeCalls;
}

/** Members of the addon's object that are not passed on. */
const OWN = new Set(['constructor', 'ready', 'bytes', 'dispose']);

/** Reads a weight file into a network and leaves what belongs to the weights as it is. */
export async function readInto(
  { architecture, tensors, readTensors }: Pick<Network, 'architecture' | 'tensors' | 'readTensors'>,
  path: string,
  options: Parameters<typeof readWeights>[2],
  allowNonFinite: boolean,
): ReturnType<typeof readWeights> {
  const target = {
    architecture,
    tensors,
    readTensors: (...[file, plan]: Parameters<typeof readTensors>) => readTensors(file, plan, { allowNonFinite }),
  };
  return await readWeights(target, path, options);
}

/** The part of a network that is neither the addon's nor fixed. */
class WeightHolder {
  readonly resizePixels: ResizePixels | undefined;
  belongings: Belongings;
  readonly #handle: NativeClassifier;
  readonly #own: NetworkSettings & NativeFacts & NativeCalls;
  readonly #imageSize: number | undefined;
  readonly #resizer = new Resizer();
  #owner: string | null = null;

  /** @param imageSize the image size that was asked for; undefined where none was */
  constructor(
    handle: NativeClassifier,
    own: NetworkSettings & NativeFacts & NativeCalls,
    imageSize: number | undefined,
    belongings: Belongings,
  ) {
    this.#handle = handle;
    this.#own = own;
    this.#imageSize = imageSize;
    this.belongings = belongings;
    this.resizePixels = own.channels === 3 ? (pixels, size) => this.#resizer.resize(pixels, size) : undefined;
  }

  get normalization(): { mean: [number, number, number]; std: [number, number, number] } | undefined {
    if (this.#own.channels === 1) return GRAY_NORMALIZATION;
    const { pretraining } = this.belongings;
    return pretraining === null ? undefined : { mean: [...pretraining.mean], std: [...pretraining.std] };
  }

  get versions(): Readonly<Record<string, string>> {
    return libraryVersions();
  }

  get bytes(): number {
    return this.#handle.bytes();
  }

  configure(settings: Preprocessing & { readonly origin?: string | undefined }): void {
    const { origin, ...given } = checkArgument(configureSchema, settings, 'Classifier.configure', 'settings');
    const { sixteenBit = this.belongings.sixteenBit } = given;
    const { origin: before, pretraining } = this.belongings;
    this.belongings = { ...checkPreprocessing({ ...given, sixteenBit }), origin: origin ?? before, pretraining };
  }

  async saveWeights(path: string, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    checkArgument(pathSchema, path, 'Classifier.saveWeights', 'path');
    checkArgument(metadataSchema, metadata, 'Classifier.saveWeights', 'metadata');
    const { architecture, classes, channels, tensors, writeTensors } = this.#own;
    const { transform, threshold, sixteenBit = null, origin } = this.belongings;
    const prediction = weightsMetadata({ classes, channels, transform, threshold, sixteenBit, origin });
    const names = tensors.map(({ name }) => name);
    await writeSafetensors(path, tensors, { architecture, ...prediction, ...metadata }, (file, offset) =>
      writeTensors(file, offset, names),
    );
  }

  async loadWeights(path: string, options: LoadWeightsOptions = {}): Promise<LoadReport> {
    const { weightsOnly, allowNonFinite, ...given } = checkOptions(
      loadWeightsOptionsSchema,
      options,
      'Classifier.loadWeights',
    );
    checkArgument(pathSchema, path, 'Classifier.loadWeights', 'path');
    const { classes, channels } = this.#own;
    const read = await readInto(this.#own, path, given, allowNonFinite);
    if (weightsOnly) return read.report;
    const holder = { classes, channels, imageSize: this.#imageSize, before: this.belongings };
    const { belongings, notes } = belongingsOf(path, read, holder);
    this.belongings = belongings;
    return { ...read.report, notes: [...read.report.notes, ...notes] };
  }

  lock(owner: string): () => void {
    if (this.#owner !== null)
      throw new CovidCtError(
        'ERR_BUSY',
        `this classifier is being trained by ${this.#owner}; wait for it to end, or abort it first`,
      );
    this.#owner = owner;
    return () => {
      this.#owner = null;
    };
  }

  dispose(): void {
    this.#resizer.dispose();
    this.#handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

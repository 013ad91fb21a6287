/** The classifier: one network on one native thread, with everything a prediction needs to be right. */
import { join } from 'node:path';
import { makeBatch } from '../data/batch';
import { GRAY_NORMALIZATION, tutorialEval } from '../data/transforms/presets';
import { inputRegion } from '../data/transforms/program';
import { toSources } from '../data/images/source';
import type { ImageInput } from '../data/images/source';
import type { Transform } from '../data/types';
import { CovidCtError, InvalidOptionError } from '../errors';
import { loadNative } from '../addon/load';
import type { NativeClassifier, NativeTensorSource } from '../addon/types';
import { metadataSchema, pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import {
  classifierOptionsSchema,
  configureSchema,
  explainOptionsSchema,
  loadOptionsSchema,
  loadWeightsOptionsSchema,
  predictOptionsSchema,
} from './options';
import type {
  ClassifierOptions,
  Convolution,
  ExplainOptions,
  LoadOptions,
  LoadWeightsOptions,
  Precision,
  PredictOptions,
} from './options';
import type { SixteenBit } from '../data/images/options';
import { makeCard, readCard, writeCard, weightsFileOf } from './card';
import { inChunks } from './chunks';
import { callAddon } from '../addon/call';
import { withOutOfMemoryAdvice } from './out-of-memory';
import { NativeNetwork } from './network';
import { toExplanation, toPrediction } from './prediction';
import type { Explanation, Prediction } from './prediction';
import { checkPreprocessing } from './preprocessing';
import type { Preprocessing } from './preprocessing';
import { belongingsOf, belongingsOfCard, belongingsOfLast, DEFAULT_THRESHOLD, weightsMetadata } from './belongings';
import type { Belongings } from './belongings';
import type { Pretraining } from '../weights/pretrained';
import { writeSafetensors } from '../weights/safetensors';
import { readWeights } from '../weights/read';
import type { ModelCard, Network } from './types';
import { libraryVersions } from './versions';
import type { LoadReport } from '../weights/match';

interface OwnFacts {
  readonly architecture: string;
  readonly dropout: number;
  readonly channels: 1 | 3;
  readonly precision: Precision;
  readonly convolution: Convolution;
  /** As it was given. */
  readonly imageSize: number | undefined;
  readonly classes: readonly string[];
  readonly belongings: Belongings;
}

type Facts = Awaited<ReturnType<NativeClassifier['ready']>>;

/**
 * A trainable image classifier. Make one with {@link Classifier.create} or {@link Classifier.load}; call
 * {@link Classifier.dispose} when done (or declare it with `using`). All computation runs on its own thread; predictions
 * go ahead of queued training steps.
 */
export class Classifier extends NativeNetwork implements Network {
  readonly architecture: string;
  readonly classes: readonly string[];
  /** e.g. `cpu` or `cuda:0`. */
  readonly device: string;
  /** Why that device, in words. */
  readonly deviceReason: string;
  /** Probability of the dropout layers in training. */
  readonly dropout: number;
  /** Trainable numbers in the network. */
  readonly parameterCount: number;
  readonly layers: { readonly names: readonly string[]; readonly default: string };
  /** In which numbers it computes; its weights are float32. */
  readonly precision: Precision;
  /** Which convolutions it was made with. */
  readonly convolution: Convolution;
  /** Of the weights it holds now; replaced as a whole. */
  #belongings: Belongings;
  readonly #imageSize: number | undefined;

  private constructor(handle: NativeClassifier, facts: Facts, own: OwnFacts) {
    super(handle, own.channels);
    this.architecture = own.architecture;
    this.dropout = own.dropout;
    this.precision = own.precision;
    this.convolution = own.convolution;
    this.#imageSize = own.imageSize;
    this.classes = own.classes;
    this.#belongings = own.belongings;
    this.device = facts.device;
    this.deviceReason = facts.deviceReason;
    this.parameterCount = facts.parameters;
    this.layers = handle.layers();
  }

  /**
   * Makes a classifier with random weights.
   *
   * @throws InvalidOptionError; LibTorchNotFoundError and ERR_ADDON_* where the native part is missing; ERR_DEVICE, also
   *   where a classifier on CUDA of the other of `float32` and `tf32` lives in this process; ERR_INVALID_OPTION for a
   *   precision that the device has not; ERR_OUT_OF_MEMORY
   */
  static async create(options: ClassifierOptions): Promise<Classifier> {
    return Classifier.#make(options, true);
  }

  /** @param random false: no initial weights are drawn, for whoever reads all of them from a file */
  static async #make(options: ClassifierOptions, random: boolean): Promise<Classifier> {
    const { architecture, classes, device, threads, seed, dropout, imageSize, channels, convolution, precision } =
      checkOptions(classifierOptionsSchema, options, 'Classifier.create');
    const addon = loadNative();
    if (!addon.architectures().includes(architecture)) {
      throw new InvalidOptionError(
        `Classifier.create: expected an architecture of ${addon.architectures().join(', ')}; got '${architecture}'`,
        [{ path: 'architecture', message: 'unknown architecture' }],
      );
    }
    return callAddon(async () => {
      const handle = new addon.Classifier({
        architecture,
        classes: classes.length,
        device,
        threads,
        seed,
        dropout,
        channels,
        convolution,
        precision,
        random,
      });
      const facts = await handle.ready().catch((error: unknown) => {
        handle.dispose();
        throw error;
      });
      const transform = tutorialEval({
        size: imageSize,
        normalization: channels === 1 ? GRAY_NORMALIZATION : 'imagenet',
      });
      const belongings = {
        transform,
        threshold: DEFAULT_THRESHOLD,
        sixteenBit: null,
        origin: `random (seed ${seed})`,
        pretraining: null,
      };
      return new Classifier(handle, facts, {
        architecture,
        dropout,
        channels,
        precision,
        convolution,
        imageSize,
        classes: Object.freeze([...classes]),
        belongings,
      });
    });
  }

  /**
   * Loads a model folder or the run folder of a training: architecture, weights, classes, transform and threshold. The
   * precision is that of the options, whatever it was trained in.
   *
   * @throws CovidCtError ERR_MODEL for a folder that is not a model, ERR_WEIGHTS for weights that do not fit it
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Classifier> {
    const { device, threads, convolution, precision, which, allowNonFinite } = checkOptions(
      loadOptionsSchema,
      options,
      'Classifier.load',
    );
    const { card, dir } = await readCard(checkArgument(pathSchema, path, 'Classifier.load', 'path'));
    let classifier: Classifier | undefined;
    try {
      classifier = await Classifier.#make(
        {
          architecture: card.architecture,
          classes: [...card.classes],
          dropout: card.dropout,
          channels: card.channels,
          device,
          threads,
          convolution,
          precision,
        },
        false,
      );
      classifier.configure(card);
      const { metadata } = await classifier.#read(weightsFileOf(dir, card, which), {}, allowNonFinite);
      classifier.#belongings = which === 'last' ? belongingsOfLast(card, metadata) : belongingsOfCard(card);
      return classifier;
    } catch (error) {
      classifier?.dispose();
      // What the card says wrongly is the model's fault, not that of an option of this call.
      throw error instanceof InvalidOptionError
        ? new CovidCtError('ERR_MODEL', `${path}: ${error.message}`, { cause: error })
        : error;
    }
  }

  /** How an image becomes the network's input at prediction. */
  get transform(): Transform {
    return this.#belongings.transform;
  }

  /** Two classes: a probability of class 1 at or above it is called class 1. */
  get threshold(): number {
    return this.#belongings.threshold;
  }

  /** Values of 16-bit images that become 0 and 255; null: all 16 bits count. Stored with the model. */
  get sixteenBit(): SixteenBit | null {
    return this.#belongings.sixteenBit ?? null;
  }

  /** What the weights it began with were trained for; null for random ones. Stored with the model. */
  get pretraining(): Pretraining | null {
    return this.#belongings.pretraining;
  }

  /** Mean and standard deviation that belong to the weights; undefined where nothing but ImageNet's default speaks. */
  get normalization(): { mean: [number, number, number]; std: [number, number, number] } | undefined {
    if (this.channels === 1) return GRAY_NORMALIZATION;
    const { pretraining } = this.#belongings;
    return pretraining === null ? undefined : { mean: [...pretraining.mean], std: [...pretraining.std] };
  }

  /** Where the weights come from, in words. */
  get origin(): string {
    return this.#belongings.origin;
  }

  /**
   * Sets transform and threshold of later predictions, where the weights now come from, and how 16-bit images are scaled
   * (as before where it is left out); a training does it with its own. Throws InvalidOptionError.
   */
  configure(settings: Preprocessing & { readonly origin?: string }): void {
    const { origin, ...given } = checkArgument(configureSchema, settings, 'Classifier.configure', 'settings');
    const { sixteenBit = this.sixteenBit } = given;
    const { origin: before, pretraining } = this.#belongings;
    this.#belongings = { ...checkPreprocessing({ ...given, sixteenBit }), origin: origin ?? before, pretraining };
  }

  /** Versions of this package, Node, LibTorch and the image libraries. */
  get versions(): Readonly<Record<string, string>> {
    return libraryVersions();
  }

  /**
   * Classifies images.
   *
   * @param sources one image or a list of them, each a path, `file:` URL, bytes, Blob, stream or pixels: {@link ImageInput}
   * @param options.maxPixels and the other limits, as decodeImage has them; `sixteenBit`: the model's own by default
   * @returns one answer for each source, in order
   * @throws BadImageError naming the source; AbortedError; CovidCtError ERR_DISPOSED; ERR_OUT_OF_MEMORY naming a smaller
   *   batchSize to try
   */
  async predict(sources: ImageInput | readonly ImageInput[], options: PredictOptions = {}): Promise<Prediction[]> {
    const { batchSize: size, signal, ...images } = checkOptions(predictOptionsSchema, options, 'predict');
    const { transform, threshold } = this.#belongings;
    return inChunks(
      toSources(sources, 'predict'),
      { size, signal, transform, images, ownSixteenBit: this.sixteenBit },
      async (chunk, pixels) => {
        const outputs = await withOutOfMemoryAdvice('a prediction', { batchSize: chunk.length }, () =>
          this.predictBatch(makeBatch(pixels, null, transform)),
        );
        return chunk.map((source, row) => toPrediction(source, outputs, row, this.classes, threshold));
      },
    );
  }

  /**
   * Grad-CAM: where in the image the evidence for a class lies.
   *
   * @returns one answer for each source, in order, with a map at the layer's resolution and the region of the original
   *   image it covers
   * @throws as predict; InvalidOptionError for an unknown class; CovidCtError ERR_LAYER for an unknown layer
   */
  async explain(sources: ImageInput | readonly ImageInput[], options: ExplainOptions = {}): Promise<Explanation[]> {
    const {
      batchSize: size,
      signal,
      layer = this.layers.default,
      class: name,
      ...images
    } = checkOptions(explainOptionsSchema, options, 'explain');
    const wanted = name === undefined ? null : this.#classIndex(name);
    const { transform, threshold } = this.#belongings;
    return inChunks(
      toSources(sources, 'explain'),
      { size, signal, transform, images, ownSixteenBit: this.sixteenBit },
      async (chunk, pixels) => {
        const batch = makeBatch(pixels, null, transform);
        const classIndices = new Int32Array(chunk.length).fill(wanted ?? 0);
        if (wanted === null) {
          // The class that is called, which the operating point decides: it need not be the most probable one.
          const outputs = await withOutOfMemoryAdvice('an explanation', { batchSize: chunk.length }, () =>
            this.predictBatch(batch),
          );
          chunk.forEach((source, row) => {
            classIndices[row] = toPrediction(source, outputs, row, this.classes, threshold).labelIndex;
          });
        }
        const cam = await withOutOfMemoryAdvice('an explanation', { batchSize: chunk.length }, () =>
          this.gradCamBatch(batch, { layer, classIndices }),
        );
        return chunk.map((source, row) => {
          const image = pixels[row]!;
          return toExplanation({
            source,
            cam,
            row,
            explained: classIndices[row]!,
            layer,
            classes: this.classes,
            threshold,
            region: inputRegion(transform, image),
            pixels: image,
          });
        });
      },
    );
  }

  /**
   * Writes a model folder: `model.safetensors` and `model.json`.
   *
   * @throws CovidCtError ERR_RUN_FOLDER
   */
  async save(dir: string): Promise<ModelCard> {
    checkArgument(pathSchema, dir, 'Classifier.save', 'dir');
    const { transform, threshold, origin, pretraining, sixteenBit } = this.#belongings;
    const card = makeCard({
      architecture: this.architecture,
      classes: this.classes,
      dropout: this.dropout,
      channels: this.channels,
      precision: this.precision,
      pretraining: pretraining ?? undefined,
      transform,
      threshold,
      sixteenBit: sixteenBit ?? undefined,
      weights: 'model.safetensors',
      origin,
      versions: libraryVersions(),
    });
    await this.saveWeights(join(dir, card.weights));
    await writeCard(dir, card);
    return card;
  }

  /**
   * Writes parameters and buffers under torchvision's names as safetensors, whole or not at all. Transform, threshold,
   * classes and origin are in the metadata, so that loadWeights brings them back.
   */
  async saveWeights(path: string, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    checkArgument(pathSchema, path, 'saveWeights', 'path');
    checkArgument(metadataSchema, metadata, 'saveWeights', 'metadata');
    const { classes, channels, transform, threshold, sixteenBit, origin } = this;
    const own = {
      architecture: this.architecture,
      ...weightsMetadata({ classes, channels, transform, threshold, sixteenBit, origin }),
    };
    const tensors = this.tensors();
    await writeSafetensors(path, tensors, { ...own, ...metadata }, (file, offset) =>
      this.writeTensors(
        file,
        offset,
        tensors.map((tensor) => tensor.name),
      ),
    );
  }

  /**
   * Reads weights with torchvision's names from a file: safetensors, or what torch.save writes (zip or legacy), without
   * executing anything in it. What belongs to the weights is replaced as a whole: files of this library bring their
   * transform and, for the same classes, their threshold; others the normalization and input size of a known checkpoint,
   * or ImageNet's normalization as an assumption, and the threshold 0.5. An `imageSize` that was asked for stays.
   *
   * @param options.replaceHead keep the classification head as it is when the file's has another size (default false)
   * @param options.allowMissing names or prefixes that the file need not have; true for any (default false)
   * @param options.allowUnexpected names or prefixes of the file that may go unused; true for any (default false)
   * @param options.weightsOnly leave transform, threshold, origin and pretraining as they are (default false)
   * @param options.entry where in a checkpoint the weights stand, e.g. `model_ema` (default: found)
   * @param options.prefix under which of the file's names the network stands, e.g. `encoder_q.` (default: found)
   * @param options.allowNonFinite read NaN and infinite numbers too, for a look inside (default false)
   * @throws CovidCtError ERR_WEIGHTS when the file is damaged, does not fit or is not finite, with the network as it was; AbortedError
   */
  async loadWeights(path: string, options: LoadWeightsOptions = {}): Promise<LoadReport> {
    const { weightsOnly, allowNonFinite, ...given } = checkOptions(loadWeightsOptionsSchema, options, 'loadWeights');
    checkArgument(pathSchema, path, 'loadWeights', 'path');
    const read = await this.#read(path, given, allowNonFinite);
    if (weightsOnly) return read.report;
    const holder = {
      classes: this.classes,
      channels: this.channels,
      imageSize: this.#imageSize,
      before: this.#belongings,
    };
    const { belongings, notes } = belongingsOf(path, read, holder);
    this.#belongings = belongings;
    return { ...read.report, notes: [...read.report.notes, ...notes] };
  }

  #read(
    path: string,
    options: Parameters<typeof readWeights>[2],
    allowNonFinite: boolean,
  ): ReturnType<typeof readWeights> {
    const { architecture, handle } = this;
    const readTensors = (file: string, plan: readonly NativeTensorSource[]): Promise<void> =>
      handle.readTensors(file, plan, allowNonFinite);
    return readWeights({ architecture, tensors: this.tensors(), readTensors }, path, options);
  }

  #classIndex(name: string): number {
    const index = this.classes.indexOf(name);
    if (index < 0)
      throw new InvalidOptionError(`expected a class of ${this.classes.join(', ')}; got '${name}'`, [
        { path: 'class', message: 'unknown class' },
      ]);
    return index;
  }
}

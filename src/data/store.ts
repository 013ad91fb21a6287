/** Decodes (and resizes) every image once and caches its pixels within a budget, so that later epochs do neither. */
import { z } from 'zod';
import { AbortedError, BadImageError, throwIfAborted } from '../errors';
import { faultless, isObject } from '../options/atoms';
import { isSampleSource } from './schemas';
import { checkArgument, checkOptions, signalSchema } from '../options/check';
import { imageOptionsOf } from './images/options';
import type { SixteenBit } from './images/options';
import { raceAbort, Semaphore } from './abort';
import { badImage, decodeChecked } from './images/decode';
import type { SizeCheck } from './images/size';
import { resizedSize } from './transforms/steps/resize';
import { transformProblem } from './transforms/limits';
import type { ImageSource, Pixels, ResizePixels, Sample, SkippedFile } from './types';
import { imageShape } from './images/options';

export const storeOptionsSchema = z.strictObject({
  /** Maximum bytes of cached pixels; images that do not fit are decoded again each time. */
  maxCacheBytes: z
    .int()
    .min(0)
    .default(2 * 1024 ** 3),
  onBadFile: z.enum(['error', 'skip']).default('error'),
  /** Images decoded at the same time. */
  concurrency: z.int().min(1).max(64).default(2),
  ...imageShape,
});
export type StoreOptions = z.input<typeof storeOptionsSchema>;

/** Statistics of a store. */
export interface StoreStats {
  /** Requests served from the cache or by a decode in flight. */
  readonly hits: number;
  /** Decodes that were started. */
  readonly decodes: number;
  /** Bytes of pixels in the cache; never more than `maxCacheBytes`. */
  readonly bytes: number;
}

/** The first resize of a transform, done before the pixels are cached. */
export interface PreResize {
  /** Shorter side, or [height, width], as in the transform's step. */
  readonly size: number | readonly [number, number];
  readonly resize: ResizePixels;
}

const sampleSchema = faultless<Pick<Sample, 'source'>>((value) =>
  isObject(value) && isSampleSource(value['source']) ? null : { path: [], message: 'expected a sample of a data set' },
);
const callback = z
  .custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'expected a function')
  .optional();
const loadSchema = z.looseObject({
  signal: signalSchema,
  ahead: z
    .custom<PreResize>(
      (value) => typeof (value as PreResize | null)?.resize === 'function',
      'expected a resize and its size',
    )
    .optional(),
  sizeCheck: callback,
  onSkip: callback,
});

/** How a caller wants the pixels. */
export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Resize to do first; without it the pixels are returned as decoded. */
  readonly ahead?: PreResize;
  /** How 16-bit images are scaled; the store's setting by default. */
  readonly sixteenBit?: SixteenBit | undefined;
  /** Refuses an image whose cached size the caller cannot use. */
  readonly sizeCheck?: SizeCheck;
}

/** The cached and in-flight images with one pre-resize and one 16-bit scaling. */
interface CacheTier {
  readonly ahead: PreResize | undefined;
  readonly sixteenBit: SixteenBit | undefined;
  /** Cache key per source, including images that were not cached. */
  readonly keys: Map<ImageSource, number>;
  readonly kept: Map<ImageSource, Pixels>;
  readonly underWay: Map<ImageSource, InFlight>;
  /** Files that could not be decoded, with `skip`. */
  readonly bad: Map<ImageSource, BadImageError>;
}

/** A decode in flight, with the number of callers that wait for it. */
interface InFlight {
  waiting: number;
  readonly pixels: Promise<Pixels>;
}

/**
 * A cache of decoded pixels, keyed by path or Buffer. Nothing is evicted when the budget is full: cached images stay
 * and the others are decoded again each time, which gives the most hits when epochs read all images in turn.
 *
 * @example
 * ```ts
 * import { PixelStore } from 'covidct-torch';
 *
 * const store = new PixelStore({ maxCacheBytes: 512 * 2 ** 20 });
 * const pixels = await store.get({ source: 'slice.png' });
 * console.log(pixels.width, pixels.height, store.stats);
 * ```
 */
export class PixelStore {
  readonly #options: z.output<typeof storeOptionsSchema>;
  readonly #tiers = new Map<string, CacheTier>();
  readonly #skippedSamples = new Map<Sample, SkippedFile>();
  readonly #slots: Semaphore;
  #generation = 0;
  #hits = 0;
  #decodes = 0;
  #bytes = 0;

  static #check(options: StoreOptions) {
    return checkOptions(storeOptionsSchema, options, 'PixelStore');
  }

  /**
   * @param options
   *   - `maxCacheBytes`: maximum bytes in the cache, default 2 GiB; 0 disables it
   *   - `onBadFile`: `error` (default) or `skip`: leave out files that cannot be decoded, count and report them
   *   - `concurrency`: images decoded at the same time, default 2
   *   - `maxPixels`: and the other limits, and `sixteenBit`, as decodeImage has them
   */
  constructor(options: StoreOptions = {}) {
    this.#options = PixelStore.#check(options);
    this.#slots = new Semaphore(this.#options.concurrency);
  }

  /** What happens to a file that cannot be decoded. */
  get onBadFile(): 'error' | 'skip' {
    return this.#options.onBadFile;
  }

  get stats(): StoreStats {
    return { hits: this.#hits, decodes: this.#decodes, bytes: this.#bytes };
  }

  /** The files that were left out, each once, in the order in which they were found. */
  get skipped(): readonly SkippedFile[] {
    return [...this.#skippedSamples.values()];
  }

  /**
   * Returns the pixels of a sample. Callers share the bytes: do not write to them.
   *
   * @param options
   *   - `signal`: stops this caller's wait; a decode that others wait for continues, an unneeded one is not started
   *   - `ahead`: the resize to do first; its result is cached separately from the pixels as decoded
   *   - `sixteenBit`: another scaling of 16-bit images than the store's; cached separately as well
   *   - `sizeCheck`: refuses sizes that the caller cannot use
   * @throws BadImageError whatever `onBadFile` says; AbortedError
   */
  async get(sample: Pick<Sample, 'source' | 'origin'>, options: LoadOptions = {}): Promise<Pixels> {
    const { signal, ahead, sixteenBit, sizeCheck } = checkOptions(loadSchema, options, 'PixelStore') as LoadOptions;
    checkArgument(sampleSchema, sample, 'PixelStore', 'sample');
    throwIfAborted(signal);
    const pixels = await this.#find(sample, this.#shelf(ahead, sixteenBit ?? this.#options.sixteenBit), signal);
    const problem = sizeCheck?.(pixels) ?? null;
    if (problem !== null) throw badImage(sample.source, problem, sample);
    return pixels;
  }

  async #find(
    sample: Pick<Sample, 'source' | 'origin'>,
    shelf: CacheTier,
    signal: AbortSignal | undefined,
  ): Promise<Pixels> {
    const kept = shelf.kept.get(sample.source);
    if (kept !== undefined) {
      this.#hits += 1;
      return kept;
    }
    const bad = shelf.bad.get(sample.source);
    if (bad !== undefined) throw bad;
    const work = this.#join(sample, shelf);
    work.waiting += 1;
    try {
      return await raceAbort(work.pixels, signal);
    } finally {
      work.waiting -= 1;
    }
  }

  /**
   * Returns the pixels of the sample at `index` of a data set, or null when it cannot be decoded and `onBadFile` is
   * `skip`.
   *
   * @param options
   *   - `onSkip`: called once for each file that is left out
   */
  async load(
    sample: Sample,
    index: number,
    options: LoadOptions & { onSkip?: (file: SkippedFile) => void } = {},
  ): Promise<Pixels | null> {
    try {
      return await this.get(sample, options);
    } catch (error) {
      if (!(error instanceof BadImageError) || this.#options.onBadFile === 'error') throw error;
      if (!this.#skippedSamples.has(sample)) {
        const file = { index, id: sample.id, reason: error.reason };
        this.#skippedSamples.set(sample, file);
        options.onSkip?.(file);
      }
      return null;
    }
  }

  /** Clears the pixels and the bad files; the counts of hits and decodes continue. */
  clear(): void {
    this.#generation += 1;
    this.#tiers.clear();
    this.#skippedSamples.clear();
    this.#bytes = 0;
  }

  #shelf(ahead: PreResize | undefined, sixteenBit: SixteenBit | undefined): CacheTier {
    const key = JSON.stringify([ahead?.size, sixteenBit?.low, sixteenBit?.high]);
    let shelf = this.#tiers.get(key);
    if (shelf === undefined)
      this.#tiers.set(
        key,
        (shelf = { ahead, sixteenBit, keys: new Map(), kept: new Map(), underWay: new Map(), bad: new Map() }),
      );
    return shelf;
  }

  /** Returns the decode of this image in flight, or starts one. */
  #join(sample: Pick<Sample, 'source' | 'origin'>, shelf: CacheTier): InFlight {
    const there = shelf.underWay.get(sample.source);
    if (there !== undefined) {
      this.#hits += 1;
      return there;
    }
    const work: InFlight = { waiting: 0, pixels: this.#produce(sample, shelf, () => work.waiting > 0) };
    shelf.underWay.set(sample.source, work);
    return work;
  }

  async #produce(sample: Pick<Sample, 'source' | 'origin'>, shelf: CacheTier, wanted: () => boolean): Promise<Pixels> {
    const generation = this.#generation;
    const { source } = sample;
    await Promise.resolve(); // lets the caller be counted as waiting first
    try {
      const whole = this.#shelf(undefined, shelf.sixteenBit).kept.get(source);
      const decoded = whole ?? (await this.#slots.run(() => this.#decode(sample, shelf.sixteenBit, wanted)));
      const pixels = { ...(await resized(decoded, shelf.ahead, sample)), key: keyOf(shelf, source) };
      if (generation === this.#generation) this.#keep(shelf, source, pixels);
      return pixels;
    } catch (error) {
      // A skipped file is not tried again each epoch; with 'error' the caller may fix it and try again.
      const final = error instanceof BadImageError && this.#options.onBadFile === 'skip';
      if (final && generation === this.#generation) shelf.bad.set(source, error);
      throw error;
    } finally {
      if (generation === this.#generation) shelf.underWay.delete(source);
    }
  }

  async #decode(
    { source, origin }: Pick<Sample, 'source' | 'origin'>,
    sixteenBit: SixteenBit | undefined,
    wanted: () => boolean,
  ): Promise<Pixels> {
    if (!wanted()) throw new AbortedError(); // all callers aborted before its turn came
    this.#decodes += 1;
    return decodeChecked(source, { ...imageOptionsOf(this.#options), sixteenBit, origin });
  }

  #keep(shelf: CacheTier, source: ImageSource, pixels: Pixels): void {
    if (this.#bytes + pixels.data.byteLength > this.#options.maxCacheBytes) return;
    shelf.kept.set(source, pixels);
    this.#bytes += pixels.data.byteLength;
  }
}

let keys = 0;

function keyOf(shelf: CacheTier, source: ImageSource): number {
  let key = shelf.keys.get(source);
  if (key === undefined) shelf.keys.set(source, (key = keys += 1));
  return key;
}

async function resized(
  pixels: Pixels,
  ahead: PreResize | undefined,
  { source, origin }: Pick<Sample, 'source' | 'origin'>,
): Promise<Pixels> {
  if (ahead === undefined) return pixels;
  const problem = transformProblem({ steps: [{ type: 'resize', size: ahead.size }] }, pixels);
  if (problem !== null) throw badImage(source, problem, { origin });
  const size = resizedSize(pixels, ahead.size);
  return size.height === pixels.height && size.width === pixels.width ? pixels : ahead.resize(pixels, size);
}

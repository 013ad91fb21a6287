/** Decodes every image once and keeps its bytes within a budget, so that a later epoch decodes nothing. */
import { BadImageError } from '../errors';
import { checkOptions } from '../options/check';
import { storeOptionsSchema } from '../options/data';
import type { StoreOptions } from '../options/data';
import { orAborted, Slots } from './abortable';
import { decodeImage } from './decode';
import type { ImageSource, Pixels, Sample, SkippedFile } from './types';

/** What a store has done so far. */
export interface StoreStats {
  /** Requests answered from memory or by a decode that was already under way. */
  readonly hits: number;
  /** Decodes that were started. */
  readonly decodes: number;
  /** Bytes of pixels held now; never more than `maxCacheBytes`. */
  readonly bytes: number;
}

/**
 * A cache of decoded pixels, keyed by path or Buffer. Once the budget is full nothing is thrown out: what is in stays,
 * the rest is decoded anew each time, which for the sequential reading of epochs keeps the most hits.
 */
export class PixelStore {
  private readonly options: ReturnType<typeof PixelStore.check>;
  private readonly kept = new Map<ImageSource, Pixels>();
  private readonly underWay = new Map<ImageSource, Promise<Pixels>>();
  private readonly bad = new Map<ImageSource, BadImageError>();
  private readonly skippedSamples = new Map<Sample, SkippedFile>();
  private readonly slots: Slots;
  private generation = 0;
  private hits = 0;
  private decodes = 0;
  private bytes = 0;

  private static check(options: StoreOptions) {
    return checkOptions(storeOptionsSchema, options, 'PixelStore');
  }

  /**
   * @param options.maxCacheBytes bytes kept, default 2 GiB; 0 keeps nothing
   * @param options.onBadFile `error` (default) or `skip`: leave files out that cannot be decoded, count and report them
   * @param options.concurrency images decoded at the same time, default 2
   */
  constructor(options: StoreOptions = {}) {
    this.options = PixelStore.check(options);
    this.slots = new Slots(this.options.concurrency);
  }

  /** What happens to a file that cannot be decoded. */
  get onBadFile(): 'error' | 'skip' {
    return this.options.onBadFile;
  }

  get stats(): StoreStats {
    return { hits: this.hits, decodes: this.decodes, bytes: this.bytes };
  }

  /** The files that were left out, each once, in the order in which they were met. */
  get skipped(): readonly SkippedFile[] {
    return [...this.skippedSamples.values()];
  }

  /**
   * The pixels of a sample. Callers share the bytes: do not write to them.
   *
   * @param options.signal stops this caller's wait; a decode that others wait for goes on
   * @throws BadImageError whatever `onBadFile` says; AbortedError
   */
  async get(sample: Pick<Sample, 'source' | 'origin'>, options: { signal?: AbortSignal } = {}): Promise<Pixels> {
    return orAborted(this.find(sample), options.signal);
  }

  /**
   * The pixels of the sample at `index` of a data set, or null when it cannot be decoded and `onBadFile` is `skip`.
   *
   * @param options.onSkip told of each left-out file once, the first time it is met
   */
  async load(sample: Sample, index: number, options: { signal?: AbortSignal; onSkip?: (file: SkippedFile) => void } = {}): Promise<Pixels | null> {
    try {
      return await this.get(sample, options);
    } catch (error) {
      if (!(error instanceof BadImageError) || this.options.onBadFile === 'error') throw error;
      if (!this.skippedSamples.has(sample)) {
        const file = { index, id: sample.id, reason: error.reason };
        this.skippedSamples.set(sample, file);
        options.onSkip?.(file);
      }
      return null;
    }
  }

  /** Forgets the pixels and the bad files; the counts of hits and decodes go on. */
  clear(): void {
    this.generation += 1;
    this.kept.clear();
    this.underWay.clear();
    this.bad.clear();
    this.skippedSamples.clear();
    this.bytes = 0;
  }

  private async find(sample: Pick<Sample, 'source' | 'origin'>): Promise<Pixels> {
    const known = this.kept.get(sample.source) ?? this.underWay.get(sample.source);
    if (known !== undefined) {
      this.hits += 1;
      return known;
    }
    const bad = this.bad.get(sample.source);
    if (bad !== undefined) throw bad;
    return this.decode(sample);
  }

  private decode(sample: Pick<Sample, 'source' | 'origin'>): Promise<Pixels> {
    const { source, origin } = sample;
    const generation = this.generation;
    this.decodes += 1;
    const work = this.slots.run(() => decodeImage(source, { origin, maxPixels: this.options.maxPixels })).then(
      (pixels) => {
        if (generation === this.generation) this.keep(source, pixels);
        return pixels;
      },
      (error: unknown) => {
        if (generation === this.generation) this.fail(source, error);
        throw error;
      },
    );
    this.underWay.set(source, work);
    return work;
  }

  private keep(source: ImageSource, pixels: Pixels): void {
    this.underWay.delete(source);
    if (this.bytes + pixels.data.byteLength > this.options.maxCacheBytes) return;
    this.kept.set(source, pixels);
    this.bytes += pixels.data.byteLength;
  }

  private fail(source: ImageSource, error: unknown): void {
    this.underWay.delete(source);
    // A skipped file is not tried again each epoch; with 'error' the caller may mend it and try again.
    if (error instanceof BadImageError && this.options.onBadFile === 'skip') this.bad.set(source, error);
  }
}

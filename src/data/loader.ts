/** Loads a data set batch by batch, prefetching a few batches ahead of the current step. */
import { setMaxListeners } from 'node:events';
import { DatasetError, throwIfAborted } from '../errors';
import { callbackSchema, isObject, seedSchema, uint32Schema } from '../options/atoms';
import { checkOptions, signalSchema } from '../options/check';
import { sixteenBitSchema } from './images/options';
import { raceAbort } from './abort';
import { makeBatch } from './batch';
import type { SizeCheck } from './images/size';
import { makeDraw, shuffle, STREAM } from './random';
import type { PixelStore, PreResize } from './store';
import { isRandom } from './transforms/transform';
import { transformProblem } from './transforms/limits';
import type { Batch, Dataset, Pixels, ResizePixels, SkippedFile, Transform } from './types';
import { z } from 'zod';

/** Checks only that an object is given: its constructor has checked the rest. */
function given<T>(what: string, keys: readonly string[] = []): z.ZodType<T, T> {
  return z.custom<T>((value) => isObject(value) && keys.every((key) => key in value), `expected ${what}`);
}

const loadBatchesOptionsSchema = z.strictObject({
  dataset: given<Dataset>('a data set with classes and samples', ['samples', 'classes']),
  transform: given<Transform>('a transform'),
  /** Images in a micro-batch, at least 1; the last one may be smaller. */
  batchSize: z.int().min(1).max(65_536),
  store: given<PixelStore>('a PixelStore'),
  /**
   * Performs the transform's first resize ahead of the step, once for all epochs; the results are the same.
   */
  resize: callbackSchema<ResizePixels>().optional(),
  /** Values of 16-bit images that become 0 and 255; the store's own by default. */
  sixteenBit: sixteenBitSchema.optional(),
  /** Seed of the order and of all random numbers; default 0. */
  seed: seedSchema.default(0),
  /** Number of the epoch, which changes the order and the random numbers; default 0. */
  epoch: uint32Schema.default(0),
  /** Shuffle the samples; default false, the data set's order. */
  shuffle: z.boolean().default(false),
  /** Batches prepared ahead; default 2; 0 prepares each on demand. */
  prefetch: z.int().min(0).max(64).default(2),
  signal: signalSchema,
  /** Called once for each file that the store leaves out, in the order of the batches, before its batch is yielded. */
  onSkip: callbackSchema<(file: SkippedFile) => void>().optional(),
  /** First batch, counted from 0: resumes an epoch exactly; default 0. */
  startBatch: z.int().min(0).default(0),
});
/** Options of {@link loadBatches}. */
export type LoadBatchesOptions = Readonly<z.input<typeof loadBatchesOptionsSchema>>;
type Resolved = z.output<typeof loadBatchesOptionsSchema>;

/** Number of batches of an epoch over `samples` images; the last one may be smaller. */
export function batchCount(samples: number, batchSize: number): number {
  return Math.ceil(samples / batchSize);
}

/** The transform needs no change after a resize ahead: repeating the same resize has no effect. */
function resizeAhead({
  transform: {
    steps: [first],
  },
  resize,
}: Resolved): PreResize | undefined {
  return resize === undefined || first?.type !== 'resize' ? undefined : { size: first.size, resize };
}

/** A micro-batch, and the files that were left out of it. */
interface Prepared {
  /** Null where none is left. */
  readonly batch: Batch | null;
  readonly skipped: readonly SkippedFile[];
}

async function prepare(
  options: Resolved,
  position: number,
  order: readonly number[],
  signal: AbortSignal,
): Promise<Prepared> {
  const { dataset, store, transform, seed, epoch, sixteenBit, batchSize } = options;
  const indices = order.slice(position * batchSize, (position + 1) * batchSize);
  const ahead = resizeAhead(options);
  const sizeCheck: SizeCheck = (size) => transformProblem(transform, size);
  const left = new Map<number, SkippedFile>();
  const onSkip = (file: SkippedFile): void => void left.set(file.index, file);
  const loads = indices.map((index) =>
    store.load(dataset.samples[index]!, index, { signal, onSkip, ahead, sixteenBit, sizeCheck }),
  );
  for (const load of loads) load.catch(() => undefined); // only the first failure is thrown below
  const found: { index: number; pixels: Pixels }[] = [];
  for (const [place, load] of loads.entries()) {
    const pixels = await load;
    if (pixels !== null) found.push({ index: indices[place]!, pixels });
  }
  // Which was met first depends on the time that each takes; their order must not.
  const skipped = indices.flatMap((index) => left.get(index) ?? []);
  if (found.length === 0) return { batch: null, skipped };
  const kept = found.map(({ index }) => index);
  const labels = kept.map((index) => dataset.samples[index]!.label);
  const draws = isRandom(transform)
    ? kept.map((sample) => makeDraw({ seed, epoch, sample, stream: STREAM.transform }))
    : null;
  const input = makeBatch(
    found.map(({ pixels }) => pixels),
    labels,
    transform,
    draws,
  );
  return { batch: { position, indices: kept, labels: input.labels!, input }, skipped };
}

function resolve(options: LoadBatchesOptions): Resolved {
  const resolved = checkOptions(loadBatchesOptionsSchema, options, 'loadBatches');
  const { samples, classes, name } = resolved.dataset;
  const wrong = samples.find(({ label }) => !Number.isInteger(label) || label < 0 || label >= classes.length);
  if (wrong !== undefined)
    throw new DatasetError(
      `${name}: sample ${wrong.id} has label ${wrong.label}, expected an index into ${classes.length} classes`,
    );
  return resolved;
}

/**
 * Yields the micro-batches of one epoch.
 *
 * The batches depend only on the data set, the transform, `batchSize`, `seed` and `epoch`; the augmentation of an image
 * does not even depend on `batchSize`. Files that cannot be decoded end the iteration with BadImageError or, when the
 * store's `onBadFile` is `skip`, are left out of their batch (an empty batch is not yielded) and reported to `onSkip`.
 * Leaving the loop early stops the prefetching.
 *
 * @throws InvalidOptionError and DatasetError (a label out of range) at once; BadImageError, AbortedError while
 *   iterating
 */
export function loadBatches(options: LoadBatchesOptions): AsyncIterableIterator<Batch> {
  return walk(resolve(options));
}

async function* walk(options: Resolved): AsyncGenerator<Batch, void, undefined> {
  const { dataset, batchSize, seed, epoch, prefetch, signal } = options;
  throwIfAborted(signal);
  const n = dataset.samples.length;
  const order = options.shuffle ? shuffle(n, seed, epoch) : Array.from({ length: n }, (_, index) => index);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one listener per image in flight is not a leak
  const onAbort = (): void => stop.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const queue: Promise<Prepared>[] = [];
  const total = batchCount(n, batchSize);
  let next = options.startBatch;
  const fill = (ahead: number): void => {
    for (; next < total && queue.length < ahead; next += 1) {
      const work = prepare(options, next, order, stop.signal);
      work.catch(() => undefined); // thrown when its turn comes, or ignored after an early end
      queue.push(work);
    }
  };
  try {
    for (fill(1); queue.length > 0; fill(1)) {
      const current = queue.shift()!;
      fill(prefetch);
      const { batch, skipped } = await raceAbort(current, signal);
      for (const file of skipped) options.onSkip?.(file);
      if (batch !== null) yield batch;
      throwIfAborted(signal);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort();
    await Promise.allSettled(queue); // at once: every load has just been aborted
  }
}

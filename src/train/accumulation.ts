/** Gathers micro-batches into accumulation windows: what each loss is divided by, and when the optimizer steps. */

/** What of a micro-batch is looked at here. */
interface Labeled {
  readonly labels: Int32Array;
  /** Place in the epoch, from 0. */
  readonly position: number;
}

/** Where an accumulation window begins. */
export interface WindowStart {
  /** {@link Labeled.position} of its first micro-batch. */
  readonly batch: number;
  /** Micro-batches of the epoch before it. */
  readonly step: number;
}

/** Of the first window of an epoch. */
export const EPOCH_START: WindowStart = { batch: 0, step: 0 };

/** One micro-batch with its place in the accumulation. */
export interface PlannedBatch<B> {
  readonly batch: B;
  /** Its window. */
  readonly window: WindowStart;
  /** Counts from 1 within the epoch. */
  readonly step: number;
  /** What the micro-batch's summed (class-weighted) loss is divided by. */
  readonly divisor: number;
  /** Whether the optimizer steps after this micro-batch. */
  readonly stepsOptimizer: boolean;
}

/** How to accumulate. */
export interface AccumulationOptions {
  /** Micro-batches in a window, >= 1. */
  readonly accumulate: number;
  /**
   * `default`: one optimizer step for every window and one for the shorter window at the end of the epoch; the
   * gradient is that of the mean over all samples of the window.
   * `tutorial`: a step after micro-batches 1, 1 + k, 1 + 2k, ...; what is gathered after the last of them is carried
   * into the next epoch; each micro-batch counts as its own mean divided by k.
   */
  readonly preset: 'default' | 'tutorial';
  /** Weight of each class in the loss; empty for none. */
  readonly classWeights: Float32Array;
  /** Where the micro-batches begin, which must be the beginning of a window; that of the epoch where left out. */
  readonly start?: WindowStart;
}

/**
 * Plans the micro-batches of one epoch.
 *
 * The samples of a window are counted before its first micro-batch is given out, for the divisor must be the same in
 * all of it; so a window is gathered whole, and the next one is gathered while this one is being computed.
 *
 * @param batches the micro-batches of one epoch, in order; files left out of them are simply not counted
 * @throws whatever `batches` throws; it is closed when the caller stops early
 */
export async function* accumulate<B extends Labeled>(
  batches: AsyncIterable<B>,
  options: AccumulationOptions,
): AsyncGenerator<PlannedBatch<B>, void, undefined> {
  let step = options.start?.step ?? 0;
  if (options.preset === 'tutorial') {
    for await (const batch of batches) {
      const stepsOptimizer = step % options.accumulate === 0;
      const window = { batch: batch.position, step };
      const divisor = sampleWeight(batch, options.classWeights) * options.accumulate;
      step += 1;
      yield { batch, window, step, divisor, stepsOptimizer };
    }
    return;
  }
  for await (const gathered of gatherAhead(batches, options.accumulate)) {
    const divisor = gathered.reduce((sum, batch) => sum + sampleWeight(batch, options.classWeights), 0);
    const window = { batch: gathered[0]!.position, step };
    for (const [index, batch] of gathered.entries()) {
      step += 1;
      yield { batch, window, step, divisor, stepsOptimizer: index === gathered.length - 1 };
    }
  }
}

/** Optimizer steps in an epoch of `batches` micro-batches. */
export function updatesPerEpoch(batches: number, accumulate: number): number {
  return Math.ceil(batches / accumulate);
}

/** The number of samples, or the sum of their class weights: what PyTorch's weighted mean divides by. */
function sampleWeight(batch: Labeled, classWeights: Float32Array): number {
  if (classWeights.length === 0) return batch.labels.length;
  let sum = 0;
  for (const label of batch.labels) sum += classWeights[label] ?? NaN;
  return sum;
}

async function* gatherAhead<B>(batches: AsyncIterable<B>, size: number): AsyncGenerator<B[], void, undefined> {
  const iterator = batches[Symbol.asyncIterator]();
  let next = gather(iterator, size);
  try {
    for (;;) {
      const window = await next;
      if (window.length === 0) return;
      next = gather(iterator, size);
      // The failure is met by the await above; until then it must not count as unhandled.
      next.catch(() => undefined);
      yield window;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}

async function gather<B>(iterator: AsyncIterator<B>, size: number): Promise<B[]> {
  const window: B[] = [];
  while (window.length < size) {
    const result = await iterator.next();
    if (result.done === true) break;
    window.push(result.value);
  }
  return window;
}

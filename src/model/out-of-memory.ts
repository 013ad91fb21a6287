/**
 * What to try when a device has run out of memory: smaller batches, with the same effective batch where gradients are
 * gathered.
 */
import { CovidCtError, linesOf } from '../errors';

/** How the work was cut up when memory ran out. */
export interface BatchSizes {
  /** Images in one forward pass. */
  readonly batchSize: number;
  /** Micro-batches in one optimizer step; left out where nothing is gathered. */
  readonly accumulate?: number;
  /** Whether decoded images may have been kept on the device. */
  readonly keeps?: boolean;
}

/** The largest accumulation that the options take. */
const MOST_ACCUMULATE = 4096;

/**
 * Smaller sizes to try next. With `accumulate`, the largest batch size up to half of the present one that makes the
 * same effective batch with whole numbers.
 *
 * @returns null for a batch of one image, and where no accumulation in [1, 4096] gives the same effective batch
 */
export function smallerBatches({ batchSize, accumulate }: BatchSizes): BatchSizes | null {
  const half = Math.floor(batchSize / 2);
  if (half < 1) return null;
  if (accumulate === undefined) return { batchSize: half };
  const effective = batchSize * accumulate;
  for (let size = half; size >= 1; size -= 1) {
    if (effective % size === 0 && effective / size <= MOST_ACCUMULATE)
      return { batchSize: size, accumulate: effective / size };
  }
  return null;
}

/**
 * Awaits work of the network on batches of that size.
 *
 * @param what for the message, e.g. `a training step`
 * @throws whatever `work` throws; an ERR_OUT_OF_MEMORY names the sizes and what to try, its cause is the first error
 */
export async function withOutOfMemoryAdvice<T>(what: string, sizes: BatchSizes, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_OUT_OF_MEMORY') throw error;
    const kept = sizes.keeps === true ? '; images are kept on the GPU too, within maxDeviceCacheBytes' : '';
    const message =
      `out of memory in ${what} with ${inWords(sizes)}; ` +
      `try ${advice(sizes)}${kept} (${linesOf(error).join('; ')})`;
    throw new CovidCtError('ERR_OUT_OF_MEMORY', message, { cause: error });
  }
}

function inWords({ batchSize, accumulate }: BatchSizes): string {
  return accumulate === undefined
    ? `batchSize ${batchSize}`
    : `batchSize ${batchSize} and accumulate ${accumulate} (an effective batch of ${batchSize * accumulate})`;
}

function advice(sizes: BatchSizes): string {
  const smaller = smallerBatches(sizes);
  if (smaller === null) return "a smaller image size or architecture, or on a GPU precision 'bf16'";
  if (smaller.accumulate === undefined) return `batchSize ${smaller.batchSize}`;
  return `batchSize ${smaller.batchSize} and accumulate ${smaller.accumulate}, the same effective batch`;
}

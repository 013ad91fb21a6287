/** How often a process repeats what it measures; scripts/bench_pytorch.py follows the same rule. */
import type { Task } from './types';

/**
 * Once apart (memory is taken, weights are packed), then until there are enough repeats and they took long enough.
 *
 * @returns the result of every call, in order, and the best time in milliseconds
 */
export async function repeat<T>(
  { minRepeats, maxRepeats, minSeconds }: Pick<Task, 'minRepeats' | 'maxRepeats' | 'minSeconds'>,
  work: (call: number) => Promise<T>,
): Promise<{ results: T[]; milliseconds: number }> {
  const results = [await work(0)];
  let total = 0;
  let best = Infinity;
  for (let count = 0; count < minRepeats || (total < minSeconds * 1000 && count < maxRepeats); count += 1) {
    const began = performance.now();
    results.push(await work(count + 1));
    const took = performance.now() - began;
    total += took;
    best = Math.min(best, took);
  }
  return { results, milliseconds: best };
}

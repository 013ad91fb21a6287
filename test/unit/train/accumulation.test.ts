/** Accumulation windows: divisors and steps, tail included, and the tutorial's own way. */
import type { Batch } from '../../../src/data/types';
import { accumulate, updatesPerEpoch } from '../../../src/train/accumulation';
import type { AccumulationOptions } from '../../../src/train/accumulation';

function batch(labels: number[], position = 0): Batch {
  return {
    position,
    indices: labels.map((_, index) => index),
    labels: Int32Array.from(labels),
    input: {} as Batch['input'],
  };
}

async function* stream(
  sizes: readonly number[],
  seen: { given: number; closed: boolean } = { given: 0, closed: false },
  failAt = Infinity,
): AsyncGenerator<Batch> {
  try {
    for (const [index, size] of sizes.entries()) {
      if (index === failAt) throw new Error('no more');
      seen.given += 1;
      await Promise.resolve();
      yield batch(
        Array.from({ length: size }, (_, i) => i % 2),
        index,
      );
    }
  } finally {
    seen.closed = true;
  }
}

async function plan(sizes: readonly number[], options: Partial<AccumulationOptions>): Promise<[number, boolean][]> {
  const result: [number, boolean][] = [];
  for await (const { divisor, stepsOptimizer } of accumulate(stream(sizes), {
    accumulate: 8,
    preset: 'default',
    classWeights: new Float32Array(0),
    ...options,
  })) {
    result.push([divisor, stepsOptimizer]);
  }
  return result;
}

test('a window is divided by its samples, the tail by its own', async () => {
  expect(await plan([8, 8, 8, 8, 1], { accumulate: 2 })).toEqual([
    [16, false],
    [16, true],
    [16, false],
    [16, true],
    [1, true],
  ]);
  expect(await plan([8, 8, 3], { accumulate: 8 })).toEqual([
    [19, false],
    [19, false],
    [19, true],
  ]);
  expect(await plan([4, 2], { accumulate: 1 })).toEqual([
    [4, true],
    [2, true],
  ]);
  expect(await plan([], {})).toEqual([]);
  expect(updatesPerEpoch(54, 8)).toBe(7);
});

test('with class weights the divisor is the sum of the weights of the samples', async () => {
  const classWeights = Float32Array.of(0.5, 2);
  expect(await plan([2, 3], { accumulate: 2, classWeights })).toEqual([
    [5.5, false],
    [5.5, true],
  ]);
});

test('the tutorial: steps after micro-batches 1, 9, ..., each its own mean divided by 8, the rest left over', async () => {
  const steps = await plan([...new Array<number>(53).fill(8), 1], { preset: 'tutorial' });
  expect(steps.flatMap(([, updates], index) => (updates ? [index] : []))).toEqual([0, 8, 16, 24, 32, 40, 48]);
  expect(steps[0]).toEqual([64, true]);
  expect(steps[53]).toEqual([8, false]);
});

test('looks one window ahead and no further, and closes the source when the loop is left', async () => {
  const seen = { given: 0, closed: false };
  for await (const { step } of accumulate(stream(new Array<number>(40).fill(1), seen), {
    accumulate: 4,
    preset: 'default',
    classWeights: new Float32Array(0),
  })) {
    await new Promise(setImmediate);
    expect(seen.given).toBeLessThanOrEqual(Math.ceil(step / 4) * 4 + 4);
    if (step === 6) break;
  }
  expect(seen.closed).toBe(true);
  expect(seen.given).toBe(12);
});

test('a failure comes after the windows before it', async () => {
  const steps: number[] = [];
  const run = async (): Promise<void> => {
    for await (const { step } of accumulate(stream([1, 1, 1, 1, 1], undefined, 3), {
      accumulate: 2,
      preset: 'default',
      classWeights: new Float32Array(0),
    }))
      steps.push(step);
  };
  await expect(run()).rejects.toThrow('no more');
  expect(steps).toEqual([1, 2]);
});

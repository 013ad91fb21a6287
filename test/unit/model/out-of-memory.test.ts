/** What is advised when memory runs out. */
import { CovidCtError } from '../../../src/errors';
import { withOutOfMemoryAdvice, smallerBatches } from '../../../src/model/out-of-memory';

test.each([
  [
    { batchSize: 8, accumulate: 8 },
    { batchSize: 4, accumulate: 16 },
  ],
  [
    { batchSize: 2, accumulate: 1 },
    { batchSize: 1, accumulate: 2 },
  ],
  [
    { batchSize: 7, accumulate: 8 },
    { batchSize: 2, accumulate: 28 },
  ], // 56 is no multiple of 3
  [
    { batchSize: 7, accumulate: 1 },
    { batchSize: 1, accumulate: 7 },
  ],
  [{ batchSize: 2, accumulate: 4096 }, null], // one image 8192 times is beyond the option's range
  [{ batchSize: 1, accumulate: 64 }, null],
  [{ batchSize: 64 }, { batchSize: 32 }],
  [{ batchSize: 1 }, null],
])('%j: %j next', (sizes, next) => {
  expect(smallerBatches(sizes)).toEqual(next);
});

const full = new CovidCtError('ERR_OUT_OF_MEMORY', 'the device ran out of memory: tried to allocate 2 GiB');
const failing = (error: Error) => () => Promise.reject(error);

test("names the sizes, what to try and the device's own words; keeps the cause", async () => {
  const error = await withOutOfMemoryAdvice('a training step', { batchSize: 8, accumulate: 8 }, failing(full)).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CovidCtError);
  expect(error).toMatchObject({
    code: 'ERR_OUT_OF_MEMORY',
    cause: full,
    message:
      'out of memory in a training step with batchSize 8 and accumulate 8 (an ' +
      'effective batch of 64); try batchSize 4 and accumulate 16, the same ' +
      'effective batch (the device ran out of memory: tried to allocate 2 GiB)',
  });
});

test('where no smaller batch is left, something else; where nothing is gathered, no accumulation', async () => {
  await expect(withOutOfMemoryAdvice('a prediction', { batchSize: 1 }, failing(full))).rejects.toThrow(
    /with batchSize 1; try a smaller image size or architecture, or on a GPU precision 'bf16' \(/,
  );
  await expect(withOutOfMemoryAdvice('a prediction', { batchSize: 9 }, failing(full))).rejects.toThrow(
    /with batchSize 9; try batchSize 4 \(/,
  );
});

test('any other failure, and a result, go through as they are', async () => {
  const other = new CovidCtError('ERR_NATIVE', 'something else');
  await expect(withOutOfMemoryAdvice('a prediction', { batchSize: 8 }, failing(other))).rejects.toBe(other);
  expect(await withOutOfMemoryAdvice('a prediction', { batchSize: 8 }, () => Promise.resolve(3))).toBe(3);
});

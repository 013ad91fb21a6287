/**
 * The batch loader: what it yields, that nothing but the key decides it, and how it ends early. A rejection that nobody
 * handles fails the test it falls into, which is jest's own doing.
 */
import { batchCount, loadBatches } from '../../../src/data/loader';
import type { LoadBatchesOptions } from '../../../src/data/loader';
import { tutorialEval, tutorialTrain } from '../../../src/data/transforms/presets';
import { fromSamples } from '../../../src/data/samples';
import { PixelStore } from '../../../src/data/store';
import type { Batch, Dataset, SkippedFile } from '../../../src/data/types';
import { AbortedError, BadImageError, DatasetError, InvalidOptionError } from '../../../src/errors';
import { grayPng } from '../../helpers/images';

const EVAL = tutorialEval({ size: 8 });
const TRAIN = tutorialTrain({ size: 16 });

async function grays(n: number, bad: readonly number[] = []): Promise<Dataset> {
  const samples = await Promise.all(
    Array.from({ length: n }, async (_, index) => ({
      source: bad.includes(index) ? Buffer.from(`bad ${index}`) : await grayPng(index, 20, 30),
      label: index % 2,
    })),
  );
  return fromSamples({ name: 'grays', classes: ['even', 'odd'], samples });
}

async function collect(options: Omit<LoadBatchesOptions, 'store'> & { store?: PixelStore }): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of loadBatches({ store: new PixelStore(), ...options })) batches.push(batch);
  return batches;
}

/** What each image of each batch looks like on its way into the addon, by sample. */
function bySample(batches: readonly Batch[]): Map<number, string> {
  const seen = new Map<number, string>();
  for (const { indices, labels, input } of batches) {
    indices.forEach((index, position) => {
      const rows = input.programs.slice(input.programOffsets[position]! * 5, input.programOffsets[position + 1]! * 5);
      expect(seen.has(index)).toBe(false);
      seen.set(index, `${labels[position]} ${input.images[position]![3]} ${rows.join(',')}`);
    });
  }
  return seen;
}

test('batches in order, the last one short, labels and pixels in place', async () => {
  const dataset = await grays(7);
  const batches = await collect({ dataset, transform: EVAL, batchSize: 3 });
  expect(batches.map(({ indices }) => indices)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect(batches.flatMap(({ labels }) => [...labels])).toEqual([0, 1, 0, 1, 0, 1, 0]);
  expect(batches.flatMap(({ input }) => input.images.map((image) => image[3]))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(batches.every(({ labels, input }) => input.labels === labels)).toBe(true);
  expect([batchCount(7, 3), batchCount(6, 3), batchCount(0, 3), batchCount(1, 8)]).toEqual([3, 2, 0, 1]);
});

test('an empty data set yields nothing; a batch may be larger than the data set', async () => {
  expect(await collect({ dataset: await grays(0), transform: EVAL, batchSize: 3 })).toEqual([]);
  expect(
    (await collect({ dataset: await grays(1), transform: EVAL, batchSize: 8 })).map(({ indices }) => indices),
  ).toEqual([[0]]);
});

test('boxes and flips depend on seed, epoch and sample alone', async () => {
  const dataset = await grays(11);
  const base = { dataset, transform: TRAIN, seed: 4, epoch: 2, shuffle: true };
  const first = bySample(await collect({ ...base, batchSize: 4 }));
  expect(first.size).toBe(11);
  for (const other of [
    { batchSize: 1, prefetch: 0 },
    { batchSize: 11, prefetch: 9 },
    { batchSize: 4, shuffle: false },
    { batchSize: 4, store: new PixelStore({ maxCacheBytes: 0, concurrency: 7 }) },
  ]) {
    expect([...bySample(await collect({ ...base, ...other }))].sort()).toEqual([...first].sort());
  }
  for (const other of [{ epoch: 3 }, { seed: 5 }]) {
    expect([...bySample(await collect({ ...base, batchSize: 4, ...other }))].sort()).not.toEqual([...first].sort());
  }
});

test('startBatch continues an epoch exactly', async () => {
  const base = {
    dataset: await grays(10),
    transform: TRAIN,
    batchSize: 3,
    seed: 1,
    epoch: 5,
    shuffle: true,
    store: new PixelStore(),
  };
  const whole = await collect(base);
  expect(await collect({ ...base, startBatch: 2 })).toEqual(whole.slice(2));
  expect(await collect({ ...base, startBatch: 4 })).toEqual([]);
});

test('prefetch is bounded', async () => {
  const store = new PixelStore({ concurrency: 8 });
  for await (const batch of loadBatches({
    dataset: await grays(40),
    transform: EVAL,
    batchSize: 2,
    store,
    prefetch: 3,
  })) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(store.stats.decodes).toBeLessThanOrEqual(batch.indices.at(-1)! + 1 + 3 * 2);
  }
  expect(store.stats.decodes).toBe(40);
});

test('a bad file ends the walk, after the batches before it', async () => {
  const seen: number[] = [];
  const walk = (async () => {
    for await (const { indices } of loadBatches({
      dataset: await grays(12, [5, 7, 11]),
      transform: EVAL,
      batchSize: 2,
      store: new PixelStore(),
      prefetch: 4,
    }))
      seen.push(...indices);
  })();
  await expect(walk).rejects.toBeInstanceOf(BadImageError);
  expect(seen).toEqual([0, 1, 2, 3]);
});

test('skip leaves bad files out, tells them, and yields no empty batch', async () => {
  const told: SkippedFile[] = [];
  const store = new PixelStore({ onBadFile: 'skip' });
  const batches = await collect({
    dataset: await grays(8, [1, 2, 3]),
    transform: EVAL,
    batchSize: 2,
    store,
    onSkip: (file) => told.push(file),
  });
  expect(batches.map(({ indices, labels }) => [indices, [...labels]])).toEqual([
    [[0], [0]],
    [
      [4, 5],
      [0, 1],
    ],
    [
      [6, 7],
      [0, 1],
    ],
  ]);
  expect(told.map(({ index, id }) => [index, id])).toEqual([
    [1, 'sample-1'],
    [2, 'sample-2'],
    [3, 'sample-3'],
  ]);
  expect(await collect({ dataset: await grays(2, [0, 1]), transform: EVAL, batchSize: 2, store })).toEqual([]);
});

describe('ending early', () => {
  test('break stops the preparation', async () => {
    const store = new PixelStore({ concurrency: 1 });
    const dataset = await grays(60);
    for await (const batch of loadBatches({ dataset, transform: EVAL, batchSize: 2, store, prefetch: 2 }))
      if (batch.indices[0] === 4) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(store.stats.decodes).toBeLessThanOrEqual(12);
  });

  test('an abort in the middle is heard at once, and a fired signal before anything is read', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const walk = (async () => {
      for await (const { indices } of loadBatches({
        dataset: await grays(40),
        transform: EVAL,
        batchSize: 2,
        store: new PixelStore(),
        signal: controller.signal,
      })) {
        seen.push(...indices);
        if (seen.length === 6) controller.abort();
      }
    })();
    await expect(walk).rejects.toBeInstanceOf(AbortedError);
    await new Promise((resolve) => setTimeout(resolve, 20)); // late failures would show here
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    const store = new PixelStore();
    await expect(
      collect({ dataset: await grays(2), transform: EVAL, batchSize: 2, store, signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(AbortedError);
    expect(store.stats.decodes).toBe(0);
  });

  test('an abort while a batch is awaited does not wait for the decode', async () => {
    const store = new PixelStore();
    jest
      .spyOn(store, 'load')
      .mockImplementation(
        (_sample, _index, options) =>
          new Promise((_, reject) => options?.signal?.addEventListener('abort', () => reject(new AbortedError()))),
      );
    const controller = new AbortController();
    const next = loadBatches({
      dataset: await grays(4),
      transform: EVAL,
      batchSize: 2,
      store,
      signal: controller.signal,
    }).next();
    setTimeout(() => controller.abort(), 10);
    await expect(next).rejects.toBeInstanceOf(AbortedError);
  });

  test('one signal for many walks gathers no listeners and no warning', async () => {
    const { signal } = new AbortController();
    const add = jest.spyOn(signal, 'addEventListener');
    const remove = jest.spyOn(signal, 'removeEventListener');
    const dataset = await grays(30);
    const store = new PixelStore();
    const load = jest.spyOn(store, 'load');
    for (let epoch = 0; epoch < 20; epoch += 1)
      await collect({ dataset, transform: EVAL, batchSize: 16, signal, epoch, store });
    expect(add.mock.calls.length).toBeGreaterThan(0);
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
    const [, , inner] = load.mock.calls[0]!;
    const limit = Object.getOwnPropertySymbols(inner!.signal!).find(
      ({ description }) => description === 'events.maxEventTargetListeners',
    );
    expect(Reflect.get(inner!.signal!, limit!)).toBe(0); // Node warns of more than 10 otherwise
  });
});

test('options and labels are checked at the call', async () => {
  const dataset = await grays(2);
  const store = new PixelStore();
  expect(() => loadBatches({ dataset, transform: EVAL, batchSize: 0, store })).toThrow(InvalidOptionError);
  expect(() =>
    loadBatches({ dataset, transform: EVAL, batchsize: 2, batchSize: 2, store } as LoadBatchesOptions),
  ).toThrow(/batchsize/);
  expect(() => loadBatches({ dataset: undefined as unknown as Dataset, transform: EVAL, batchSize: 2, store })).toThrow(
    /dataset/,
  );
  const wrong: Dataset = { ...dataset, samples: [{ ...dataset.samples[0]!, label: 2 }] };
  expect(() => loadBatches({ dataset: wrong, transform: EVAL, batchSize: 2, store })).toThrow(DatasetError);
});

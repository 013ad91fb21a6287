/** The pixel store: one decode for each image, the budget, shared and abandoned requests, bad files. */
import { rmSync } from 'node:fs';
import { fromSamples } from '../../../src/data/samples';
import { loadBatches } from '../../../src/data/loader';
import { PixelStore } from '../../../src/data/store';
import type { PreResize } from '../../../src/data/store';
import { centerCrop } from '../../../src/data/transforms/steps/center-crop';
import { compose } from '../../../src/data/transforms/transform';
import { resize } from '../../../src/data/transforms/steps/resize';
import { toTensor } from '../../../src/data/transforms/steps/to-tensor';
import type { Dataset, ResizePixels, SkippedFile, Transform } from '../../../src/data/types';
import { BadImageError, InvalidOptionError } from '../../../src/errors';
import { grayPng } from '../../helpers/images';
import { newFolder, removeFolders, writeAt } from './helpers';

afterEach(removeFolders);
const IMAGE_BYTES = 6 * 8 * 3;

async function dataset(n: number, root = newFolder()): Promise<Dataset> {
  const samples = await Promise.all(
    Array.from({ length: n }, async (_, index) => ({
      source: writeAt(root, `${index}.png`, await grayPng(index)),
      label: 0,
    })),
  );
  return fromSamples({ name: 'grays', classes: ['a'], samples });
}

test('a second visit decodes nothing, even when the files are gone', async () => {
  const root = newFolder();
  const { samples } = await dataset(3, root);
  const store = new PixelStore();
  for (const sample of samples) await store.get(sample);
  rmSync(root, { recursive: true });
  const again = await Promise.all(samples.map((sample) => store.get(sample)));
  expect(again.map(({ data }) => data[3])).toEqual([0, 1, 2]);
  expect(store.stats).toEqual({ hits: 3, decodes: 3, bytes: 3 * IMAGE_BYTES });
});

test('the budget holds: what fits stays, the rest is decoded again', async () => {
  const { samples } = await dataset(4);
  const store = new PixelStore({ maxCacheBytes: 2 * IMAGE_BYTES + 10 });
  for (let epoch = 0; epoch < 3; epoch += 1) for (const sample of samples) await store.get(sample);
  expect(store.stats).toEqual({ hits: 4, decodes: 8, bytes: 2 * IMAGE_BYTES });
  const none = new PixelStore({ maxCacheBytes: 0 });
  for (let epoch = 0; epoch < 2; epoch += 1)
    for (const sample of samples) expect((await none.get(sample)).width).toBe(8);
  expect(none.stats).toEqual({ hits: 0, decodes: 8, bytes: 0 });
});

test('a key names the pixels of one image in one size, kept or decoded again', async () => {
  const { samples } = await dataset(3);
  const ahead: PreResize = {
    size: [2, 2],
    resize: (_pixels, size) => Promise.resolve({ ...size, data: new Uint8Array(12) }),
  };
  const keys: number[] = [];
  for (const store of [new PixelStore(), new PixelStore({ maxCacheBytes: 0 })]) {
    for (const options of [{}, { ahead }]) {
      const visit = async (): Promise<number[]> =>
        Promise.all(samples.map(async (sample) => (await store.get(sample, options)).key!));
      const first = await visit();
      expect(await visit()).toEqual(first);
      keys.push(...first);
    }
  }
  expect(keys.every((key) => Number.isInteger(key) && key > 0)).toBe(true);
  expect(new Set(keys).size).toBe(12);
});

test('readers at the same time share one decode', async () => {
  const { samples } = await dataset(2);
  const store = new PixelStore({ maxCacheBytes: 0, concurrency: 1 });
  const all = await Promise.all(Array.from({ length: 20 }, (_, index) => store.get(samples[index % 2]!)));
  expect(new Set(all).size).toBe(2);
  expect(store.stats).toMatchObject({ decodes: 2, hits: 18 });
});

test('one who gives up does not take the pixels from the others', async () => {
  const { samples } = await dataset(1);
  const store = new PixelStore();
  const controller = new AbortController();
  const leaving = store.get(samples[0]!, { signal: controller.signal });
  const staying = store.get(samples[0]!);
  controller.abort();
  await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
  expect((await staying).height).toBe(6);
  expect(store.stats.decodes).toBe(1);
});

test('a decode that all have given up before its turn is not begun, and can be asked for again', async () => {
  const { samples } = await dataset(3);
  const store = new PixelStore({ concurrency: 1 });
  const controller = new AbortController();
  const first = store.get(samples[0]!);
  const gone = [
    store.get(samples[1]!, { signal: controller.signal }),
    store.get(samples[2]!, { signal: controller.signal }),
  ];
  controller.abort();
  const back = store.get(samples[2]!);
  expect((await Promise.allSettled(gone)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect([(await first).data[3], (await back).data[3]]).toEqual([0, 2]);
  expect(store.stats.decodes).toBe(2);
  expect((await store.get(samples[1]!)).data[3]).toBe(1);
  expect(store.stats.decodes).toBe(3);
});

test('Buffers are keys of their own', async () => {
  const [first, second] = [await grayPng(1), await grayPng(2)];
  const { samples } = fromSamples({
    classes: ['a'],
    samples: [
      { source: first, label: 0 },
      { source: second, label: 0 },
      { source: first, label: 0 },
    ],
  });
  const store = new PixelStore();
  expect((await Promise.all(samples.map((sample) => store.get(sample)))).map(({ data }) => data[3])).toEqual([1, 2, 1]);
  expect(store.stats.decodes).toBe(2);
});

describe('bad files', () => {
  async function withBadFile(): Promise<Dataset> {
    const root = newFolder();
    return fromSamples({
      name: 'mixed',
      classes: ['a'],
      samples: [
        { source: writeAt(root, 'good.png', await grayPng(1)), label: 0 },
        { source: writeAt(root, 'bad.png', 'rubbish'), label: 0 },
      ],
    });
  }

  test('are an error that names the line, again and again', async () => {
    const { samples } = await withBadFile();
    const store = new PixelStore();
    for (let i = 0; i < 2; i += 1) {
      const error: unknown = await store.load(samples[1]!, 1).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(BadImageError);
      expect((error as Error).message).toContain('(listed in mixed[1])');
    }
    expect(store.stats.decodes).toBe(2);
    expect(store.skipped).toEqual([]);
  });

  test('are skipped, told once, counted, and not tried again', async () => {
    const { samples } = await withBadFile();
    const store = new PixelStore({ onBadFile: 'skip' });
    const told: SkippedFile[] = [];
    for (let epoch = 0; epoch < 3; epoch += 1) {
      expect(await store.load(samples[0]!, 0)).not.toBeNull();
      expect(await store.load(samples[1]!, 1, { onSkip: (file) => told.push(file) })).toBeNull();
    }
    expect(told).toEqual([{ index: 1, id: samples[1]!.id, reason: expect.stringContaining('it is text') }]);
    expect(store.skipped).toEqual(told);
    expect(store.stats.decodes).toBe(2);
    await expect(store.get(samples[1]!)).rejects.toBeInstanceOf(BadImageError);
    await expect(store.load(samples[1]!, 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

test('clear forgets, also what is still being decoded', async () => {
  const { samples } = await dataset(2);
  const store = new PixelStore();
  await store.get(samples[0]!);
  const underWay = store.get(samples[1]!);
  store.clear();
  expect((await underWay).width).toBe(8);
  expect(store.stats.bytes).toBe(0);
  await store.get(samples[0]!);
  expect(store.stats).toMatchObject({ decodes: 3, bytes: IMAGE_BYTES });
});

test('options are checked', () => {
  expect(() => new PixelStore({ maxCacheBytes: -1 })).toThrow(InvalidOptionError);
  expect(() => new PixelStore({ onBadFile: 'ignore' as 'skip' })).toThrow(/onBadFile/);
});

describe('resized ahead', () => {
  function halves(): { readonly calls: number; readonly ahead: PreResize } {
    const made = { calls: 0 };
    const resize: ResizePixels = ({ data }, { height, width }) => {
      made.calls += 1;
      return Promise.resolve({ data: new Uint8Array(height * width * 3).fill(data[3]!), height, width });
    };
    return {
      get calls() {
        return made.calls;
      },
      ahead: { size: 3, resize },
    };
  }

  test('each image once, kept apart from those as decoded, within the one budget', async () => {
    const { samples } = await dataset(3);
    const small = 3 * 4 * 3; // 6 x 8 with a shorter side of 3
    const half = halves();
    const store = new PixelStore({ maxCacheBytes: 2 * small + IMAGE_BYTES });
    for (let epoch = 0; epoch < 2; epoch += 1)
      for (const sample of samples.slice(0, 2))
        expect(await store.get(sample, { ahead: half.ahead })).toMatchObject({ height: 3, width: 4 });
    expect([half.calls, store.stats.decodes, store.stats.bytes]).toEqual([2, 2, 2 * small]);
    expect((await store.get(samples[2]!)).height).toBe(6);
    expect(store.stats).toMatchObject({ decodes: 3, bytes: 2 * small + IMAGE_BYTES });
    // Resized from what is kept, though there is no room to keep the result; so it is done again.
    rmSync(samples[2]!.source as string);
    for (let epoch = 0; epoch < 2; epoch += 1)
      expect((await store.get(samples[2]!, { ahead: half.ahead })).data[0]).toBe(2);
    expect(half.calls).toBe(4);
    store.clear();
    expect(store.stats.bytes).toBe(0);
  });

  test("nothing is done to an image of that size; a failure is the caller's", async () => {
    const { samples } = await dataset(1);
    const resize = jest.fn().mockRejectedValue(new Error('gone'));
    const store = new PixelStore({ onBadFile: 'skip' });
    expect((await store.get(samples[0]!, { ahead: { size: 6, resize } })).width).toBe(8);
    expect((await store.get(samples[0]!, { ahead: { size: [6, 8], resize } })).width).toBe(8);
    expect(resize).not.toHaveBeenCalled();
    await expect(store.load(samples[0]!, 0, { ahead: { size: 4, resize } })).rejects.toThrow('gone');
  });

  test('the loader asks for the resize a transform begins with, and for none otherwise', async () => {
    const data = await dataset(2);
    const half = halves();
    const store = new PixelStore();
    const walk = async (transform: Transform) => {
      const images = [];
      for await (const { input } of loadBatches({
        dataset: data,
        transform,
        batchSize: 2,
        store,
        resize: half.ahead.resize,
      }))
        images.push([...input.sizes]);
      return images;
    };
    expect(await walk(compose([resize(3), centerCrop(2), toTensor()]))).toEqual([[3, 4, 3, 4]]);
    expect(await walk(compose([centerCrop(2), resize([2, 2]), toTensor()]))).toEqual([[6, 8, 6, 8]]);
    expect(half.calls).toBe(2);
  });
});

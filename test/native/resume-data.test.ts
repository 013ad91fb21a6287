/** Resumed trainings on every kind of data, and with what is kept of it: pixels, features, lists of damaged files. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { shuffle } from '../../src/data/random';
import { PackedDataset } from '../../src/data/packed/packed';
import type { Dataset } from '../../src/data/types';
import { preparePacked } from '../../src/model/prepare-packed';
import { rawPng } from '../helpers/image-files';
import { BASE, inPieces, makeFolderForRuns, stopped, toTheEnd, whole } from '../helpers/resume';
import type { Ending, Recipe, Splits, Stop } from '../helpers/resume';
import { makeDataset } from '../unit/train/made-up';

let dir: string;
let splits: Splits;

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const STOPS: readonly Stop[] = [
  { leaveAfter: 2 },
  { abortIn: 'validation', nth: 3 },
  { abortIn: 'train', nth: 7 },
  { abortAfter: 4 },
];

/** Before which step a damaged file of a later one is told depends on how far the prefetching has got: steps last. */
function stepsLast({ lines, ...rest }: Ending) {
  const isStep = ({ type }: Record<string, unknown>): boolean => type === 'step';
  return { ...rest, lines: [...lines.filter((line) => !isStep(line)), ...lines.filter(isStep)] };
}

/** Trains in one piece and in several; both must be the same. */
async function compared(name: string, recipe: Recipe, data: Splits, stops = STOPS) {
  const expected = await whole(join(dir, name), recipe, data);
  const { ending, parts } = await inPieces(join(dir, `${name}-pieces`), recipe, data, stops);
  expect(stepsLast(ending)).toEqual(stepsLast(expected));
  expect(parts).toBeGreaterThan(4);
  return expected;
}

/** The data set with damaged files at some places. */
function damaged({ samples, ...rest }: Dataset, places: readonly number[]): Dataset {
  const source = Buffer.from('not an image');
  return { ...rest, samples: samples.map((sample, i) => (places.includes(i) ? { ...sample, source } : sample)) };
}

test('files that cannot be decoded, two whole micro-batches of them, are told once', async () => {
  const recipe: Recipe = { ...BASE, batchSize: 2, accumulate: 3, onBadFile: 'skip' };
  const { train, validation } = splits;
  const order = shuffle(train.samples.length, BASE.seed!, 1);
  // A whole micro-batch within a window, the last one of the epoch, and one more.
  const bad = [...order.slice(6, 8), ...order.slice(20), order[1]!];
  const data = { train: damaged(train, bad), validation: damaged(validation!, [0, 5]) };
  const { history, returned } = await compared('skipped', recipe, data);
  const told = history.flatMap(({ type, split, id }) => (type === 'skipped' ? [`${String(split)} ${String(id)}`] : []));
  expect(told).toHaveLength(7);
  expect(new Set(told).size).toBe(7);
  expect(returned.skipped).toHaveLength(7);
});

test('features of a frozen backbone, in the midst of whose computing it is stopped too', async () => {
  const recipe: Recipe = { ...BASE, freeze: 'backbone', cacheFeatures: true, learningRate: 0.1 };
  const { history } = await compared('features', recipe, splits, [
    { abortIn: 'train', nth: 9 },
    { abortIn: 'validation', nth: 4 },
    ...STOPS,
  ]);
  expect(history.map(({ type }) => type)).toContain('features');
});

test('features of several augmentations, averaged weights, and a backbone that is unfrozen', async () => {
  const recipe: Recipe = {
    ...BASE,
    epochs: 4,
    freeze: { parameters: ['backbone'], unfreeze: [{ epoch: 4, parameters: 'all' }] },
    cacheFeatures: { augmentations: 2 },
    ema: { decay: 0.7 },
    optimizer: 'adam',
  };
  await compared('augmentations', recipe, splits);
});

test('prefetching and caches may change between the parts', async () => {
  const expected = await whole(join(dir, 'cached'), BASE, splits);
  const { ending, parts } = await inPieces(join(dir, 'cached-pieces'), BASE, splits, STOPS, (part) => ({
    prefetch: [0, 1, 4][part % 3]!,
    maxCacheBytes: part % 2 === 0 ? 0 : 5000,
    checkpointEvery: [{ steps: 1 } as const, { minutes: 1e-9 } as const, 'epoch' as const][part % 3]!,
    keepCheckpoints: 1 + (part % 2),
  }));
  expect(ending).toEqual(expected);
  expect(parts).toBeGreaterThan(4);
});

test('a packed data set, resized, whose images are then cropped', async () => {
  const file = join(dir, 'data.pack');
  await preparePacked({ name: 'made up', classes: splits.train.classes, ...splits, test: null }, file, { resize: 37 });
  const { train, validation } = await PackedDataset.open(file);
  const { history } = await compared('packed', BASE, { train, validation });
  // The resize that was done before is noted once, however often it is resumed.
  expect(JSON.stringify(history[0]).match(/"size":37/g)).toHaveLength(2);
});

test('16-bit images, gray, of three classes, with dropout', async () => {
  const [width, height] = [20, 20];
  const dataOf = (name: string, count: number, seed: number): Dataset => ({
    name,
    classes: ['a', 'b', 'c'],
    samples: Array.from({ length: count }, (_, i) => {
      const samples = Array.from({ length: width * height }, (__, k) => (k * (7 + i + seed) + i * 131) % 4096);
      return { id: `${i}`, label: i % 3, source: rawPng({ width, height, bits: 16, samples }) };
    }),
  });
  const recipe: Recipe = { ...BASE, sixteenBit: { low: 0, high: 4095 } };
  const network = { channels: 1, dropout: 0.4 } as const;
  await compared('sixteen', recipe, { train: dataOf('train', 20, 0), validation: dataOf('validation', 7, 5), network });
});

test('a run folder that was moved goes on where it is', async () => {
  const expected = await whole(join(dir, 'stayed'), BASE, splits);
  expect(await stopped(join(dir, 'moving'), BASE, splits, { leaveAfter: 8 })).toBeNull();
  await rename(join(dir, 'moving'), join(dir, 'moved'));
  expect(await toTheEnd(join(dir, 'moved'), splits)).toEqual(expected);
});

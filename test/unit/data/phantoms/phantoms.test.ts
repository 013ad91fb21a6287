/** Made-up slices: readable, seeded, different by class in the right place, never mixed up with other files. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CovidCtDataset } from '../../../../src/data/covid-ct';
import { decodeImage } from '../../../../src/data/images/decode';
import { montage, sampleMontage } from '../../../../src/data/montage';
import { makePhantoms, phantomPixels } from '../../../../src/data/phantoms/phantoms';
import { fromSamples } from '../../../../src/data/samples';
import type { Pixels } from '../../../../src/data/types';
import { DatasetError, InvalidOptionError } from '../../../../src/errors';
import { grayPixels, grayPng } from '../../../helpers/images';
import { newFolder, removeFolders, writeAt } from '../helpers';

afterEach(removeFolders);

function mean({ data }: Pixels): number {
  let sum = 0;
  for (const value of data) sum += value;
  return sum / data.length;
}

describe('phantomPixels', () => {
  test('the same key draws the same slice, another one another', () => {
    const slice = phantomPixels({ positive: true, seed: 1, index: 2, size: 64 });
    const same = (other: object): boolean =>
      Buffer.compare(slice.data, phantomPixels({ positive: true, seed: 1, index: 2, size: 64, ...other }).data) === 0;
    expect([same({}), same({ seed: 2 }), same({ index: 3 }), same({ positive: false })]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(slice.data).toHaveLength(slice.width * slice.height * 3);
    expect(slice.width).toBeGreaterThan(slice.height);
  });

  test('is gray, dark outside and in the lungs, bright in the body; sizes and brightness differ', () => {
    const slices = Array.from({ length: 12 }, (_, index) =>
      phantomPixels({ positive: index % 2 === 0, index, size: 64 }),
    );
    for (const { data, width, height } of slices) {
      const at = (u: number, v: number): number => data[(Math.round(v * height) * width + Math.round(u * width)) * 3]!;
      const corner = (at(0.01, 0.01) + at(0.98, 0.01)) / 2;
      expect(corner).toBeLessThan(100);
      expect(at(0.52, 0.4)).toBeGreaterThan(corner + 80);
      const gray = Buffer.from(data.filter((_, index) => index % 3 === 0));
      expect([1, 2].every((channel) => gray.equals(data.filter((_, index) => index % 3 === channel)))).toBe(true);
    }
    expect(new Set(slices.map(({ width }) => width)).size).toBeGreaterThan(4);
    expect(Math.max(...slices.map(mean)) - Math.min(...slices.map(mean))).toBeGreaterThan(15);
  });

  test('the mean gray level alone does not give the class away', () => {
    const level = (positive: boolean): number[] =>
      Array.from({ length: 30 }, (_, index) =>
        mean(phantomPixels({ positive, index: 2 * index + (positive ? 1 : 0), size: 48 })),
      );
    const [sick, well] = [level(true), level(false)];
    const wins = sick.flatMap((a) => well.map((b) => (a > b ? 1 : 0)));
    const auc = wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
    expect(auc).toBeGreaterThan(0.25);
    expect(auc).toBeLessThan(0.8);
  });

  test('the sign is patches that brighten part of the lungs', () => {
    // The patches are drawn after the anatomy, so up to there both slices of a key are one; only gain and noise differ.
    for (let index = 0; index < 6; index += 1) {
      const [sick, well] = [true, false].map((positive) => phantomPixels({ positive, index, size: 64 }));
      const offsets = Array.from(
        { length: sick!.width * sick!.height },
        (_, pixel) => sick!.data[pixel * 3]! - well!.data[pixel * 3]!,
      ).sort((x, y) => x - y);
      const [median, top] = [offsets[Math.floor(offsets.length / 2)]!, offsets[Math.floor(offsets.length * 0.985)]!];
      expect(top - median).toBeGreaterThan(25);
    }
  });
});

describe('makePhantoms', () => {
  test('writes a data set that the COVID-CT reader opens, named as made up', async () => {
    const dir = path.join(newFolder(), 'phantoms');
    expect(await makePhantoms(dir, { count: 20, size: 40 })).toEqual({
      dir,
      counts: { train: 12, validation: 4, test: 4 },
      written: true,
    });
    const dataset = await CovidCtDataset.open(dir);
    expect(dataset.counts()).toEqual({
      train: { NonCOVID: 6, COVID: 6 },
      validation: { NonCOVID: 2, COVID: 2 },
      test: { NonCOVID: 2, COVID: 2 },
    });
    expect(dataset.train.samples.every(({ id }) => path.basename(id).startsWith('phantom-'))).toBe(true);
    expect(dataset.unlisted).toEqual([]);
    expect(readFileSync(path.join(dir, 'README.txt'), 'utf8')).toContain('made up');
    const stored = await decodeImage(dataset.train.samples[0]!.source);
    expect([...stored.data]).toEqual([...phantomPixels({ positive: false, index: 0, size: 40 }).data]);
  });

  test('leaves the same phantoms alone and replaces others', async () => {
    const dir = newFolder();
    await makePhantoms(dir, { count: 12, size: 32 });
    const list = path.join(dir, 'phantoms.json');
    const before = statSync(list).mtimeMs;
    expect(await makePhantoms(dir, { count: 12, size: 32 })).toMatchObject({ written: false });
    expect(statSync(list).mtimeMs).toBe(before);
    expect(await makePhantoms(dir, { count: 14, size: 32 })).toMatchObject({ written: true });
    expect((await CovidCtDataset.open(dir)).train.samples).toHaveLength(10);
  });

  test('never writes over other files, and an abort leaves nothing', async () => {
    const root = newFolder();
    writeAt(root, 'real/mine.png', await grayPng(1));
    await expect(makePhantoms(path.join(root, 'real'), { count: 12, size: 32 })).rejects.toThrow(DatasetError);
    expect(readdirSync(path.join(root, 'real'))).toEqual(['mine.png']);
    await expect(makePhantoms(path.join(root, 'real', 'mine.png'), { count: 12 })).rejects.toThrow(/cannot be written/);
    const controller = new AbortController();
    const work = makePhantoms(path.join(root, 'new'), { count: 400, size: 32, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(root)).toEqual(['real']);
    expect(existsSync(path.join(root, 'new'))).toBe(false);
    await expect(makePhantoms(root, { count: 2 })).rejects.toThrow(InvalidOptionError);
  });
});

describe('montages', () => {
  test('rows and columns, a white gap, each image in its tile', async () => {
    const { data, width, height } = await montage([grayPixels(50, 8, 8), grayPixels(60, 8, 8), grayPixels(70, 8, 8)], {
      columns: 2,
      tile: 16,
    });
    expect([width, height]).toEqual([2 * 20 + 4, 2 * 20 + 4]);
    const at = (row: number, column: number): number => data[(row * width + column) * 3]!;
    expect([at(12, 14), at(12, 34), at(32, 14), at(32, 34), at(1, 1)]).toEqual([50, 60, 70, 255, 255]);
    expect((await montage([grayPixels(50)], { columns: 5, tile: 16 })).width).toBe(24);
    await expect(montage([])).rejects.toThrow(DatasetError);
  });

  test('sampleMontage draws from the class that is asked for, seeded, without repetition', async () => {
    const samples = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => ({
        source: await grayPng(index < 6 ? 20 + index : 200 + index, 16, 16),
        label: index < 6 ? 0 : 1,
      })),
    );
    const dataset = fromSamples({ classes: ['dark', 'light'], samples });
    const levels = ({ data, width }: Pixels): number[] =>
      [0, 1, 2, 3, 4].map((tile) => data[(12 * width + 4 + tile * 20 + 8) * 3]!);
    const dark = await sampleMontage(dataset, { class: 'dark', tile: 16 });
    expect(levels(dark).every((level) => level >= 20 && level < 26)).toBe(true);
    expect(new Set(levels(dark)).size).toBe(5);
    expect(levels(await sampleMontage(dataset, { label: 1, tile: 16 })).every((level) => level >= 206)).toBe(true);
    expect(await sampleMontage(dataset, { class: 'dark', tile: 16 })).toEqual(dark);
    expect((await sampleMontage(dataset, { count: 50, columns: 4, tile: 16 })).height).toBe(3 * 20 + 4);
    for (const options of [{ class: 'gray' }, { label: 2 }, { class: 'dark', label: 1 }])
      await expect(sampleMontage(dataset, options)).rejects.toThrow(InvalidOptionError);
    await expect(sampleMontage(fromSamples({ classes: ['a'], samples: [] }))).rejects.toThrow(/has no image/);
  });
});

test('a set of made-up slices says so in its name, wherever it is opened', async () => {
  const dir = path.join(newFolder(), 'set');
  await makePhantoms(dir, { count: 12, size: 32 });
  const data = await CovidCtDataset.open(dir);
  expect([data.name, data.train.name, data.test.name]).toEqual([
    'made-up slices',
    'made-up slices train',
    'made-up slices test',
  ]);
});

test('a folder of phantoms with anything else in it is left alone', async () => {
  const dir = path.join(newFolder(), 'set');
  await makePhantoms(dir, { count: 12, size: 32 });
  writeAt(dir, 'run/mine.txt', 'mine');
  await expect(makePhantoms(dir, { count: 14, size: 32 })).rejects.toBeInstanceOf(DatasetError);
  expect(readFileSync(path.join(dir, 'run', 'mine.txt'), 'utf8')).toBe('mine');
});

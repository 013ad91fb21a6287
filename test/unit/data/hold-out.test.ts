/** Holding images out of the training split: by class, by whole groups, by seed, and never by surprise. */
import { describeDataset } from '../../../src/data/describe';
import { openFolder } from '../../../src/data/folder';
import { holdOut } from '../../../src/data/hold-out';
import { openDataset } from '../../../src/data/open';
import { PackedDataset } from '../../../src/data/packed/packed';
import { makeDraw } from '../../../src/data/random';
import { fromSamples, splitDataset } from '../../../src/data/samples';
import { countClasses } from '../../../src/data/splits';
import type { Dataset, DatasetSplits } from '../../../src/data/types';
import { preparePacked } from '../../../src/model/prepare-packed';
import { grayPng } from '../../helpers/images';
import { newFolder, removeFolders, writeAt } from './helpers';

afterEach(removeFolders);

function splits(train: Dataset, more: Partial<DatasetSplits> = {}): DatasetSplits {
  return { name: 'made up', classes: train.classes, train, validation: null, test: null, ...more };
}

const hundred = fromSamples({
  classes: ['a', 'b'],
  samples: Array.from({ length: 100 }, (_, index) => ({ source: `${index}`, label: index < 30 ? 0 : 1 })),
});

test('stratified, seeded, said', () => {
  const data = holdOut(splits(hundred), { validation: 0.2, test: 0.1 });
  expect([data.train, data.validation!, data.test!].map(countClasses)).toEqual([
    { a: 21, b: 49 },
    { a: 6, b: 14 },
    { a: 3, b: 7 },
  ]);
  expect(describeDataset(data)).toContain(
    'held out of the training images: 0.2 for validation, 0.1 for test, by ' +
      'class, each image by itself, for no groups (patients) are known, seed 0',
  );
  const ids = (seed: number): string =>
    holdOut(splits(hundred), { validation: 0.2, seed })
      .validation!.samples.map(({ id }) => id)
      .join();
  expect(ids(0)).toBe(ids(0));
  expect(ids(0)).not.toBe(ids(1));
  expect(data.validation!.name).toBe('made up validation');
});

test('as many images as no call takes arguments: by class, and in one group', () => {
  const many: Dataset = {
    name: 'many',
    classes: ['a', 'b'],
    samples: Array.from({ length: 300_000 }, (_, index) => ({ id: `${index}`, source: `${index}`, label: 0 })),
  };
  const fractions = { train: 0.5, validation: 0.5 };
  expect(splitDataset(many, { fractions }).train.samples).toHaveLength(150_000);
  const grouped = splitDataset(
    { ...many, samples: many.samples.map((sample) => ({ ...sample, group: 'one' })) },
    { fractions },
  );
  expect([grouped.train.samples.length, grouped.validation!.samples.length].sort()).toEqual([0, 300_000]);
});

test('groups stay whole, parts are disjoint and complete, shares are near: random groups of random sizes', () => {
  const draw = makeDraw({ seed: 5 });
  for (let round = 0; round < 40; round += 1) {
    const n = 60 + Math.floor(draw() * 200);
    const groups = 20 + Math.floor(draw() * 20);
    const classOf = Array.from({ length: groups }, () => (draw() < 0.4 ? 0 : 1));
    const samples = Array.from({ length: n }, (_, index) => {
      const group = Math.floor(draw() * groups);
      return { source: `${index}`, label: classOf[group]!, group: `p${group}` };
    });
    const data = splitDataset(fromSamples({ classes: ['a', 'b'], samples }), {
      fractions: { train: 0.6, validation: 0.2, test: 0.2 },
      seed: round,
    });
    const parts = [data.train, data.validation!, data.test!].map((part) => part.samples);
    expect(
      parts
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(samples.map(({ source }) => source).sort());
    const [one, two, three] = parts.map((part) => new Set(part.map(({ group }) => group)));
    for (const group of one!) expect(two!.has(group) || three!.has(group)).toBe(false);
    for (const group of two!) expect(three!.has(group)).toBe(false);
    expect(Math.abs(parts[0]!.length / n - 0.6)).toBeLessThan(0.15);
  }
});

test('refused: a split that is there already, too few images or groups, shares that leave nothing', () => {
  expect(() => holdOut(splits(hundred, { validation: hundred }), { validation: 0.2 })).toThrow(
    /it has a validation split already, with 100 images; leave validationSplit \(--val-split\) out/,
  );
  expect(() => holdOut(splits(hundred, { test: hundred }), { test: 0.2 })).toThrow(/has a test split already/);
  const two = fromSamples({
    classes: ['a', 'b'],
    samples: [
      { source: '1', label: 0 },
      { source: '2', label: 1 },
    ],
  });
  expect(() => holdOut(splits(two), { validation: 0.2 })).toThrow(/too few images for a validation split: there are 2/);
  const oneGroup = fromSamples({
    classes: ['a', 'b'],
    samples: Array.from({ length: 9 }, (_, index) => ({ source: `${index}`, label: index % 2, group: 'p' })),
  });
  expect(() => holdOut(splits(oneGroup), { validation: 0.2 })).toThrow(/there are 9 in 1 groups/);
  for (const options of [
    { validation: 1 },
    { validation: 0.5, test: 0.5 },
    { validation: -0.1 },
    { validation: Number.NaN },
  ])
    expect(() => holdOut(splits(hundred), options)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});

test('of a folder with a pattern for the groups, and on to a packed file', async () => {
  const root = newFolder();
  for (const name of ['ill', 'well'])
    for (let patient = 0; patient < 6; patient += 1)
      for (let slice = 0; slice < 3; slice += 1)
        writeAt(root, `${name}/${name}${patient}-${slice}.png`, await grayPng(patient));
  writeAt(root, 'well/notes.txt', 'x');
  const data = await openDataset(root, { validationSplit: 0.34, groupPattern: /(?<group>[a-z]+\d)-\d/ });
  expect([countClasses(data.train), countClasses(data.validation!)]).toEqual([
    { ill: 12, well: 12 },
    { ill: 6, well: 6 },
  ]);
  expect(data.notes).toEqual(['held out of the training images: 0.34 for validation, by class, whole groups, seed 0']);
  expect(data.leftOut).toEqual([{ reason: 'notAnImage', count: 1, examples: ['well/notes.txt'] }]);
  await expect(openFolder(root, { groupPattern: /(q)/ })).rejects.toThrow(
    /the pattern of the groups \/\(q\)\/ does not match ill\/ill0-0.png/,
  );
  await expect(openFolder(root, { groupPattern: /ill|well/ })).rejects.toThrow(/finds no group in .*parentheses/);
  const file = `${root}/all.pack`;
  await preparePacked(data, file);
  const packed = await PackedDataset.open(file);
  expect([packed.leftOut, packed.notes, packed.train.samples[0]!.group, packed.validation!.samples.length]).toEqual([
    data.leftOut,
    data.notes,
    data.train.samples[0]!.group,
    12,
  ]);
  await packed.close();
});

test('groups of one class each, as patients are: no part stays empty that could have some, and training keeps every class', () => {
  const patients = (count: number): Dataset =>
    fromSamples({
      classes: ['a', 'b'],
      samples: Array.from({ length: count * 4 }, (_, index) => ({
        source: `${index}`,
        label: (index % count) % 2,
        group: `p${index % count}`,
      })),
    });
  for (let seed = 0; seed < 20; seed += 1) {
    const { train, validation, test: last } = holdOut(splits(patients(10)), { validation: 0.2, test: 0.1, seed });
    expect([train, validation!, last!].map(({ samples }) => samples.length)).toEqual([28, 8, 4]);
  }
  expect(() => holdOut(splits(patients(2)), { validation: 0.5 })).toThrow(
    /made up: too few groups of [ab]: none would be left for training/,
  );
});

/** Packed data sets: what goes in comes out, what is damaged is said, and nothing half-written is left. */
import { readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CovidCtDataset } from '../../../../src/data/covid-ct';
import { decodeImage } from '../../../../src/data/images/decode';
import { datasetFingerprint } from '../../../../src/data/fingerprint';
import { loadBatches } from '../../../../src/data/loader';
import { openDataset } from '../../../../src/data/open';
import { isPacked, PackedDataset } from '../../../../src/data/packed/packed';
import { HEAD_BYTES, PACKED_VERSION } from '../../../../src/data/packed/format';
import { tutorialTrain } from '../../../../src/data/transforms/presets';
import { fromSamples } from '../../../../src/data/samples';
import { PixelStore } from '../../../../src/data/store';
import type { DatasetSplits, SkippedFile } from '../../../../src/data/types';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { failure, packed } from './made-up';
import { newFolder, removeFolders } from '../helpers';

const FIXTURES = path.resolve(__dirname, '../../../parity/transforms/fixtures');
afterEach(removeFolders);

test('pixels, splits, labels, ids, origins, classes and fingerprints come back as they were', async () => {
  const { file, data } = await packed();
  const opened = await openDataset(file);
  expect(opened).toBeInstanceOf(PackedDataset);
  expect({ name: opened.name, classes: opened.classes, validation: opened.validation }).toEqual({
    name: 'made up',
    classes: ['no', 'yes'],
    validation: null,
  });
  expect(opened.train.name).toBe('made up train');
  for (const split of ['train', 'test'] as const) {
    const [before, after] = [data[split]!, opened[split]!];
    const facts = ({ id, label, origin }: (typeof before.samples)[number]) => ({ id, label, origin });
    expect(after.samples.map(facts)).toEqual(before.samples.map(facts));
    expect(datasetFingerprint(after)).toBe(datasetFingerprint(before));
    for (const [i, { source }] of before.samples.entries())
      expect(await decodeImage(after.samples[i]!.source)).toEqual(await decodeImage(source));
  }
  await (opened as PackedDataset).close();
});

test('a summary says what was written; the same set gives the same file', async () => {
  const { root, file, data } = await packed();
  const progress: number[] = [];
  const again = await preparePacked(data, path.join(root, 'new', 'again.pack'), {
    concurrency: 1,
    onProgress: ({ images, totalImages }) => progress.push(images, totalImages),
  });
  expect(again).toEqual({
    file: path.join(root, 'new', 'again.pack'),
    bytes: statSync(file).size,
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    counts: { train: 5, validation: null, test: 2 },
    resize: null,
    skipped: [],
  });
  expect(progress).toEqual([1, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7, 7, 7]);
  expect(readFileSync(again.file).equals(readFileSync(file))).toBe(true);
  const opened = await PackedDataset.open(file);
  expect(opened).toMatchObject({ file, fingerprint: again.fingerprint, resize: null, skipped: [] });
  await opened.close();
});

test('16-bit, CMYK and mislabeled files are packed as they decode; one image is a data set', async () => {
  for (const name of ['gray-16.png', 'cmyk.jpg', 'jpeg-inside.png']) {
    const source = path.join(FIXTURES, name);
    const train = fromSamples({ classes: ['a'], samples: [{ source, label: 0 }] });
    const { file } = await preparePacked(
      { name: 'one', classes: ['a'], train, validation: null, test: null },
      path.join(newFolder(), 'one.pack'),
    );
    const opened = await PackedDataset.open(file);
    const { data, ...size } = await decodeImage(opened.train.samples[0]!.source);
    const expected = await decodeImage(source);
    expect({ ...size, data: [...data] }).toEqual({ ...expected, data: [...expected.data] });
    await opened.close();
  }
});

test('batches are those of the originals, whatever the store keeps', async () => {
  const { file, data } = await packed();
  const opened = await PackedDataset.open(file);
  const batches = async (dataset: DatasetSplits['train'], maxCacheBytes: number) => {
    const found = [];
    for await (const { indices, input } of loadBatches({
      dataset,
      transform: tutorialTrain({ size: 16 }),
      batchSize: 2,
      shuffle: true,
      seed: 3,
      epoch: 2,
      store: new PixelStore({ maxCacheBytes }),
    }))
      found.push({ indices, ...input, keys: input.keys?.length, images: input.images.map((image) => [...image]) });
    return found;
  };
  const expected = await batches(data.train, 1e6);
  expect(await batches(opened.train, 1e6)).toEqual(expected);
  expect(await batches(opened.train, 0)).toEqual(expected);
  await opened.close();
});

test('classes are compared, and a packed set can be packed again', async () => {
  const { root, file } = await packed();
  expect((await failure(openDataset(file, { classes: ['yes', 'no'] }))).message).toContain(
    'expected a data set of the classes yes, no; it has no, yes',
  );
  const opened = (await openDataset(file, { classes: ['no', 'yes'] })) as PackedDataset;
  await preparePacked(opened, path.join(root, 'copy.pack'));
  expect(readFileSync(path.join(root, 'copy.pack')).equals(readFileSync(file))).toBe(true);
  await opened.close();
});

test('close waits for what is being read, may be called twice, and ends reading', async () => {
  const { file } = await packed();
  const opened = await PackedDataset.open(file);
  const reads = opened.train.samples.map(({ source }) => decodeImage(source));
  const closing = [opened.close(), opened.close()];
  expect((await Promise.all(reads)).map(({ height }) => height)).toEqual([4, 5, 6, 7, 8]);
  await Promise.all(closing);
  await opened.close();
  expect(await failure(decodeImage(opened.train.samples[0]!.source))).toMatchObject({
    code: 'ERR_DISPOSED',
    message: expect.stringContaining('open it again'),
  });
});

test('a signal ends a read; another file of the same name does not disturb one that is open', async () => {
  const { root, file } = await packed();
  const opened = await PackedDataset.open(file);
  const [{ source }] = opened.train.samples as [(typeof opened.train.samples)[number]];
  expect((await failure(decodeImage(source, { signal: AbortSignal.abort() }))).code).toBe('ERR_ABORTED');
  writeFileSync(path.join(root, 'other'), 'something else');
  renameSync(path.join(root, 'other'), file);
  expect((await decodeImage(source)).height).toBe(4);
  await opened.close();
});

describe('files that are not what they should be', () => {
  test.each([
    ['empty', () => Buffer.alloc(0), /expected a packed data set.*it is empty/],
    ['an image', () => readFileSync(path.join(FIXTURES, 'rgb.jpg')), /expected a packed data set.*it begins with/],
    [
      'zeros, as a writing that was cut off leaves it',
      (all: Buffer) => Buffer.concat([Buffer.alloc(HEAD_BYTES), all.subarray(HEAD_BYTES)]),
      /cut off; make it again/,
    ],
    ['cut off in the head', (all: Buffer) => all.subarray(0, 40), /expected at least 64 bytes; it has 40.*cut off/],
    [
      'cut off in the pixels',
      (all: Buffer) => all.subarray(0, 200),
      /expected \d+ bytes; it has 200: it was cut off; copy it again/,
    ],
    ['cut off by one byte', (all: Buffer) => all.subarray(0, -1), /expected \d+ bytes; it has \d+: it was cut off/],
    ['too long', (all: Buffer) => Buffer.concat([all, Buffer.of(0)]), /expected \d+ bytes; it has \d+; copy it again/],
    [
      'of a newer version',
      (all: Buffer) => withByte(all, 12, PACKED_VERSION + 1),
      /expected format version 1; it has 2; it is of a newer covidct-torch/,
    ],
    [
      'of an older version',
      (all: Buffer) => withByte(all, 12, 0),
      /expected format version 1; it has 0; make it again/,
    ],
    ['with a damaged position', (all: Buffer) => withByte(all, 16, 1), /damaged|expected \d+ bytes/],
    ['with a huge index', (all: Buffer) => withByte(all, 29, 255), /head is damaged/],
    [
      'with a damaged checksum',
      (all: Buffer) => withByte(all, 40, all[40]! ^ 1),
      /index at byte \d+ is damaged: expected SHA-256/,
    ],
    [
      'with a damaged index',
      (all: Buffer) => withByte(all, all.length - 10, all[all.length - 10]! ^ 1),
      /index at byte \d+ is damaged/,
    ],
  ])('%s', async (_what, damage, expected) => {
    const { file, root } = await packed();
    writeFileSync(path.join(root, 'bad.pack'), damage(readFileSync(file)));
    const error = await failure(openDataset(path.join(root, 'bad.pack')));
    expect(error.code).toBe('ERR_PACKED_DATA');
    expect(error.message).toMatch(expected);
    expect(error.message).toContain('bad.pack');
  });

  test('CovidCtDataset.open says which door is the right one', async () => {
    const { file } = await packed();
    expect(await failure(CovidCtDataset.open(file))).toMatchObject({
      code: 'ERR_DATASET',
      message: expect.stringContaining('openDataset()'),
    });
  });

  test('a folder, and nothing at all', async () => {
    const root = newFolder();
    expect((await failure(PackedDataset.open(root))).code).toBe('ERR_PACKED_DATA');
    expect((await failure(PackedDataset.open(path.join(root, 'none')))).message).toMatch(/cannot be opened.*ENOENT/);
    expect([await isPacked(root), await isPacked(path.join(root, 'none'))]).toEqual([false, false]);
  });

  test('damaged pixels are a bad image that says where; the others are read, and it can be skipped', async () => {
    const { file } = await packed();
    const all = readFileSync(file);
    const inSecond = HEAD_BYTES + 4 * 9 * 3 + 7;
    writeFileSync(file, withByte(all, inSecond, all[inSecond]! ^ 1));
    const opened = await PackedDataset.open(file);
    const error = await failure(decodeImage(opened.train.samples[1]!.source));
    expect(error).toMatchObject({
      code: 'ERR_BAD_IMAGE',
      source: `${file}[1]`,
      message: expect.stringMatching(
        /image 1 \(train\/1, ä%\.png\): its pixels at byte 172 are damaged: expected CRC-32 [0-9a-f]{8}; they have [0-9a-f]{8}/,
      ),
    });
    const told: SkippedFile[] = [];
    const store = new PixelStore({ onBadFile: 'skip' });
    const seen: number[] = [];
    for await (const { indices } of loadBatches({
      dataset: opened.train,
      transform: tutorialTrain({ size: 16 }),
      batchSize: 2,
      store,
      onSkip: (each) => told.push(each),
    }))
      seen.push(...indices);
    expect(seen).toEqual([0, 2, 3, 4]);
    expect(told).toMatchObject([{ index: 1, id: 'train/1, ä%.png' }]);
    await opened.close();
  });

  test('a file that is cut off while it is open is an error, never a skipped image', async () => {
    const { file } = await packed();
    const opened = await PackedDataset.open(file);
    truncateSync(file, HEAD_BYTES + 150);
    const store = new PixelStore({ onBadFile: 'skip' });
    expect((await store.load(opened.train.samples[0]!, 0))?.height).toBe(4);
    const error = await failure(store.load(opened.train.samples[1]!, 1));
    expect(error).toMatchObject({
      code: 'ERR_PACKED_DATA',
      message: expect.stringMatching(/expected 120 bytes at byte 172; there are 42: it was cut off while it was open/),
    });
    await opened.close();
  });
});

function withByte(all: Buffer, position: number, value: number): Buffer {
  const changed = Buffer.from(all);
  changed[position] = value;
  return changed;
}

/** Packed data sets: what goes in comes out, what is damaged is said, and nothing half-written is left. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
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
import { CovidCtError, DatasetError } from '../../../../src/errors';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { grayPng, newFolder, removeFolders, writeAt } from '../helpers';

const FIXTURES = path.resolve(__dirname, '../../../parity/transforms/fixtures');
afterEach(removeFolders);

/** Five training images of different sizes, no validation, two for test; `bad` of the training images are no images. */
async function someSplits(root: string, bad: readonly number[] = []): Promise<DatasetSplits> {
  const make = async (split: string, n: number) => {
    const samples = [];
    for (let i = 0; i < n; i += 1) {
      const content = split === 'train' && bad.includes(i) ? 'rubbish' : await grayPng(10 * i + n, 4 + i, 9 - i);
      samples.push({
        source: writeAt(root, `${split}/${i}, ä%.png`, content),
        label: i % 2,
        id: `${split}/${i}, ä%.png`,
      });
    }
    return fromSamples({ name: `made up ${split}`, classes: ['no', 'yes'], samples });
  };
  return {
    name: 'made up',
    classes: ['no', 'yes'],
    train: await make('train', 5),
    validation: null,
    test: await make('test', 2),
  };
}

async function packed(): Promise<{ root: string; file: string; data: DatasetSplits }> {
  const root = newFolder();
  const data = await someSplits(root);
  const file = path.join(root, 'all.pack');
  await preparePacked(data, file);
  return { root, file, data };
}

async function failure(work: Promise<unknown>): Promise<CovidCtError> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(CovidCtError);
  return error as CovidCtError;
}

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
      /cut off; make it anew/,
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
    ['of an older version', (all: Buffer) => withByte(all, 12, 0), /expected format version 1; it has 0; make it anew/],
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
    writeFileSync(file, withByte(all, HEAD_BYTES + 4 * 9 * 3 + 7, all[HEAD_BYTES + 4 * 9 * 3 + 7]! ^ 1)); // in the second image
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

describe('writing', () => {
  test('what lies there is replaced only when that is asked for, and never when it is something else', async () => {
    const { file, data, root } = await packed();
    const before = readFileSync(file);
    expect(await failure(preparePacked(data, file))).toMatchObject({
      code: 'ERR_PACKED_DATA',
      message: expect.stringContaining('overwrite'),
    });
    await preparePacked({ ...data, name: 'renamed' }, file, { overwrite: true });
    expect(readFileSync(file).equals(before)).toBe(false);
    const foreign = writeAt(root, 'notes.txt', 'mine');
    mkdirSync(path.join(root, 'folder'));
    for (const target of [foreign, path.join(root, 'folder'), data.train.samples[0]!.source as string]) {
      expect((await failure(preparePacked(data, target, { overwrite: true }))).message).toContain(
        'something else than a packed data set',
      );
    }
    expect(readFileSync(foreign, 'utf8')).toBe('mine');
  });

  test('a bad file ends it and leaves nothing; with skip it is left out and listed', async () => {
    const root = newFolder();
    const data = await someSplits(root, [1, 3]);
    const file = path.join(root, 'out', 'all.pack');
    expect(await failure(preparePacked(data, file))).toMatchObject({
      code: 'ERR_BAD_IMAGE',
      message: expect.stringContaining('made up train[1]'),
    });
    expect(readdirSync(path.dirname(file))).toEqual([]);
    const summary = await preparePacked(data, file, { onBadFile: 'skip' });
    expect(summary).toMatchObject({
      counts: { train: 3, validation: null, test: 2 },
      skipped: [
        { split: 'train', id: 'train/1, ä%.png', reason: expect.any(String) },
        { split: 'train', id: 'train/3, ä%.png' },
      ],
    });
    const opened = await PackedDataset.open(file);
    expect(opened.skipped).toEqual(summary.skipped);
    expect(opened.train.samples.map(({ id }) => id)).toEqual([0, 2, 4].map((i) => `train/${i}, ä%.png`));
    await opened.close();
  });

  test('nothing to pack, and nothing that decodes', async () => {
    const root = newFolder();
    const none = fromSamples({ classes: ['a'], samples: [] });
    expect(
      await failure(
        preparePacked(
          { name: 'none', classes: ['a'], train: none, validation: null, test: null },
          path.join(root, 'x'),
        ),
      ),
    ).toBeInstanceOf(DatasetError);
    const bad = fromSamples({ classes: ['a'], samples: [{ source: Buffer.from('bad'), label: 0 }] });
    expect(
      (
        await failure(
          preparePacked(
            { name: 'bad', classes: ['a'], train: bad, validation: null, test: null },
            path.join(root, 'x'),
            { onBadFile: 'skip' },
          ),
        )
      ).message,
    ).toContain('none of its 1 files');
    expect(readdirSync(root)).toEqual([]);
  });

  test('an abort in the middle leaves the old file and nothing else', async () => {
    const { file, data, root } = await packed();
    const before = readFileSync(file);
    const names = readdirSync(root);
    const controller = new AbortController();
    const work = preparePacked(data, file, {
      overwrite: true,
      signal: controller.signal,
      concurrency: 1,
      onProgress: ({ images }) => {
        if (images === 3) controller.abort();
      },
    });
    expect((await failure(work)).code).toBe('ERR_ABORTED');
    expect(
      (await failure(preparePacked(data, path.join(root, 'new.pack'), { signal: AbortSignal.abort() }))).code,
    ).toBe('ERR_ABORTED');
    expect(readdirSync(root)).toEqual(names);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('a place that cannot be written is said with the reason', async () => {
    const { file, data } = await packed();
    expect(await failure(preparePacked(data, path.join(file, 'inside.pack')))).toMatchObject({
      code: 'ERR_PACKED_DATA',
      message: expect.stringMatching(/could not write the packed data set/),
    });
  });

  test('options are checked', async () => {
    const { root, data } = await packed();
    for (const options of [{ resize: 0 }, { resize: 1.5 }, { concurrency: 0 }, { size: 3 }]) {
      expect((await failure(preparePacked(data, path.join(root, 'x.pack'), options as object))).code).toBe(
        'ERR_INVALID_OPTION',
      );
    }
    expect(existsSync(path.join(root, 'x.pack'))).toBe(false);
  });
});

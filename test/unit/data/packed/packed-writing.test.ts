/** Writing packed data sets: what is replaced, what is left out, and that nothing half-written is left. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PackedDataset } from '../../../../src/data/packed/packed';
import { fromSamples } from '../../../../src/data/samples';
import { DatasetError } from '../../../../src/errors';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { newFolder, removeFolders, writeAt } from '../helpers';

afterEach(removeFolders);
import { failure, packed, someSplits } from './made-up';

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

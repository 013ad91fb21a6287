/** A disk that fills up in the middle of packing. */
import { readdirSync } from 'node:fs';
import type * as promises from 'node:fs/promises';
import path from 'node:path';
import { fromSamples } from '../../../../src/data/samples';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { grayPng } from '../../../helpers/images';
import { newFolder, removeFolders } from '../helpers';

const full = { after: Infinity };
jest.mock('node:fs/promises', () => {
  const real = jest.requireActual<typeof promises>('node:fs/promises');
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const handle = await real.open(...args);
      const write = handle.write.bind(handle) as (...rest: unknown[]) => Promise<unknown>;
      let writes = 0;
      return Object.assign(handle, {
        write: async (...rest: unknown[]) => {
          if ((writes += 1) > full.after)
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          return write(...rest);
        },
      });
    },
  };
});
afterEach(removeFolders);

test('is said with advice, and leaves nothing', async () => {
  const root = newFolder();
  const samples = await Promise.all([1, 2, 3, 4].map(async (level) => ({ source: await grayPng(level), label: 0 })));
  const data = {
    name: 'four',
    classes: ['a'],
    train: fromSamples({ classes: ['a'], samples }),
    validation: null,
    test: null,
  };
  for (const after of [0, 2, 4, 5]) {
    // the first image, the third, the index, the head
    full.after = after;
    await expect(preparePacked(data, path.join(root, 'four.pack'))).rejects.toMatchObject({
      code: 'ERR_PACKED_DATA',
      message: expect.stringMatching(/the disk is full \(ENOSPC.*free some space/),
    });
    expect(readdirSync(root)).toEqual([]);
  }
  full.after = Infinity;
  await preparePacked(data, path.join(root, 'four.pack'));
  expect(readdirSync(root)).toEqual(['four.pack']);
});

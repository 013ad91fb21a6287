/** Files appear whole or not at all, and never in the place of what is no file. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preparePacked } from '../../../src';
import { fromSamples } from '../../../src/data/samples';
import { replaceFile, writeWhole } from '../../../src/files/write';
import { writeSafetensors } from '../../../src/weights/safetensors';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'covidct-write-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Every way of this library to write a file of a given name. */
const WRITERS: readonly [string, (path: string) => Promise<unknown>][] = [
  ['writeWhole', (path) => writeWhole(path, 'new')],
  ['replaceFile', (path) => replaceFile(path, (temporary) => Promise.resolve(writeFileSync(temporary, 'new')))],
  ['writeSafetensors', (path) => writeSafetensors(path, [], {}, () => Promise.resolve())],
  [
    'preparePacked',
    async (path) => {
      const train = fromSamples({ classes: ['a', 'b'], samples: [] });
      await preparePacked({ name: 'none', classes: train.classes, train, validation: null, test: null }, path, {
        overwrite: true,
      });
    },
  ],
];

describe.each(WRITERS)('%s', (_, write) => {
  test.each([
    ['a pipe', (path: string) => void execFileSync('mkfifo', [path])],
    ['a link to a device', (path: string) => symlinkSync('/dev/null', path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('leaves %s of that name alone', async (_kind, make) => {
    const path = join(dir, 'target');
    make(path);
    const before = lstatSync(path).mode;
    await expect(write(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(RUN_FOLDER|PACKED_DATA)$/) as string,
    });
    expect(lstatSync(path).mode).toBe(before);
    expect(readdirSync(dir)).toEqual(['target']);
  });
});

test('a failure leaves the old file and nothing beside it', async () => {
  const path = join(dir, 'file');
  writeFileSync(path, 'old');
  const failing = replaceFile(path, (temporary) => {
    writeFileSync(temporary, 'half');
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  });
  await expect(failing).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('free some space') as string,
  });
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dir)).toEqual(['file']);
});

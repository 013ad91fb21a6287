/** A large file has its hash also where no thread may be started. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type * as Threads from 'node:worker_threads';
import { join } from 'node:path';
import { contentOf } from '../../../src/files/content';
import { inTemporaryFolder } from '../train/made-up';

/** The module as the library has it, so that its class can be replaced. */
const threads = createRequire(__filename)('node:worker_threads') as typeof Threads;

afterEach(() => jest.restoreAllMocks());

test.each([
  ['on a thread', false],
  ['without one, as under the permission model of Node', true],
])('the hash of a large file, %s', async (_, isDenied) => {
  const { Worker } = threads;
  const worker = jest.spyOn(threads, 'Worker').mockImplementation((...args) => {
    if (!isDenied) return new Worker(...args);
    throw Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' });
  });
  await inTemporaryFolder(async (dir) => {
    const bytes = Buffer.alloc(32 * 1024 ** 2 + 1, 'a few letters');
    await writeFile(join(dir, 'large'), bytes);
    expect(await contentOf(join(dir, 'large'))).toEqual({
      sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: bytes.length,
    });
    await expect(contentOf(join(dir, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
  expect(worker).toHaveBeenCalledTimes(1);
});

/** A bounded number of broken zip archives, in a process of their own: typed errors alone, nothing uncaught. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackZip } from '../../src/data/archive';
import { openWeightFile } from '../../src/weights/open';
import { unpackLibTorch } from '../../src/install/unpack';
import { honestZip } from './zip';
import type { FuzzCounts } from './zip';

const CASES = 1000;

test('the honest archives that the cases are made of are taken, each by its reader', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-honest-'));
  try {
    const file = async (reader: 'weights' | 'data' | 'libtorch'): Promise<string> => {
      await writeFile(join(dir, reader), honestZip(reader));
      return join(dir, reader);
    };
    expect((await openWeightFile(await file('weights'))).tensors).toHaveLength(1);
    await unpackZip(await file('data'), join(dir, 'CT_X'));
    await unpackLibTorch(await file('libtorch'), join(dir, 'lib'));
  } finally {
    await rm(dir, { recursive: true });
  }
});

test(`${CASES} archives through all three readers: typed errors alone, nothing outside of the target`, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(__dirname, 'run-zip.cjs'),
    '--cases',
    String(CASES),
    '--seed',
    '7',
  ]).catch((error: { stdout: string; stderr: string }) => error);
  const { reads, accepted, refused, faults } = JSON.parse(stdout) as FuzzCounts;
  expect(faults).toEqual([]);
  expect(reads).toBe(3 * CASES);
  for (const reader of ['weights', 'data', 'libtorch']) {
    expect(accepted[reader]).toBeGreaterThan(20); // not all are refused at the first byte
    expect(refused[reader]).toBeGreaterThan(300);
  }
}, 600_000);

/** Sends fuzzed archives through the three readers of zip files: data sets, LibTorch, PyTorch's checkpoints. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackZip } from '../../src/data/archive';
import { CovidCtError } from '../../src/errors';
import { openWeightFile } from '../../src/weights/open';
import { unpackLibTorch } from '../../src/install/unpack';
import { oneTensor, zip } from '../parity/weights/hostile';
import { fuzzedZip } from './zip-bytes';
import type { Member } from './zip-bytes';

const ZEROS = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
const noise = (length: number, step: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * step) % 251));

/** Honest members for each reader; each sees the others' as well. */
const SETS: readonly (readonly Member[])[] = [
  [
    { name: 'archive/data.pkl', content: oneTensor({}), stored: true },
    { name: 'archive/byteorder', content: Buffer.from('little'), stored: true },
    { name: 'archive/data/0', content: ZEROS, stored: true },
  ],
  [
    { name: 'CT_X/a.png', content: noise(3000, 7) },
    { name: 'CT_X/b.png', content: noise(500, 3), stored: true },
    { name: '__MACOSX/CT_X/._a', content: noise(9, 1) },
    { name: 'CT_X/', content: Buffer.alloc(0) },
  ],
  [
    { name: 'libtorch/include/torch.h', content: noise(400, 5) },
    { name: 'libtorch/lib/libc10.so', content: noise(4000, 11) },
    { name: 'libtorch/build-version', content: Buffer.from('2.13.0') },
  ],
];

/** What became of the cases. */
export interface FuzzCounts {
  readonly cases: number;
  readonly reads: number;
  accepted: Record<string, number>;
  refused: Record<string, number>;
  /** What must never be: other errors, wrong codes, files outside the target, and what nobody caught. */
  faults: string[];
}

function inside(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
}

/** Runs `cases` archives from `seed` on, each through all three readers. */
export async function fuzzZip(cases: number, seed: number): Promise<FuzzCounts> {
  const top = mkdtempSync(join(tmpdir(), 'covidct-fuzz-'));
  const counts: FuzzCounts = { cases, reads: cases * 3, accepted: {}, refused: {}, faults: [] };
  let current = '';
  const uncaught = (error: unknown): void => void counts.faults.push(`${current}: not caught: ${String(error)}`);
  process.on('uncaughtException', uncaught).on('unhandledRejection', uncaught).on('warning', uncaught);
  try {
    for (let i = 0; i < cases; i += 1) {
      for (const reader of ['weights', 'data', 'libtorch'] as const) {
        current = `seed ${seed + i}, ${reader}`;
        await runCase(join(top, 'a', 'b', 'c'), top, seed + i, reader, counts, current);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 100)); // what a forgotten stream has to say comes late
    if (existsSync('/tmp/covidct-fuzz-evil.png')) counts.faults.push('a file was written to an absolute path');
    return counts;
  } finally {
    process.off('uncaughtException', uncaught).off('unhandledRejection', uncaught).off('warning', uncaught);
    rmSync(top, { recursive: true, force: true });
  }
}

type Reader = 'weights' | 'data' | 'libtorch';
const CODES: Readonly<Record<Reader, string>> = {
  weights: 'ERR_WEIGHTS',
  data: 'ERR_DATASET',
  libtorch: 'ERR_BAD_ARCHIVE',
};

function read(reader: Reader, file: string, target: string): Promise<unknown> {
  if (reader === 'weights') return openWeightFile(file);
  return reader === 'data' ? unpackZip(file, target) : unpackLibTorch(file, target);
}

/** The promise, or a failure where it is still open after a minute: what throws in a callback leaves it so. */
async function settled(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('the reader never came to an end')), 60_000);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function runCase(
  folder: string,
  top: string,
  seed: number,
  reader: Reader,
  counts: FuzzCounts,
  label: string,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'x.zip');
  const members = SETS[seed % SETS.length]!;
  writeFileSync(file, fuzzedZip(seed, members));
  const target = join(folder, 'CT_X');
  try {
    await settled(read(reader, file, target));
    counts.accepted[reader] = (counts.accepted[reader] ?? 0) + 1;
  } catch (error) {
    counts.refused[reader] = (counts.refused[reader] ?? 0) + 1;
    if (!(error instanceof CovidCtError) || error.code !== CODES[reader])
      counts.faults.push(`${label}: expected ${CODES[reader]}; got ${String((error as Error).stack)}`);
    else if (!error.message.includes(file)) counts.faults.push(`${label}: the file is not named: ${error.message}`);
    if (reader === 'data' && existsSync(target)) counts.faults.push(`${label}: a part was left behind`);
  }
  const stray = inside(top).filter((name) => !/^a(\/b(\/c(\/x\.zip|\/CT_X(\/.*)?)?)?)?$/s.test(name));
  if (stray.length > 0) counts.faults.push(`${label}: outside of the target: ${stray.join(', ')}`);
  rmSync(join(top, 'a'), { recursive: true, force: true });
}

/** The members as they are, unbroken, by the reader that must take them. */
export function honestZip(reader: Reader): Buffer {
  const members = SETS[{ weights: 0, data: 1, libtorch: 2 }[reader]]!;
  return zip(members.map(({ name, content, stored = false }) => ({ name, content, packed: !stored })));
}

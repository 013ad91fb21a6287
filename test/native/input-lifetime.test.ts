/** Ends of life of the resizer and of packed files in child processes: exit, workers, garbage, kill. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromSamples } from '../../src/data/samples';
import { PackedDataset } from '../../src/data/packed/packed';
import { preparePacked } from '../../src/model/prepare-packed';
import { grayPng } from '../helpers/images';

const CHILD = join(__dirname, 'child', 'input.cjs');
const hasProc = existsSync('/proc/self/status');
let root: string;
let file: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'covidct-input-'));
  file = join(root, 'three.pack');
  const samples = await Promise.all([1, 2, 3].map(async (level) => ({ source: await grayPng(level), label: 0 })));
  await preparePacked(
    { name: 'three', classes: ['a'], train: fromSamples({ classes: ['a'], samples }), validation: null, test: null },
    file,
  );
});
afterAll(() => rmSync(root, { recursive: true }));

function run(scenario: string): Promise<{ code: number | null; signal: string | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--expose-gc', CHILD, scenario, file],
      { timeout: 50_000 },
      (_error, out, err) => {
        resolve({ code: child.exitCode, signal: child.signalCode, out: out.trim(), err: err.trim() });
      },
    );
  });
}

test.each([
  ['resizerIdle', { code: 0, out: 'done' }],
  ['resizerExit', { code: 7, out: 'done' }],
  ['resizerTerminate', { code: 0, out: 'done' }],
  ['packIdle', { code: 0, out: '8' }],
  ['packTerminate', { code: 0, out: 'done' }],
])('%s', async (scenario, expected) => {
  expect(await run(scenario)).toEqual({ ...expected, signal: null, err: '' });
});

(hasProc ? test : test.skip)(
  'forgotten resizers give their threads back, forgotten packed files theirs, without a warning',
  async () => {
    const threads = await run('resizerForgotten');
    expect(threads).toMatchObject({ code: 0, err: '' });
    expect(Number(threads.out.replace('threads ', ''))).toBeLessThan(60);
    const files = await run('packForgotten');
    expect(files).toMatchObject({ code: 0, err: '' });
    expect(Number(files.out.replace('files ', ''))).toBeLessThan(5);
  },
);

test('killed while packing: the file is not there, and what is left beside it is refused', async () => {
  const target = join(root, 'killed', 'all.pack');
  const child = spawn(process.execPath, [CHILD, 'packing', target], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('5\n')) child.kill('SIGKILL');
    });
    child.on('close', () => resolve());
  });
  const left = readdirSync(join(root, 'killed'));
  expect(left).toEqual([expect.stringMatching(/^\.all\.pack\..*\.tmp$/)]);
  await expect(PackedDataset.open(join(root, 'killed', left[0]!))).rejects.toMatchObject({
    code: 'ERR_PACKED_DATA',
    message: expect.stringContaining('cut off'),
  });
});

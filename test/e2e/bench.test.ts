/**
 * `covidct bench`: what it says where peers are missing, with a stand-in for PyTorch, and that nothing is left behind.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchRow } from '../../src/bench/index';
import { covidct, jsonLines } from './command';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'covidct-bench-test-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const TINY = ['bench', '--arch', 'tiny', '--image-size', '32', '--batch', '1', '--rounds', '1'];
const NOBODY = ['--python', '/nowhere/python'];

function rowsOf<T extends BenchRow['type']>(stdout: string, type: T): Extract<BenchRow, { type: T }>[] {
  return jsonLines(stdout).filter((row) => row['type'] === type) as unknown as Extract<BenchRow, { type: T }>[];
}

/** A program in PyTorch's place: the last argument is the task. Its network computes what `numbers` says. */
function standIn(numbers: string): string {
  const file = join(dir, 'python');
  writeFileSync(
    file,
    `#!${process.execPath}
    const task = JSON.parse(process.argv.at(-1));
    const answers = {
      probe: {
        versions: { torch: 'stand-in' },
        cpuCapability: 'AVX2',
        noCompile: 'it needs a C++ compiler, and there is no g++',
      },
      ceilings: {
        matrixProducts: [{ size: 1024, gigaflopsPerSecond: 50 }, { size: 2048, gigaflopsPerSecond: 100 }],
        copyGigabytesPerSecond: 20,
      },
      flops: { forward: 1e9, training: 3e9 },
    };
    console.log(JSON.stringify(answers[task.mode] ?? { milliseconds: 1000, peakBytes: 1e9, numbers: ${numbers} }));`,
  );
  chmodSync(file, 0o755);
  return file;
}

test('without Python and ONNX Runtime: ours is measured, the others are said to be missing', async () => {
  const { code, stdout, stderr } = await covidct([...TINY, ...NOBODY, '--json'], { env: { TMPDIR: dir } });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const contenders = rowsOf(stdout, 'contender');
  expect(contenders.filter(({ found }) => found).map(({ contender }) => contender)).toEqual(['ours', 'ours-libtorch']);
  expect(contenders.find(({ contender }) => contender === 'pytorch')?.problem).toMatch(
    /spawn \/nowhere\/python ENOENT.*pip install torch torchvision safetensors/,
  );
  expect(rowsOf(stdout, 'ceilings')).toMatchObject([
    { matrixProducts: null, problem: expect.stringContaining('/nowhere/python') },
  ]);
  const results = rowsOf(stdout, 'result');
  expect(results.map(({ mode, batchSize }) => [mode, batchSize])).toEqual([
    ['train', 1],
    ['predict', 1],
    ['cold', 1],
  ]);
  for (const {
    contenders: [ours, libtorch],
  } of results) {
    expect(ours).toMatchObject({ contender: 'ours', problem: null, agrees: true, timeToPyTorch: null });
    expect(ours?.time?.median).toBeGreaterThan(0);
    expect(libtorch).toMatchObject({ contender: 'ours-libtorch', problem: null });
  }
  // A cold start has all of the other's parts and a process besides.
  expect(results[2]?.contenders[0]?.time?.median).toBeGreaterThan(results[1]?.contenders[0]?.time?.median!);
  expect(results[0]?.contenders[0]?.peakBytes?.median).toBeGreaterThan(2 ** 20);
  expect(rowsOf(stdout, 'target').map(({ met }) => met)).toEqual([null, null, null, null]);
  expect(rowsOf(stdout, 'setting')).toMatchObject([
    {
      imageSize: 32,
      rounds: 1,
      machine: { memoryBytes: expect.any(Number) },
      versions: { node: process.versions.node },
    },
  ]);
  expect(readdirSync(dir)).toEqual([]);
}, 60_000);

test('a peer that computes something else is named, and is no peer', async () => {
  const { code, stdout } = await covidct([
    ...TINY,
    '--what',
    'predict',
    '--peers',
    'pytorch,torch-compile',
    '--python',
    standIn('[7, -7]'),
    '--json',
  ]);
  expect(code).toBe(1); // ours does not compute what the reference computes
  const [{ contenders, reference, bestPeer }] = rowsOf(stdout, 'result') as [Extract<BenchRow, { type: 'result' }>];
  expect(reference).toBe('pytorch');
  expect(contenders.map(({ contender, agrees }) => [contender, agrees])).toEqual([
    ['ours', false],
    ['ours-libtorch', false],
    ['pytorch', true],
  ]);
  expect(bestPeer).toBe('pytorch');
  expect(rowsOf(stdout, 'contender').find(({ contender }) => contender === 'torch-compile')).toMatchObject({
    found: false,
    problem: 'it needs a C++ compiler, and there is no g++',
  });
  expect(rowsOf(stdout, 'target')).toMatchObject([{ met: null }]);
}, 60_000);

test('asked for memory alone: peaks, and no times from too few repeats', async () => {
  const { stdout } = await covidct([...TINY, ...NOBODY, '--what', 'memory', '--json']);
  const results = rowsOf(stdout, 'result');
  expect(results.map(({ mode }) => mode)).toEqual(['train', 'predict']);
  expect(results[0]?.contenders[0]).toMatchObject({
    time: null,
    milliseconds: [],
    peakBytes: { median: expect.any(Number) },
  });
  expect(rowsOf(stdout, 'target').map(({ text }) => text)).toEqual(['peak memory, training step, batch 1']);
}, 60_000);

test('as text: ceilings, tables and the targets at the end', async () => {
  const { stdout } = await covidct([...TINY, '--what', 'predict', '--peers', 'pytorch', '--python', standIn('[0, 0]')]);
  expect(stdout).toContain('matrix product 50 GFLOP/s (1024), 100 GFLOP/s (2048); copy 20.0 GB/s');
  expect(stdout).toMatch(/PyTorch eager +1000 +1\.00 +best peer +1 +1 % +reference/);
  expect(stdout.trim().split('\n').at(-1)).toMatch(/^tiny: prediction, batch 1 .* not measured$/);
}, 60_000);

test('ONNX Runtime is found by its folder and gets the exported network', async () => {
  const folder = join(dir, 'node_modules/onnxruntime-node');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"onnxruntime-node","version":"9.9.9","main":"index.js"}');
  writeFileSync(
    join(folder, 'index.js'),
    `exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } };
    exports.InferenceSession = { create: async (path, options) => ({ run: async ({ images }) => {
      if (images.data.length !== 3 * 32 * 32 || options.intraOpNumThreads !== 1) throw new Error('of another size');
      return { logits: { data: Float32Array.of(7, -7) } };
    } }) };`,
  );
  const { stdout } = await covidct([
    ...TINY,
    '--threads',
    '1',
    '--what',
    'predict',
    '--peers',
    'pytorch,onnxruntime',
    '--python',
    standIn('[7, -7]'),
    '--onnxruntime',
    dir,
    '--json',
  ]);
  expect(rowsOf(stdout, 'setting')[0]?.versions).toMatchObject({ 'onnxruntime-node': '9.9.9', torch: 'stand-in' });
  expect(rowsOf(stdout, 'result')).toMatchObject([
    { bestPeer: 'onnxruntime', contenders: [{}, {}, {}, { contender: 'onnxruntime', problem: null, difference: 0 }] },
  ]);
}, 60_000);

test('Ctrl-C ends it: no folder, no process left', async () => {
  const ids = join(dir, 'ids');
  const python = standIn('[7, -7]');
  const slow = join(dir, 'slow');
  writeFileSync(
    slow,
    `#!/bin/sh\ncase "$*" in *'"mode":"predict"'*) echo $$ > ${ids}; sleep 60;; *) exec ${python} "$@";; esac\n`,
  );
  chmodSync(slow, 0o755);
  const tmp = join(dir, 'tmp');
  mkdirSync(tmp);
  const { code, stderr } = await covidct(
    [...TINY, '--what', 'predict', '--peers', 'pytorch', '--python', slow, '--json'],
    {
      env: { TMPDIR: tmp },
      onLine: (line, kill) => {
        if (!line.includes('"ceilings"')) return;
        const timer = setInterval(() => {
          if (!existsSync(ids)) return;
          clearInterval(timer);
          kill('SIGINT');
        }, 50);
      },
    },
  );
  expect(code).toBe(130);
  expect(stderr).toContain('interrupted');
  expect(readdirSync(tmp)).toEqual([]);
}, 60_000);

test.each([
  [['--arch', 'vgg20'], 'expected an architecture of vgg11'],
  [['--what', 'speed'], 'what[0]'],
  [['--batch', '0'], '--batch[0]'],
  [['--batch', '1,x'], 'expected a number'],
  [['--peers', 'tensorflow'], 'peers[0]'],
  [['--rounds', '0'], 'rounds'],
])('bench %j is refused', async (args, message) => {
  const { code, stdout, stderr } = await covidct(['bench', ...args, ...NOBODY]);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
});

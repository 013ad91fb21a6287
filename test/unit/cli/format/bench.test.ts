import { contenderLine, resultTable, settingText, targetsTable } from '../../../../src/cli/format/bench';
import type { BackendResult, ResultRow } from '../../../../src/bench/index';

const spread = (median: number, least = median, most = median) => ({ median, least, most });

function result(extra: Partial<BackendResult>): BackendResult {
  return {
    contender: 'ours',
    title: 'ours',
    milliseconds: [],
    time: null,
    timeToPyTorch: null,
    peakBytes: null,
    peakToPyTorch: null,
    gigaflopsPerSecond: null,
    shareOfMatrixProduct: null,
    difference: null,
    agrees: true,
    problem: null,
    ...extra,
  };
}

const ROW: ResultRow = {
  type: 'result',
  architecture: 'vgg19_bn',
  mode: 'predict',
  batchSize: 8,
  imageSize: 224,
  reference: 'pytorch',
  bestPeer: 'onnxruntime',
  toBestPeer: spread(0.449, 0.4, 0.5),
  contenders: [
    result({
      time: spread(450.4, 440, 1012.3),
      timeToPyTorch: spread(0.25),
      peakBytes: spread(2 ** 30),
      peakToPyTorch: spread(0.8),
      gigaflopsPerSecond: 697.4,
      shareOfMatrixProduct: 1.52,
      difference: 1.234e-6,
    }),
    result({ contender: 'pytorch', title: 'PyTorch eager', time: spread(1800), timeToPyTorch: spread(1) }),
    result({ contender: 'torch-compile', title: 'torch.compile', problem: 'it took longer than 300 s and was ended' }),
    result({
      contender: 'onnxruntime',
      title: 'ONNX Runtime (Node)',
      time: spread(1001),
      difference: 0.5,
      agrees: false,
    }),
  ],
};

test('a measurement: figures with their spread, who is best, what failed', () => {
  const lines = resultTable(ROW, { memory: true });
  expect(lines[1]).toBe('vgg19_bn, batch 8, 224 × 224 pixels');
  expect(lines[2]?.split(/ {2,}/)).toEqual([
    'prediction',
    'ms (least–most)',
    '/ PyTorch eager',
    '/ best peer',
    'GFLOP/s',
    'of max',
    'peak MiB',
    '/ PyTorch eager',
    'difference',
  ]);
  expect(lines[3]?.split(/ {2,}/)).toEqual([
    'ours',
    '450.4 (440.0–1012)',
    '0.25',
    '0.45 (0.40–0.50)',
    '697',
    '152 %',
    '1024',
    '0.80',
    '1.2e-6',
  ]);
  expect(lines[4]).toMatch(/^PyTorch eager +1800 +1\.00 .* reference$/);
  expect(lines[6]).toMatch(/best peer/);
  expect(lines.slice(7)).toEqual([
    'torch.compile: it took longer than 300 s and was ended',
    'ONNX Runtime (Node): computes something else, so it is no peer',
  ]);
  expect(new Set(lines.slice(2, 7).map((line) => line.length)).size).toBe(1); // the columns stand under each other
});

test('a cold start has neither arithmetic nor memory; without memory there is no such column', () => {
  expect(resultTable({ ...ROW, mode: 'cold', batchSize: 1 }, { memory: true }).join('\n')).not.toMatch(/GFLOP|MiB/);
  expect(resultTable(ROW, { memory: false }).join('\n')).not.toContain('MiB');
});

test('a reason is told once', () => {
  const row = {
    type: 'contender',
    contender: 'pytorch',
    title: 'PyTorch eager',
    found: false,
    problem: 'no Python',
  } as const;
  expect(contenderLine(row, [])).toMatch(/^PyTorch eager +missing: no Python$/);
  expect(contenderLine(row, ['no Python'])).toMatch(/^PyTorch eager +missing for the same reason$/);
  expect(contenderLine({ ...row, found: true, problem: null }, [])).toMatch(/^PyTorch eager +found$/);
});

test('machine and versions', () => {
  expect(
    settingText({
      type: 'setting',
      machine: { cpu: 'Z80', cores: 2, instructionSet: 'AVX2', memoryBytes: 8 * 2 ** 30, platform: 'linux-x64' },
      versions: { node: '20', torch: '2.13' },
      threads: 2,
      imageSize: 224,
      rounds: 3,
    }).join('\n'),
  ).toMatch(
    /Z80, 2 cores, AVX2, 8\.0 GiB, linux-x64\n.*node 20, torch 2\.13\n.*2 threads, 224 × 224 pixels, float32, 3 rounds/,
  );
});

test('targets: met, not met, not measured', () => {
  const target = {
    type: 'target',
    architecture: 'vgg19_bn',
    text: 'training step, batch 8',
    against: 'PyTorch eager',
    limit: 0.5,
    ratio: spread(0.48, 0.47, 0.55),
    met: true,
  } as const;
  const lines = targetsTable([
    target,
    { ...target, ratio: spread(0.51), met: false },
    { ...target, against: null, ratio: null, met: null },
  ]);
  expect(lines[2]).toMatch(
    /^vgg19_bn: training step, batch 8 +PyTorch eager +at most 0\.50 +0\.48 \(0\.47–0\.55\) +met$/,
  );
  expect(lines[3]).toMatch(/0\.51 +NOT MET$/);
  expect(lines[4]).toMatch(/a peer that is missing +at most 0\.50 +– +not measured$/);
  expect(targetsTable([]).join('\n')).toContain('no target is set');
});

import { BACKENDS } from '../../../src/bench/backends';
import { resultOf } from '../../../src/bench/results';
import type { Measured } from '../../../src/bench/results';
import { judgeTargets } from '../../../src/bench/targets';
import type { BackendName, Mode, ResultRow } from '../../../src/bench/types';

function measured(name: BackendName, milliseconds: number[], extra: Partial<Measured> = {}): Measured {
  return {
    contender: BACKENDS.find((each) => each.name === name)!,
    milliseconds,
    peakBytes: milliseconds.map(() => 1000),
    numbers: [1, -2],
    problem: null,
    ...extra,
  };
}

function row(
  list: Measured[],
  {
    architecture = 'vgg19_bn',
    mode = 'predict',
    batchSize = 8,
    imageSize = 224,
  }: { architecture?: string; mode?: Mode; batchSize?: number; imageSize?: number } = {},
): ResultRow {
  return resultOf(list, { architecture, mode, batchSize, imageSize, flopsOfImage: 1e9, gigaflopsPerSecond: 100 });
}

describe('a measurement', () => {
  test('ratios to PyTorch and to the fastest peer, round by round', () => {
    const { contenders, bestPeer, toBestPeer } = row([
      measured('ours', [40, 50, 40]),
      measured('pytorch', [100, 100, 200]),
      measured('onnxruntime', [80, 100, 50]),
    ]);
    expect(contenders[0]?.timeToPyTorch).toEqual({ median: 0.4, least: 0.2, most: 0.5 });
    expect(bestPeer).toBe('onnxruntime');
    expect(toBestPeer).toEqual({ median: 0.5, least: 0.5, most: 0.8 });
  });

  test("ours with LibTorch's convolutions is no peer", () => {
    expect(row([measured('ours', [40]), measured('ours-libtorch', [30]), measured('pytorch', [100])]).bestPeer).toBe(
      'pytorch',
    );
  });

  test('arithmetic by time: 8 images of 1 GFLOP in 40 ms are 200 GFLOP/s, twice the ceiling', () => {
    expect(row([measured('ours', [40])]).contenders[0]).toMatchObject({
      gigaflopsPerSecond: 200,
      shareOfMatrixProduct: 2,
    });
    expect(row([measured('ours', [40])], { mode: 'cold', batchSize: 1 }).contenders[0]?.gigaflopsPerSecond).toBeNull();
  });

  test('who computes something else is no peer, however fast', () => {
    const { contenders, bestPeer } = row([
      measured('ours', [40]),
      measured('pytorch', [100]),
      measured('torchscript', [1], { numbers: [1, -2.1] }),
    ]);
    expect(contenders[2]).toMatchObject({ agrees: false });
    expect(contenders[2]?.difference).toBeCloseTo(0.05, 6);
    expect(bestPeer).toBe('pytorch');
  });

  test('who failed in a later round is no best peer, and its times give no ratio', () => {
    const { contenders, bestPeer } = row([
      measured('ours', [40, 40]),
      measured('pytorch', [100, 100]),
      measured('torch-compile', [10], { problem: 'it took longer than 300 s and was ended' }),
    ]);
    expect(bestPeer).toBe('pytorch');
    expect(contenders[2]?.timeToPyTorch).toBeNull();
  });

  test("without PyTorch the reference is ours with LibTorch's convolutions", () => {
    expect(row([measured('ours', [40]), measured('ours-libtorch', [50])])).toMatchObject({
      reference: 'ours-libtorch',
      bestPeer: null,
      toBestPeer: null,
      contenders: [
        { timeToPyTorch: null, difference: 0 },
        { difference: null, agrees: true },
      ],
    });
  });
});

describe('targets', () => {
  const all = ['train', 'predict', 'cold', 'memory'] as const;
  const list = (ours: number): Measured[] => [
    measured('ours', [ours], { peakBytes: [850] }),
    measured('pytorch', [100]),
    measured('onnxruntime', [50]),
  ];

  test('of VGG19-BN, each by the ratio it speaks of', () => {
    const rows = [
      row([measured('ours', [50], { peakBytes: [950] }), measured('pytorch', [100])], { mode: 'train' }),
      row(list(32), { batchSize: 1 }),
      row(list(20)),
      row(list(30), { batchSize: 32 }),
      row(list(24), { mode: 'cold', batchSize: 1 }),
    ];
    expect(
      judgeTargets(rows, all).map(({ text, against, limit, ratio, met }) => [text, against, limit, ratio?.median, met]),
    ).toEqual([
      ['training step, batch 8', 'PyTorch eager', 0.5, 0.5, true],
      ['peak memory, training step, batch 8', 'PyTorch eager', 0.9, 0.95, false],
      ['prediction, batch 1', 'the best peer (ONNX Runtime (Node))', 0.6, 0.64, false],
      ['prediction, batch 8', 'the best peer (ONNX Runtime (Node))', 0.45, 0.4, true],
      ['cold start to first prediction', 'PyTorch eager', 0.5, 0.24, true],
      ['cold start to first prediction', 'the best peer (ONNX Runtime (Node))', 0.5, 0.48, true],
    ]);
  });

  test('of others: no slower and no larger than PyTorch', () => {
    const rows = [
      row(list(104), { architecture: 'resnet18', mode: 'train' }),
      row(list(106), { architecture: 'resnet18' }),
    ];
    expect(judgeTargets(rows, all).map(({ text, limit, met }) => [text, limit, met])).toEqual([
      ['training step, batch 8', 1.05, true],
      ['peak memory, training step, batch 8', 1.05, true],
      ['prediction, batch 8', 1.05, false],
    ]);
  });

  test('VGG19-BN at another size is one of the others', () => {
    expect(judgeTargets([row(list(40), { imageSize: 64 })], all).map(({ limit }) => limit)).toEqual([1.05]);
  });

  test('a peer that is missing leaves it open; what was not asked for is not judged', () => {
    const alone = [row([measured('ours', [50])], { mode: 'train' })];
    expect(judgeTargets(alone, ['train'])).toMatchObject([
      { text: 'training step, batch 8', against: null, ratio: null, met: null },
    ]);
    expect(judgeTargets(alone, ['memory', 'predict'])).toMatchObject([
      { text: 'peak memory, training step, batch 8', met: null },
    ]);
  });

  test('ours that computes something else meets nothing', () => {
    expect(
      judgeTargets([row([measured('ours', [1], { numbers: [5, 5] }), measured('pytorch', [100])])], all),
    ).toMatchObject([{ met: null }]);
  });
});

/** The pure decisions of the train room: best epoch, threshold, class weights, calls to explain, meter. */
import type { Evaluation, ScoredSample } from '../../../src/metrics/types';
import { BestTracker } from '../../../src/train/best';
import { resolveClassWeights } from '../../../src/train/class-weights';
import { selectOutcomes } from '../../../src/train/outcomes';
import { Meter } from '../../../src/train/meter';
import { chooseThreshold } from '../../../src/train/threshold';

function scored(label: number, score: number, threshold = 0.5): ScoredSample {
  return {
    id: `${label}-${score}`,
    path: null,
    label,
    predicted: score >= threshold ? 1 : 0,
    probabilities: [1 - score, score],
    loss: 0,
  };
}

function of(samples: ScoredSample[]): Pick<Evaluation, 'samples' | 'classes'> {
  return { classes: ['no', 'yes'], samples };
}

describe('BestTracker', () => {
  const figures = (epoch: number, loss: number | null, accuracy: number | null, auc: number | null = null) => ({
    epoch,
    validationLoss: loss,
    validationAccuracy: accuracy,
    validationAuc: auc,
  });

  test('the metric decides, the loss breaks ties, then the earlier epoch stays', () => {
    const tracker = new BestTracker('accuracy');
    expect(tracker.best).toBeNull();
    expect(
      [
        figures(1, 0.5, 0.8),
        figures(2, 0.4, 0.7),
        figures(3, 0.4, 0.8),
        figures(4, 0.4, 0.8),
        figures(5, 0.9, 0.81),
      ].map((each) => tracker.offer(each)),
    ).toEqual([true, false, true, false, true]);
    expect(tracker.best).toEqual({ epoch: 5, metric: 'accuracy', value: 0.81 });
  });

  test('loss: the lower is the better; AUC: what is not defined loses', () => {
    const loss = new BestTracker('loss');
    expect([figures(1, 0.5, 0.8), figures(2, 0.6, 0.9), figures(3, 0.4, 0.1)].map((each) => loss.offer(each))).toEqual([
      true,
      false,
      true,
    ]);
    const auc = new BestTracker('auc');
    expect(
      [figures(1, 0.5, 0.8, null), figures(2, 0.6, 0.9, 0.3), figures(3, 0.4, 0.1, 0.2)].map((each) => auc.offer(each)),
    ).toEqual([true, true, false]);
  });

  test('without validation figures the newest is the best', () => {
    const tracker = new BestTracker('auc');
    expect([1, 2].map((epoch) => tracker.offer(figures(epoch, null, null)))).toEqual([true, true]);
    expect(tracker.best).toEqual({ epoch: 2, metric: 'last', value: null });
  });
});

describe('chooseThreshold', () => {
  test('has the highest Youden index of all thresholds, on random scores', () => {
    let state = 1;
    const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    for (let round = 0; round < 50; round += 1) {
      const samples = Array.from({ length: 30 }, (_, index) =>
        scored(index % 2, Math.round((0.3 * random() + 0.2 * (index % 2)) * 20) / 20),
      );
      const youden = (threshold: number): number =>
        [0, 1].reduce((sum, label) => {
          const own = samples.filter((sample) => sample.label === label);
          return (
            sum +
            own.filter(({ probabilities }) => (probabilities[1]! >= threshold ? 1 : 0) === label).length / own.length
          );
        }, -1);
      const best = Math.max(...samples.map(({ probabilities }) => youden(probabilities[1]!)), youden(2));
      const chosen = chooseThreshold(of(samples));
      expect(youden(chosen)).toBeCloseTo(best, 10);
      expect(chosen).toBeGreaterThanOrEqual(0);
      expect(chosen).toBeLessThanOrEqual(1);
    }
  });

  test('keeps 0.5 where it is among the best, else takes the middle of the gap', () => {
    expect(chooseThreshold(of([scored(0, 0.1), scored(1, 0.9)]))).toBe(0.5);
    expect(chooseThreshold(of([scored(0, 0.6), scored(0, 0.1), scored(1, 0.8)]))).toBeCloseTo(0.7, 12);
    expect(chooseThreshold(of([scored(0, 0.7), scored(1, 1)]))).toBeCloseTo(0.85, 12);
  });

  test('0.5 where there is nothing to choose by', () => {
    expect(chooseThreshold(of([scored(1, 0.9), scored(1, 0.2)]))).toBe(0.5);
    expect(chooseThreshold({ classes: ['a', 'b', 'c'], samples: [] })).toBe(0.5);
  });
});

describe('selectOutcomes', () => {
  test('takes confident predictions of each outcome, at random but repeatably, the most confident first', () => {
    const samples = Array.from({ length: 40 }, (_, index) => scored(1, 0.9 + (index + 1) / 500));
    const [truePositives, falsePositives] = selectOutcomes(of(samples), { perKind: 5 });
    expect(truePositives).toMatchObject({ kind: 'truePositive', predicted: 1, count: 40, threshold: 0.9, note: null });
    expect(truePositives?.samples).toHaveLength(5);
    const scores = truePositives?.samples.map(({ probabilities }) => probabilities[1]!) ?? [];
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(selectOutcomes(of(samples), { perKind: 5 })).toEqual(selectOutcomes(of(samples), { perKind: 5 }));
    expect(selectOutcomes(of(samples), { perKind: 5, seed: 1 })[0]?.samples).not.toEqual(truePositives?.samples);
    expect(falsePositives).toMatchObject({ samples: [], count: 0, threshold: 0.9, note: null });
  });

  test('too few confident predictions: the most confident of all, and it says so', () => {
    const groups = selectOutcomes(
      of([
        scored(0, 0.95),
        scored(0, 0.6),
        scored(0, 0.7),
        scored(1, 0.05),
        scored(1, 0.4),
        scored(0, 0.3),
        scored(0, 0.05),
      ]),
    );
    expect(groups.map(({ kind, samples, threshold }) => [kind, samples.map(({ id }) => id), threshold])).toEqual([
      ['truePositive', [], 0.9],
      ['falsePositive', ['0-0.95', '0-0.7', '0-0.6'], 0],
      ['trueNegative', ['0-0.05', '0-0.3'], 0],
      ['falseNegative', ['1-0.05', '1-0.4'], 0],
    ]);
    expect(groups[1]?.note).toBe(
      'Only 1 of 3 false positive predictions has a score above 0.9; the most confident are shown.',
    );
  });
});

describe('resolveClassWeights', () => {
  const dataset = (labels: number[]) => ({
    name: 'made up',
    classes: ['a', 'b'],
    samples: labels.map((label, index) => ({ id: String(index), source: 'x', label })),
  });

  test('balanced: n / (classes × count)', () => {
    expect([...resolveClassWeights('balanced', dataset([0, 0, 0, 1]))]).toEqual([Math.fround(4 / 6), 2]);
    expect(() => resolveClassWeights('balanced', dataset([0, 0]))).toThrow(/no sample of b/);
  });

  test('numbers are taken as they are, one a class', () => {
    expect([...resolveClassWeights([1, 3], dataset([0, 1]))]).toEqual([1, 3]);
    expect(resolveClassWeights(undefined, dataset([0, 1]))).toHaveLength(0);
    expect(() => resolveClassWeights([1], dataset([0, 1]))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  });
});

test('Meter: means over samples, NaN before the first', () => {
  const meter = new Meter();
  expect(meter.compute()).toEqual({ loss: NaN, accuracy: NaN, samples: 0 });
  const outputs = (losses: number[], probabilities: number[]) => ({
    logits: new Float32Array(0),
    losses: Float32Array.from(losses),
    probabilities: Float32Array.from(probabilities),
  });
  expect(meter.update(outputs([1, 3], [0.9, 0.1, 0.9, 0.1]), Int32Array.of(0, 1))).toEqual({
    loss: 2,
    accuracy: 0.5,
    samples: 2,
  });
  meter.update(outputs([5], [0.1, 0.9]), Int32Array.of(1));
  expect(meter.compute()).toEqual({ loss: 3, accuracy: 2 / 3, samples: 3 });
  meter.reset();
  expect(meter.compute().samples).toBe(0);
});

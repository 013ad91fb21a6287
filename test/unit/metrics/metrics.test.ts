/** What the counting classes do batch by batch, and what the metrics refuse. The figures are in test/parity/metrics. */
import { ConfusionMatrix } from '../../../src/metrics/confusion-matrix';
import { classificationReport, crossEntropy } from '../../../src/metrics/classification';
import { delongInterval, normalQuantile, wilson } from '../../../src/metrics/intervals';
import { MeanMetric } from '../../../src/metrics/mean';
import { binaryCounts, sensitivity } from '../../../src/metrics/rates';
import { averagePrecision, prCurve, rocAuc, rocCurve } from '../../../src/metrics/roc';

const refused = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_METRICS', message: expect.stringMatching(message) as string });
const refusalOf = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

describe('MeanMetric', () => {
  test('is the mean over samples, not over batches', () => {
    const mean = new MeanMetric();
    mean.update(8, 8);
    mean.update(5, 1);
    expect(mean.compute()).toBeCloseTo(13 / 9, 15);
    expect(mean.count).toBe(9);
  });

  test('does not depend on the order of small and large values', () => {
    const mean = new MeanMetric();
    mean.updateAll([1e16, 1, -1e16, 1]);
    expect(mean.compute()).toBe(0.5);
  });

  test('is NaN when empty or reset, and lets NaN and infinity through', () => {
    const mean = new MeanMetric();
    expect(mean.compute()).toBeNaN();
    mean.updateAll(Float32Array.of(1, 2));
    mean.reset();
    expect(mean.compute()).toBeNaN();
    mean.update(Number.POSITIVE_INFINITY);
    expect(mean.compute()).toBe(Number.POSITIVE_INFINITY);
    mean.update(Number.NaN);
    expect(mean.compute()).toBeNaN();
  });

  test.each([-1, 0.5, Number.NaN])('refuses the count %p', (count) => {
    expect(refusalOf(() => new MeanMetric().update(1, count))).toEqual(refused(/whole number >= 0/));
  });
});

describe('ConfusionMatrix', () => {
  test('adds batches, merges, copies out and resets', () => {
    const matrix = new ConfusionMatrix(3);
    matrix.update([0, 1], [0, 2]);
    matrix.update(Int32Array.of(2), Int32Array.of(2));
    const other = new ConfusionMatrix(3);
    other.update([2], [0]);
    matrix.merge(other);
    expect(matrix.compute()).toEqual([
      [1, 0, 0],
      [0, 0, 1],
      [1, 0, 1],
    ]);
    expect(matrix.total).toBe(4);
    matrix.compute()[0]![0] = 99;
    expect(matrix.compute()[0]![0]).toBe(1);
    matrix.update([], []);
    expect(matrix.total).toBe(4);
    matrix.reset();
    expect(matrix.total).toBe(0);
  });

  test('refuses wrong lengths, labels and sizes, and counts nothing of a refused batch', () => {
    const matrix = new ConfusionMatrix(2);
    expect(refusalOf(() => matrix.update([0, 1], [0]))).toEqual(refused(/2 labels and 1 predictions/));
    expect(refusalOf(() => matrix.update([0, 2], [0, 0]))).toEqual(refused(/label 1 is 2.*from 0 to 1/));
    expect(refusalOf(() => matrix.update([0, 1], [0, -1]))).toEqual(refused(/prediction 1 is -1/));
    expect(refusalOf(() => matrix.merge(new ConfusionMatrix(3)))).toEqual(refused(/3 classes/));
    expect(refusalOf(() => new ConfusionMatrix(1))).toEqual(refused(/>= 2/));
    expect(matrix.total).toBe(0);
  });
});

describe('refusals', () => {
  test.each([
    ['rocCurve', rocCurve],
    ['rocAuc', rocAuc],
    ['prCurve', prCurve],
    ['averagePrecision', averagePrecision],
    ['delongInterval', delongInterval],
  ])('%s', (_, of) => {
    expect(refusalOf(() => of([], []))).toEqual(refused(/no samples/));
    expect(refusalOf(() => of([1], []))).toEqual(refused(/1 labels and 0 scores/));
    expect(refusalOf(() => of([0, 2], [0, 1]))).toEqual(refused(/label 1 is 2/));
    expect(refusalOf(() => of([0, 1], [0, Number.NaN]))).toEqual(refused(/score 1 is NaN.*diverged/));
    expect(refusalOf(() => of([0, 1], [Number.POSITIVE_INFINITY, 0]))).toEqual(refused(/score 0 is Infinity/));
  });

  test('intervals, reports and counts', () => {
    expect(wilson(0, 0)).toBeNull();
    expect(refusalOf(() => wilson(3, 2))).toEqual(refused(/3 of 2/));
    expect(refusalOf(() => wilson(1.5, 2))).toEqual(refused(/1.5 of 2/));
    expect(refusalOf(() => wilson(1, 2, 95))).toEqual(refused(/confidence level.*got 95/));
    expect(refusalOf(() => delongInterval([0, 1], [0, 1], 0))).toEqual(refused(/confidence level/));
    expect(refusalOf(() => normalQuantile(1))).toEqual(refused(/between 0 and 1/));
    expect(refusalOf(() => classificationReport([], [], ['a', 'b']))).toEqual(refused(/no samples/));
    expect(refusalOf(() => crossEntropy([0], [[0.4, 0.4]]))).toEqual(refused(/sum to 0.8/));
    expect(refusalOf(() => crossEntropy([0, 0], [[0.4, 0.6], [1]]))).toEqual(refused(/row 1 has 1 probabilities/));
    expect(refusalOf(() => crossEntropy([2], [[0.4, 0.6]]))).toEqual(refused(/label 0 is 2/));
    expect(refusalOf(() => binaryCounts([[1, 2]], 0))).toEqual(refused(/square/));
    expect(refusalOf(() => binaryCounts([[1]], 1))).toEqual(refused(/class 1/));
  });

  test('a rate with nothing to divide by is NaN, not 0', () => {
    expect(sensitivity({ truePositives: 0, falsePositives: 1, trueNegatives: 1, falseNegatives: 0 })).toBeNaN();
  });
});

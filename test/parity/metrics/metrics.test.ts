/** The metrics against scikit-learn and SciPy; reference.json is written by make_reference.py beside this file. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfusionMatrix, confusionMatrix } from '../../../src/metrics/confusion-matrix';
import { classificationReport, crossEntropy } from '../../../src/metrics/classification';
import { summarize } from '../../../src/metrics/evaluation';
import { delongInterval, normalQuantile, wilson } from '../../../src/metrics/intervals';
import {
  accuracy,
  balancedAccuracy,
  binaryCounts,
  f1,
  precision,
  sensitivity,
  specificity,
} from '../../../src/metrics/rates';
import { averagePrecision, prCurve, rocAuc, rocCurve } from '../../../src/metrics/roc';

type Figures = Record<
  | 'auc'
  | 'averagePrecision'
  | 'accuracy'
  | 'balancedAccuracy'
  | 'mcc'
  | 'sensitivity'
  | 'specificity'
  | 'precision'
  | 'f1'
  | 'logLoss',
  number
>;
interface TwoClassCase extends Figures {
  name: string;
  labels: number[];
  scores: number[];
  roc: { dropped: unknown; full: unknown };
  pr: unknown;
  confusionMatrix: number[][];
  delong: { interval: unknown };
}
interface MultiClassCase extends Figures {
  name: string;
  labels: number[];
  probabilities: number[][];
  confusionMatrix: number[][];
  report: unknown;
}
interface Reference {
  binary: TwoClassCase[];
  multiclass: MultiClassCase[];
  wilson: { successes: number; n: number; level: number; interval: unknown }[];
  normalQuantile: { probability: number; quantile: number }[];
}

const SPECIAL: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};
const reference = JSON.parse(
  readFileSync(path.join(__dirname, 'reference.json'), 'utf8'),
  (key: string, value: unknown): unknown =>
    typeof value === 'string' && key !== 'name' ? (SPECIAL[value] ?? value) : value,
) as Reference;

/** Equal in structure; numbers within 1e-12 of each other, NaN and infinity exactly. */
function expectClose(actual: unknown, expected: unknown, where = ''): void {
  if (typeof expected === 'number') {
    if (!Number.isFinite(expected)) expect([where, actual]).toEqual([where, expected]);
    else
      expect([
        where,
        Math.abs((actual as number) - expected) <= 1e-12 * Math.max(1, Math.abs(expected)),
        actual,
        expected,
      ]).toEqual([where, true, actual, expected]);
  } else if (Array.isArray(expected)) {
    expect([where, (actual as unknown[]).length]).toEqual([where, expected.length]);
    expected.forEach((value, index) => expectClose((actual as unknown[])[index], value, `${where}[${index}]`));
  } else if (expected !== null && typeof expected === 'object') {
    for (const [key, value] of Object.entries(expected))
      expectClose((actual as Record<string, unknown>)[key], value, `${where}.${key}`);
  } else expect([where, actual]).toEqual([where, expected]);
}

const nullIfNaN = (value: number): number | null => (Number.isNaN(value) ? null : value);
const toSamples = (labels: number[], rows: number[][]) =>
  labels.map((label, index) => ({ id: `${index}`, path: null, label, probabilities: rows[index]!, loss: 0.5 }));

describe.each(reference.binary)('two classes: $name', (c) => {
  const calls = c.scores.map((score) => Number(score >= 0.5));

  test('ROC curve, with and without intermediate points, and its area', () => {
    expectClose(rocCurve(c.labels, c.scores), c.roc.dropped, 'dropped');
    expectClose(rocCurve(c.labels, c.scores, { dropIntermediate: false }), c.roc.full, 'full');
    expectClose(rocAuc(c.labels, c.scores), c.auc, 'auc');
  });

  test('precision-recall curve and average precision', () => {
    expectClose(prCurve(c.labels, c.scores), c.pr, 'pr');
    expectClose(averagePrecision(c.labels, c.scores), c.averagePrecision, 'averagePrecision');
  });

  test('confusion matrix and rates', () => {
    const matrix = confusionMatrix(c.labels, calls, 2);
    expect(matrix).toEqual(c.confusionMatrix);
    const counts = binaryCounts(matrix);
    for (const [name, of] of Object.entries({ accuracy, sensitivity, specificity, precision, f1 }))
      expectClose(of(counts), c[name as keyof Figures], name);
    expectClose(balancedAccuracy(matrix), c.balancedAccuracy, 'balancedAccuracy');
  });

  test('log loss and DeLong', () => {
    expectClose(
      crossEntropy(
        c.labels,
        c.scores.map((score) => [1 - score, score]),
      ),
      c.logLoss,
      'logLoss',
    );
    expectClose(delongInterval(c.labels, c.scores), c.delong, 'delong');
  });

  test('summarize says the same, with null for what is not defined', () => {
    const evaluation = summarize({
      split: 'test',
      classes: ['a', 'b'],
      samples: toSamples(
        c.labels,
        c.scores.map((score) => [1 - score, score]),
      ),
    });
    for (const name of [
      'accuracy',
      'balancedAccuracy',
      'mcc',
      'sensitivity',
      'specificity',
      'precision',
      'f1',
      'auc',
    ] as const)
      expectClose(evaluation[name], nullIfNaN(c[name]), name);
    expect(evaluation.confusionMatrix).toEqual(c.confusionMatrix);
    expectClose(evaluation.intervals.auc, c.delong.interval, 'interval');
    expect(evaluation.averagePrecision === null).toBe(!c.labels.includes(1));
  });
});

describe.each(reference.multiclass)('more classes: $name', (c) => {
  const classes = c.probabilities[0]!.map((_, index) => `class ${index}`);
  const calls = c.probabilities.map((row) => row.indexOf(Math.max(...row)));

  test('confusion matrix, report, balanced accuracy, log loss', () => {
    const matrix = new ConfusionMatrix(classes.length);
    matrix.update(c.labels, calls);
    expect(matrix.compute()).toEqual(c.confusionMatrix);
    expectClose(classificationReport(c.labels, calls, classes), c.report, 'report');
    expectClose(balancedAccuracy(matrix.compute()), c.balancedAccuracy, 'balancedAccuracy');
    expectClose(crossEntropy(c.labels, c.probabilities), c.logLoss, 'logLoss');
  });

  test('summarize: macro figures', () => {
    const evaluation = summarize({ split: 'test', classes, samples: toSamples(c.labels, c.probabilities) });
    for (const name of [
      'sensitivity',
      'specificity',
      'precision',
      'f1',
      'auc',
      'averagePrecision',
      'balancedAccuracy',
      'mcc',
    ] as const)
      expectClose(evaluation[name], nullIfNaN(c[name]), name);
    expect(evaluation.threshold).toBeNull();
  });
});

test.each(reference.wilson)('Wilson interval of $successes in $n at $level', ({ successes, n, level, interval }) => {
  expectClose(wilson(successes, n, level), interval, 'wilson');
});

test.each(reference.normalQuantile)('normal quantile of $probability', ({ probability, quantile }) => {
  expectClose(normalQuantile(probability), quantile, 'quantile');
});

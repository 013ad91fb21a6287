/**
 * Rates from counts. Where there is nothing to divide by, a rate is NaN, as scikit-learn returns it with
 * `zero_division=np.nan`; it is never passed off as 0 or 1.
 */
import { describeValue } from '../text/describe';
import { checkCount, checkMatrix, refuse } from './check';

/** The four counts of one class against all others. */
export interface BinaryCounts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

/**
 * One class of a confusion matrix against all others.
 *
 * @param matrix counts, [true][predicted]
 * @param positive the class that counts as positive; class 1 by default
 * @throws CovidCtError ERR_METRICS when the matrix is not square or has no such class
 * @example
 * ```ts
 * import { binaryCounts } from 'covidct-torch/metrics';
 *
 * const counts = binaryCounts([[4, 1], [2, 3]]); // [true][predicted]
 * console.log(counts.truePositives, counts.falsePositives); // 3 1
 * ```
 */
export function binaryCounts(matrix: readonly (readonly number[])[], positive = 1): BinaryCounts {
  checkMatrix('binaryCounts', matrix);
  if (typeof positive !== 'number' || matrix[positive] === undefined) {
    refuse(
      'binaryCounts',
      `class ${describeValue(positive)} of a matrix with ${matrix.length} rows was asked for; there is no such class`,
    );
  }
  let truePositives = 0;
  let falsePositives = 0;
  let trueNegatives = 0;
  let falseNegatives = 0;
  matrix.forEach((row, truth) =>
    row.forEach((count, predicted) => {
      if (truth === positive && predicted === positive) truePositives += count;
      else if (truth === positive) falseNegatives += count;
      else if (predicted === positive) falsePositives += count;
      else trueNegatives += count;
    }),
  );
  return { truePositives, falsePositives, trueNegatives, falseNegatives };
}

/** a / b, and NaN for 0 / 0. */
function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? Number.NaN : numerator / denominator;
}

function checkCounts(where: string, counts: BinaryCounts): void {
  for (const name of ['truePositives', 'falsePositives', 'trueNegatives', 'falseNegatives'] as const) {
    let count: unknown;
    try {
      count = (counts as BinaryCounts | null | undefined)?.[name];
    } catch {
      refuse(where, `${name} cannot be read; got ${describeValue(counts)}`);
    }
    checkCount(where, name, count);
  }
}

/**
 * Share of samples called rightly, (TP + TN) / all.
 *
 * @example
 * ```ts
 * import { accuracy } from 'covidct-torch/metrics';
 *
 * console.log(accuracy({ truePositives: 3, falsePositives: 1, trueNegatives: 4, falseNegatives: 2 })); // 0.7
 * ```
 */
export function accuracy(counts: BinaryCounts): number {
  checkCounts('accuracy', counts);
  const right = counts.truePositives + counts.trueNegatives;
  return ratio(right, right + counts.falsePositives + counts.falseNegatives);
}

/**
 * Share of the positives that were found, TP / (TP + FN); also called recall.
 *
 * @example
 * ```ts
 * import { binaryCounts, sensitivity } from 'covidct-torch/metrics';
 *
 * console.log(sensitivity(binaryCounts([[4, 1], [2, 3]]))); // 0.6
 * ```
 */
export function sensitivity(counts: BinaryCounts): number {
  checkCounts('sensitivity', counts);
  return ratio(counts.truePositives, counts.truePositives + counts.falseNegatives);
}

/**
 * Share of the negatives that were left alone, TN / (TN + FP).
 *
 * @example
 * ```ts
 * import { binaryCounts, specificity } from 'covidct-torch/metrics';
 *
 * console.log(specificity(binaryCounts([[4, 1], [2, 3]]))); // 0.8
 * ```
 */
export function specificity(counts: BinaryCounts): number {
  checkCounts('specificity', counts);
  return ratio(counts.trueNegatives, counts.trueNegatives + counts.falsePositives);
}

/**
 * Share of the positive calls that are right, TP / (TP + FP); also called positive predictive value.
 *
 * @example
 * ```ts
 * import { binaryCounts, precision } from 'covidct-torch/metrics';
 *
 * console.log(precision(binaryCounts([[4, 1], [2, 3]]))); // 0.75
 * ```
 */
export function precision(counts: BinaryCounts): number {
  checkCounts('precision', counts);
  return ratio(counts.truePositives, counts.truePositives + counts.falsePositives);
}

/**
 * Harmonic mean of precision and sensitivity, 2 TP / (2 TP + FP + FN).
 *
 * @example
 * ```ts
 * import { binaryCounts, f1 } from 'covidct-torch/metrics';
 *
 * console.log(f1(binaryCounts([[4, 1], [2, 3]]))); // 0.666...
 * ```
 */
export function f1(counts: BinaryCounts): number {
  checkCounts('f1', counts);
  return ratio(2 * counts.truePositives, 2 * counts.truePositives + counts.falsePositives + counts.falseNegatives);
}

/**
 * Share of the diagonal in a confusion matrix of any number of classes.
 *
 * @example
 * ```ts
 * import { overallAccuracy } from 'covidct-torch/metrics';
 *
 * console.log(overallAccuracy([[4, 1], [2, 3]])); // 0.7
 * ```
 */
export function overallAccuracy(matrix: readonly (readonly number[])[]): number {
  checkMatrix('overallAccuracy', matrix);
  let right = 0;
  let all = 0;
  matrix.forEach((row, truth) =>
    row.forEach((count, predicted) => {
      all += count;
      if (truth === predicted) right += count;
    }),
  );
  return ratio(right, all);
}

/**
 * Mean over classes of the recall. Classes without samples are left out, as scikit-learn's
 * `balanced_accuracy_score` does; NaN when no class has any.
 *
 * @example
 * ```ts
 * import { balancedAccuracy } from 'covidct-torch/metrics';
 *
 * console.log(balancedAccuracy([[9, 1], [2, 2]])); // (0.9 + 0.5) / 2 = 0.7
 * ```
 */
export function balancedAccuracy(matrix: readonly (readonly number[])[]): number {
  checkMatrix('balancedAccuracy', matrix);
  return meanOfDefined(matrix.map((_, index) => sensitivity(binaryCounts(matrix, index))));
}

/**
 * Matthews correlation coefficient of labels and predictions of any number of classes, in [-1, 1] (Gorodkin,
 * Computational Biology and Chemistry 28, 2004); equal to scikit-learn's `matthews_corrcoef`, but NaN instead of 0
 * where all labels or all predictions are of one class.
 *
 * @param matrix counts, [true][predicted]
 * @throws CovidCtError ERR_METRICS when the matrix is not square
 *
 * @example
 * ```ts
 * import { matthewsCorrelation } from 'covidct-torch/metrics';
 *
 * const mcc: number = matthewsCorrelation([
 *   [40, 10],
 *   [5, 45],
 * ]);
 * ```
 */
export function matthewsCorrelation(matrix: readonly (readonly number[])[]): number {
  checkMatrix('matthewsCorrelation', matrix);
  const truths = matrix.map((row) => row.reduce((sum, count) => sum + count, 0));
  const calls = matrix.map((_, index) => matrix.reduce((sum, row) => sum + row[index]!, 0));
  const all = truths.reduce((sum, count) => sum + count, 0);
  const right = matrix.reduce((sum, row, index) => sum + row[index]!, 0);
  const squares = (counts: readonly number[]): number => all * all - counts.reduce((sum, n) => sum + n * n, 0);
  const together = truths.reduce((sum, count, index) => sum + count * calls[index]!, 0);
  return ratio(right * all - together, Math.sqrt(squares(truths) * squares(calls)));
}

/** Mean of the values that are not NaN; NaN when there are none. */
export function meanOfDefined(values: readonly number[]): number {
  const defined = values.filter((value) => !Number.isNaN(value));
  return ratio(
    defined.reduce((sum, value) => sum + value, 0),
    defined.length,
  );
}

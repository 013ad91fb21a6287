/** Curves over all thresholds: ROC with its area, precision against recall with the average precision. */
import { z } from 'zod';
import { checkOptions } from '../options/check';
import { checkLabels, checkLengths, checkScores } from './check';

const rocOptionsSchema = z.strictObject({ dropIntermediate: z.boolean().default(true) });

/** Points of an ROC curve, from the strictest threshold to the loosest. */
export interface RocCurve {
  /** 1 - specificity at each point; all NaN when there are no negatives. */
  readonly falsePositiveRate: readonly number[];
  /** Sensitivity at each point; all NaN when there are no positives. */
  readonly truePositiveRate: readonly number[];
  /** A score at or above this is predicted positive. The first is Infinity: nothing is. */
  readonly thresholds: readonly number[];
}

/** Points of a precision-recall curve, from the loosest threshold to the strictest. */
export interface PrecisionRecallCurve {
  /** One more than `thresholds`; the last is 1. */
  readonly precision: readonly number[];
  /** One more than `thresholds`; the last is 0. All others are 1 when there are no positives, as in scikit-learn. */
  readonly recall: readonly number[];
  readonly thresholds: readonly number[];
}

/** Cumulated counts at every distinct score, highest score first; samples of equal score are one step. */
interface Steps {
  readonly truePositives: number[];
  readonly falsePositives: number[];
  readonly thresholds: number[];
}

function check(where: string, labels: ArrayLike<number>, scores: ArrayLike<number>): void {
  checkLengths(where, labels, scores, 'scores');
  checkLabels(where, labels, 2);
  checkScores(where, scores);
}

function cumulate(labels: ArrayLike<number>, scores: ArrayLike<number>): Steps {
  const order = Array.from({ length: scores.length }, (_, index) => index).sort((a, b) => scores[b]! - scores[a]!);
  const steps: Steps = { truePositives: [], falsePositives: [], thresholds: [] };
  let positives = 0;
  order.forEach((sample, position) => {
    positives += labels[sample]!;
    const next = order[position + 1];
    if (next !== undefined && scores[next] === scores[sample]) return;
    steps.truePositives.push(positives);
    steps.falsePositives.push(position + 1 - positives);
    steps.thresholds.push(scores[sample]!);
  });
  return steps;
}

/** Positions that are a corner of the curve: the second difference of one of the two counts is not 0. */
function corners({ truePositives, falsePositives }: Steps): number[] {
  const bend = (values: number[], index: number): number =>
    values[index + 1]! - 2 * values[index]! + values[index - 1]!;
  const last = truePositives.length - 1;
  return truePositives
    .map((_, index) => index)
    .filter(
      (index) => index === 0 || index === last || bend(truePositives, index) !== 0 || bend(falsePositives, index) !== 0,
    );
}

/**
 * The receiver operating characteristic, equal to scikit-learn's `roc_curve` in values, order and number of points.
 *
 * @param labels n integers, 0 or 1; 1 is positive
 * @param scores n finite numbers; higher means more likely positive. Samples of equal score are one step of the curve
 * @param options `dropIntermediate` (default true, as in scikit-learn) leaves out points on a straight line between
 *   their neighbors, which changes neither the drawn curve nor its area
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { rocCurve } from 'covidct-torch/metrics';
 *
 * const curve = rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
 * console.log(curve);
 * ```
 */
export function rocCurve(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  options: { dropIntermediate?: boolean } = {},
): RocCurve {
  check('rocCurve', labels, scores);
  const { dropIntermediate } = checkOptions(rocOptionsSchema, options, 'rocCurve');
  const steps = cumulate(labels, scores);
  const positives = steps.truePositives.at(-1)!;
  const negatives = steps.falsePositives.at(-1)!;
  const kept = dropIntermediate ? corners(steps) : steps.thresholds.map((_, index) => index);
  // 0 / 0 is NaN, also at the start: without positives (or negatives) no point of the curve is defined.
  return {
    falsePositiveRate: [0 / negatives, ...kept.map((index) => steps.falsePositives[index]! / negatives)],
    truePositiveRate: [0 / positives, ...kept.map((index) => steps.truePositives[index]! / positives)],
    thresholds: [Number.POSITIVE_INFINITY, ...kept.map((index) => steps.thresholds[index]!)],
  };
}

/**
 * Area under the ROC curve: the chance that a positive scores higher than a negative, ties counting one half
 * (Mann-Whitney). Equal to scikit-learn's `roc_auc_score`: NaN when only one class is present.
 *
 * @param labels n integers, 0 or 1
 * @param scores n finite numbers
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { rocAuc } from 'covidct-torch/metrics';
 *
 * console.log(rocAuc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])); // 0.75
 * ```
 */
export function rocAuc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  check('rocAuc', labels, scores);
  const { truePositives, falsePositives } = cumulate(labels, scores);
  let doubledArea = 0;
  truePositives.forEach((current, index) => {
    const width = falsePositives[index]! - (falsePositives[index - 1] ?? 0);
    doubledArea += width * (current + (truePositives[index - 1] ?? 0));
  });
  return doubledArea / (2 * truePositives.at(-1)! * falsePositives.at(-1)!);
}

/**
 * Precision against recall at every distinct score, equal to scikit-learn's `precision_recall_curve`.
 *
 * @param labels n integers, 0 or 1
 * @param scores n finite numbers
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { prCurve } from 'covidct-torch/metrics';
 *
 * const { precision: precisions, recall } = prCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
 * console.log(precisions, recall);
 * ```
 */
export function prCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): PrecisionRecallCurve {
  check('prCurve', labels, scores);
  const { truePositives, falsePositives, thresholds } = cumulate(labels, scores);
  const positives = truePositives.at(-1)!;
  const precision = truePositives.map((count, index) => count / (count + falsePositives[index]!));
  const recall = truePositives.map((count) => (positives === 0 ? 1 : count / positives));
  return { precision: [...precision.reverse(), 1], recall: [...recall.reverse(), 0], thresholds: thresholds.reverse() };
}

/**
 * Average precision, the sum over thresholds of precision times the gain in recall; equal to scikit-learn's
 * `average_precision_score`, which returns 0 when there are no positives.
 *
 * @param labels n integers, 0 or 1
 * @param scores n finite numbers
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { averagePrecision } from 'covidct-torch/metrics';
 *
 * console.log(averagePrecision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])); // 0.833...
 * ```
 */
export function averagePrecision(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  const { precision, recall } = prCurve(labels, scores);
  let sum = 0;
  for (let index = 0; index + 1 < precision.length; index++)
    sum += precision[index]! * (recall[index]! - recall[index + 1]!);
  return Math.max(0, sum);
}

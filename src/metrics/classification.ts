/** The table of precision, recall and F1 by class, and the cross entropy of given probabilities. */
import { checkArgument } from '../options/check';
import { classNamesSchema } from './evaluation-schema';
import { checkLengths, checkLabels, checkList, checkScores, refuse } from './check';
import { confusionMatrix } from './confusion-matrix';
import { binaryCounts, f1, meanOfDefined, overallAccuracy, precision, sensitivity } from './rates';

/** One row of the report. Metrics are NaN where there is nothing to divide by. */
export interface ClassMetrics {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** True samples of the class. */
  readonly support: number;
}

/** Metrics by class and their averages, as scikit-learn's `classification_report` with `zero_division=np.nan`. */
export interface ClassificationReport {
  /** In the order of the class list. */
  readonly perClass: readonly (ClassMetrics & { readonly name: string })[];
  readonly accuracy: number;
  /** Plain mean over classes, metrics that are NaN left out. */
  readonly macro: ClassMetrics;
  /** Mean over classes weighted by support, metrics that are NaN left out with their weight. */
  readonly weighted: ClassMetrics;
}

function weightedMean(values: readonly number[], weights: readonly number[]): number {
  let sum = 0;
  let total = 0;
  values.forEach((value, index) => {
    if (Number.isNaN(value)) return;
    sum += value * weights[index]!;
    total += weights[index]!;
  });
  return total === 0 ? Number.NaN : sum / total;
}

/**
 * Precision, recall, F1 and support of every class.
 *
 * @param labels true class indices, n >= 1 integers
 * @param predictions predicted class indices, n integers
 * @param classes class names; a label is an index into them
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths or labels out of range
 * @example
 * ```ts
 * import { classificationReport } from 'covidct-torch/metrics';
 *
 * const { perClass, macro } = classificationReport([0, 0, 1, 1], [0, 1, 1, 1], ['NonCOVID', 'COVID']);
 * console.log(perClass[1]?.recall, macro.f1); // 1 0.733...
 * ```
 */
export function classificationReport(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: readonly string[],
): ClassificationReport {
  checkArgument(classNamesSchema, classes, 'classificationReport', 'classes');
  checkLengths('classificationReport', labels, predictions, 'predictions');
  const matrix = confusionMatrix(labels, predictions, classes.length);
  const perClass = classes.map((name, index) => {
    const counts = binaryCounts(matrix, index);
    return {
      name,
      precision: precision(counts),
      recall: sensitivity(counts),
      f1: f1(counts),
      support: counts.truePositives + counts.falseNegatives,
    };
  });
  const average = (mean: (values: number[]) => number): ClassMetrics => ({
    precision: mean(perClass.map((row) => row.precision)),
    recall: mean(perClass.map((row) => row.recall)),
    f1: mean(perClass.map((row) => row.f1)),
    support: labels.length,
  });
  const support = perClass.map((row) => row.support);
  return {
    perClass,
    accuracy: overallAccuracy(matrix),
    macro: average(meanOfDefined),
    weighted: average((values) => weightedMean(values, support)),
  };
}

/**
 * Mean cross entropy of probabilities, in nats; equal to scikit-learn's `log_loss`, which keeps probabilities away from
 * 0 and 1 by 2.22e-16 so that one sure mistake does not make the mean infinite. From logits the network's own loss,
 * which needs no such bound, is the better metric.
 *
 * @param labels n >= 1 integers
 * @param probabilities n rows of one probability per class, each row summing to 1
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, labels out of range or rows that are no
 *   probabilities
 * @example
 * ```ts
 * import { crossEntropy } from 'covidct-torch/metrics';
 *
 * console.log(crossEntropy([0, 1], [[0.9, 0.1], [0.2, 0.8]])); // 0.164...
 * ```
 */
export function crossEntropy(labels: ArrayLike<number>, probabilities: readonly ArrayLike<number>[]): number {
  checkLengths('crossEntropy', labels, probabilities, 'rows of probabilities');
  probabilities.forEach((row, index) => checkList('crossEntropy', row, `row ${index} of the probabilities`));
  const classes = probabilities[0]!.length;
  checkLabels('crossEntropy', labels, classes);
  let sum = 0;
  probabilities.forEach((row, index) => {
    checkScores('crossEntropy', row);
    const total = Array.from(row).reduce((a, b) => a + b, 0);
    if (row.length !== classes || Math.abs(total - 1) > 1e-3) {
      refuse(
        'crossEntropy',
        `row ${index} has ${row.length} probabilities that sum to ${total}; ${classes} that sum to 1 are needed`,
      );
    }
    sum -= Math.log(Math.min(1 - Number.EPSILON, Math.max(Number.EPSILON, row[labels[index]!]!)));
  });
  return sum / labels.length;
}

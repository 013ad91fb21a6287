/** Turns the scores of a split's samples into its metrics. */
import { checkArgument } from '../options/check';
import { summarizeInputSchema } from './evaluation-schema';
import { checkLabels, refuse } from './check';
import { confusionMatrix } from './confusion-matrix';
import { MeanMetric } from './mean';
import { binaryCounts } from './rates';
import { computeIntervals, computeMetrics } from './registry';
import { classRate, orNull } from './scored-split';
import type { ScoredSplit } from './scored-split';
import type { ClassRates, Evaluation, ScoredSample } from './types';

/** What {@link summarize} needs. */
export interface SummarizeInput {
  /** Name of the split, e.g. `test`. */
  readonly split: string;
  /** Class names; a label is an index into them. At least two. */
  readonly classes: readonly string[];
  /** The model's scores; a `predicted` that is already there is not read. */
  readonly samples: readonly (Omit<ScoredSample, 'predicted'> & { readonly predicted?: number })[];
  /**
   * Two classes only: a probability of class 1 at or above this is predicted positive. The default 0.5 is the argmax;
   * where both probabilities are exactly 0.5, the sample is predicted positive.
   */
  readonly threshold?: number;
  /** Files left out because they could not be decoded. */
  readonly skipped?: readonly { readonly id: string; readonly reason: string }[];
}

function check(input: SummarizeInput): void {
  const { classes, samples, threshold } = input;
  const where = `summarize (${input.split})`;
  if (classes.length < 2) refuse(where, `at least two classes are needed, got ${classes.length}`);
  if (threshold !== undefined && classes.length !== 2)
    refuse(where, `a threshold is for two classes; there are ${classes.length}`);
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    refuse(where, `the threshold must lie in [0, 1], got ${threshold}`);
  checkLabels(
    where,
    samples.map((sample) => sample.label),
    classes.length,
  );
  for (const { id, probabilities, loss } of samples) {
    if (probabilities.length !== classes.length || !probabilities.every((value) => value >= 0 && value <= 1.000001)) {
      refuse(
        where,
        `${id} has the probabilities [${probabilities.join(', ')}]; ${classes.length} numbers in [0, ` +
          '1] are needed. NaN means that the training has diverged: a lower learning rate may help',
      );
    }
    if (!Number.isFinite(loss))
      refuse(
        where,
        `${id} has the loss ${loss}; a finite number is needed. The ` +
          'training has diverged: a lower learning rate may help',
      );
  }
}

function predict(probabilities: readonly number[], threshold: number | null): number {
  if (threshold !== null) return probabilities[1]! >= threshold ? 1 : 0;
  return probabilities.reduce((best, value, index) => (value > probabilities[best]! ? index : best), 0);
}

/** The rates of each class against all others. */
function classRates(classes: readonly string[], matrix: readonly (readonly number[])[]): ClassRates[] {
  return classes.map((name, index) => {
    const counts = binaryCounts(matrix, index);
    return {
      class: name,
      sensitivity: classRate('sensitivity', counts),
      specificity: classRate('specificity', counts),
      precision: classRate('precision', counts),
    };
  });
}

/**
 * The metrics of one split.
 *
 * Two classes: class 1 is positive, the call is made by `threshold`, rates carry Wilson intervals and the AUC carries
 * DeLong's. More than two: the call is the argmax (the lower index on ties); sensitivity, specificity, precision and F1
 * are plain means over classes of the one-vs-rest metrics (undefined ones left out), AUC and average precision are the
 * macro mean of one-vs-rest, and only the accuracy has counts and an interval; `perClass` has the rates of each class
 * with theirs. What is not defined (no samples, one class only) is null; nothing in the result is NaN.
 *
 * @throws CovidCtError ERR_METRICS for labels out of range, probabilities or losses that are not finite, or a bad
 *   threshold
 * @example
 * ```ts
 * import { summarize } from 'covidct-torch/metrics';
 *
 * const evaluation = summarize({
 *   split: 'test',
 *   classes: ['NonCOVID', 'COVID'],
 *   samples: [
 *     { id: 'a', path: null, label: 0, probabilities: [0.8, 0.2], loss: 0.22 },
 *     { id: 'b', path: null, label: 1, probabilities: [0.3, 0.7], loss: 0.36 },
 *   ],
 * });
 * console.log(evaluation.accuracy, evaluation.auc, evaluation.intervals.accuracy.interval); // 1 1 [ ... ]
 * ```
 */
export function summarize(input: SummarizeInput): Evaluation {
  checkArgument(summarizeInputSchema, input, 'summarize', 'input');
  check(input);
  const { split, classes } = input;
  const threshold = classes.length === 2 ? (input.threshold ?? 0.5) : null;
  const samples: ScoredSample[] = input.samples.map(({ id, path, label, probabilities, loss }) => ({
    id,
    path,
    label,
    predicted: predict(probabilities, threshold),
    probabilities,
    loss,
  }));
  const labels = samples.map((sample) => sample.label);
  const rows = samples.map((sample) => sample.probabilities);
  const matrix = confusionMatrix(
    labels,
    samples.map((sample) => sample.predicted),
    classes.length,
  );
  const loss = new MeanMetric();
  loss.updateAll(samples.map((sample) => sample.loss));
  const scored: ScoredSplit = { classes, labels, probabilities: rows, matrix };
  return {
    split,
    classes: [...classes],
    n: samples.length,
    loss: orNull(loss.compute()),
    threshold,
    ...computeMetrics(scored),
    confusionMatrix: matrix,
    ...(classes.length === 2 ? {} : { perClass: classRates(classes, matrix) }),
    intervals: computeIntervals(scored),
    samples,
    skipped: (input.skipped ?? []).map(({ id, reason }) => ({ id, reason })),
  };
}

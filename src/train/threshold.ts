/** Chooses the operating point of a two-class model on validation data. */
import { rocCurve } from '../metrics/roc';
import type { Evaluation } from '../metrics/types';

/**
 * The threshold with the highest Youden index (sensitivity + specificity - 1; Youden, Cancer 1950) on the samples of an
 * evaluation. All thresholds between two neighboring scores are equally good there: 0.5 is taken where it is among the
 * best, else the middle of the widest best gap, so that a new image may fall a little to either side.
 *
 * @param evaluation of the validation split, two classes
 * @returns a threshold in [0, 1]; 0.5 where only one class is present or there are not two
 */
export function chooseThreshold(evaluation: Pick<Evaluation, 'samples' | 'classes'>): number {
  const labels = evaluation.samples.map(({ label }) => label);
  if (evaluation.classes.length !== 2 || new Set(labels).size !== 2) return 0.5;
  const curve = rocCurve(
    labels,
    evaluation.samples.map(({ probabilities }) => probabilities[1]!),
    { dropIntermediate: false },
  );
  const gaps = curve.thresholds.map((upper, index) => ({
    // A score at or above the threshold is positive: anything in (lower, upper] calls the same samples positive.
    upper: Math.min(upper, 1),
    lower: curve.thresholds[index + 1] ?? 0,
    youden: curve.truePositiveRate[index]! - curve.falsePositiveRate[index]!,
  }));
  const top = Math.max(...gaps.map(({ youden }) => youden));
  const best = gaps.filter(({ youden, lower, upper }) => youden > top - 1e-12 && lower < upper);
  if (best.some(({ lower, upper }) => lower < 0.5 && 0.5 <= upper)) return 0.5;
  const widest = best.reduce((a, b) => (b.upper - b.lower > a.upper - a.lower ? b : a));
  return (widest.lower + widest.upper) / 2;
}

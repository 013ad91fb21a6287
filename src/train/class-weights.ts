/** Turns the `classWeights` option into one number per class. */
import { DatasetError, InvalidOptionError } from '../errors';
import type { Dataset } from '../data/types';

/**
 * @param option nothing, one positive number per class, or `balanced`: n / (classes × count of the class), the rule of
 *   scikit-learn's `class_weight='balanced'`
 * @param dataset the training split, whose labels are counted
 * @returns one weight a class; empty when there are none
 * @throws InvalidOptionError for a wrong number of weights; DatasetError when a class to balance has no sample
 */
export function resolveClassWeights(
  option: 'balanced' | readonly number[] | undefined,
  dataset: Dataset,
): Float32Array {
  const classes = dataset.classes.length;
  if (option === undefined) return new Float32Array(0);
  if (option !== 'balanced') {
    if (option.length === classes) return Float32Array.from(option);
    const message =
      `classWeights: expected one number for each of the ${classes} classes ` +
      `(${dataset.classes.join(', ')}); got ${option.length}`;
    throw new InvalidOptionError(message, [{ path: 'classWeights', message }]);
  }
  const counts = new Array<number>(classes).fill(0);
  for (const { label } of dataset.samples) counts[label] = (counts[label] ?? 0) + 1;
  const missing = dataset.classes.filter((_, index) => counts[index] === 0);
  if (missing.length > 0) {
    throw new DatasetError(
      `classWeights 'balanced': ${dataset.name} has no sample ` +
        `of ${missing.join(', ')}; give the weights as numbers or add samples`,
    );
  }
  return Float32Array.from(counts, (count) => dataset.samples.length / (classes * count));
}

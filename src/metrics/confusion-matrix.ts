/** Counts of true against predicted classes. */
import { describeValue } from '../text/describe';
import { checkLabels, checkLengths, refuse } from './check';

/** A matrix of this many rows takes 800 MB. */
const MOST_CLASSES = 10_000;

/**
 * A confusion matrix that is filled batch by batch. `compute()[t][p]` is how many samples of class t were called p,
 * as scikit-learn's `confusion_matrix(labels, predictions, labels=[0, ..., classes - 1])`.
 *
 * @example
 * ```ts
 * import { ConfusionMatrix } from 'covidct-torch/metrics';
 *
 * const matrix = new ConfusionMatrix(2);
 * matrix.update([0, 1], [0, 1]); // a batch of true labels and predictions
 * matrix.update([1], [0]);
 * console.log(matrix.compute()); // [ [ 1, 0 ], [ 1, 1 ] ]
 * ```
 */
export class ConfusionMatrix {
  readonly classes: number;
  readonly #counts: Float64Array;

  /**
   * @param classes how many classes there are, >= 2
   * @throws CovidCtError ERR_METRICS
   */
  constructor(classes: number) {
    if (!Number.isSafeInteger(classes) || classes < 2 || classes > MOST_CLASSES)
      refuse(
        'ConfusionMatrix',
        `classes must be a whole number >= 2 and at most ${MOST_CLASSES}, got ${describeValue(classes)}`,
      );
    this.classes = classes;
    this.#counts = new Float64Array(classes * classes);
  }

  /**
   * Adds a batch.
   *
   * @param labels true class indices, n integers in [0, classes)
   * @param predictions predicted class indices, n integers in [0, classes)
   * @throws CovidCtError ERR_METRICS; nothing of the batch has been counted then
   */
  update(labels: ArrayLike<number>, predictions: ArrayLike<number>): void {
    checkLengths('ConfusionMatrix.update', labels, predictions, 'predictions', true);
    checkLabels('ConfusionMatrix.update', labels, this.classes);
    checkLabels('ConfusionMatrix.update', predictions, this.classes, 'prediction');
    for (let index = 0; index < labels.length; index++) {
      const cell = labels[index]! * this.classes + predictions[index]!;
      this.#counts[cell] = this.#counts[cell]! + 1;
    }
  }

  /** Adds the counts of another matrix over the same classes. */
  merge(other: ConfusionMatrix): void {
    if (typeof other !== 'object' || other === null || !(#counts in other))
      refuse('ConfusionMatrix.merge', `expected a ConfusionMatrix; got ${describeValue(other)}`);
    if (other.classes !== this.classes) {
      refuse('ConfusionMatrix.merge', `a matrix of ${other.classes} classes cannot be added to one of ${this.classes}`);
    }
    other
      .compute()
      .flat()
      .forEach((count, cell) => {
        this.#counts[cell] = this.#counts[cell]! + count;
      });
  }

  /** The counts, [true][predicted]; a copy. */
  compute(): number[][] {
    return Array.from({ length: this.classes }, (_, row) => [
      ...this.#counts.subarray(row * this.classes, (row + 1) * this.classes),
    ]);
  }

  /** How many samples were counted. */
  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Forgets every count. */
  reset(): void {
    this.#counts.fill(0);
  }
}

/**
 * The confusion matrix of labels and predictions in one call, [true][predicted].
 *
 * @throws CovidCtError ERR_METRICS
 * @example
 * ```ts
 * import { confusionMatrix } from 'covidct-torch/metrics';
 *
 * console.log(confusionMatrix([0, 1, 1], [0, 1, 0], 2)); // [ [ 1, 0 ], [ 1, 1 ] ]
 * ```
 */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): number[][] {
  const matrix = new ConfusionMatrix(classes);
  matrix.update(labels, predictions);
  return matrix.compute();
}

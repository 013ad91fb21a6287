/** The mean of many values seen in parts, kept as a sum and a count so that it is never a mean of means. */
import { describeValue } from '../text/describe';
import { checkList, checkNumber, refuse } from './check';

/**
 * A running mean over samples. Batches of any size may be added in any order; the result is the mean over samples.
 *
 * @example
 * ```ts
 * import { MeanMetric } from 'covidct-torch/metrics';
 *
 * const loss = new MeanMetric();
 * loss.update(3.2, 8); // the sum over a batch of 8
 * loss.update(0.4, 1);
 * console.log(loss.compute()); // 0.4
 * ```
 */
export class MeanMetric {
  #sum = 0;
  #compensation = 0;
  #count = 0;

  /**
   * Adds a batch.
   *
   * @param sum the sum of the batch's values
   * @param count how many values were summed, an integer >= 0
   * @throws CovidCtError ERR_METRICS when count is not a whole number >= 0
   */
  update(sum: number, count = 1): void {
    if (!Number.isSafeInteger(count) || count < 0) {
      refuse('MeanMetric.update', `count must be a whole number >= 0, got ${describeValue(count)}`);
    }
    checkNumber('MeanMetric.update', 'sum', sum);
    this.#add(sum);
    this.#count += count;
  }

  /** Adds every value of a batch, e.g. the losses of its samples. */
  updateAll(values: ArrayLike<number>): void {
    checkList('MeanMetric.updateAll', values, 'values');
    for (let index = 0; index < values.length; index++)
      checkNumber('MeanMetric.updateAll', `value ${index}`, values[index]);
    for (let index = 0; index < values.length; index++) this.#add(values[index]!);
    this.#count += values.length;
  }

  /** The mean of everything added since the last reset; NaN when nothing was. */
  compute(): number {
    return this.#count === 0 ? Number.NaN : (this.#sum + this.#compensation) / this.#count;
  }

  /** How many values were added. */
  get count(): number {
    return this.#count;
  }

  /** Forgets everything. */
  reset(): void {
    this.#sum = 0;
    this.#compensation = 0;
    this.#count = 0;
  }

  /** Neumaier's compensated summation: the order in which samples come does not show in the result. */
  #add(value: number): void {
    const total = this.#sum + value;
    if (Number.isFinite(total)) {
      this.#compensation +=
        Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - total + value : value - total + this.#sum;
    }
    this.#sum = total;
  }
}

/** Decides which epoch's weights are the best so far. */
import type { EpochRecord } from '../log/types';
import type { ResolvedTrainOptions } from './options';
import type { BestEpoch } from './history';

type Figures = Pick<EpochRecord, 'epoch' | 'validationLoss' | 'validationAccuracy' | 'validationAuc'>;

/**
 * Keeps the best epoch by one metric of the validation split: the highest accuracy or AUC, or the lowest loss. Ties go
 * to the lower validation loss, and then to the earlier epoch. By `last`, and without validation figures, the newest epoch
 * is the best.
 */
export class BestTracker {
  readonly #metric: ResolvedTrainOptions['bestBy'] | 'last';
  #best: BestEpoch | null = null;
  #rank: readonly [number, number] | null = null;

  constructor(metric: ResolvedTrainOptions['bestBy'] | 'last') {
    this.#metric = metric;
  }

  /** The best epoch so far; null before the first. */
  get best(): BestEpoch | null {
    return this.#best;
  }

  /** Takes in an epoch's figures; whether it is the best so far. */
  offer(record: Figures): boolean {
    if (record.validationLoss === null || this.#metric === 'last') {
      this.#best = { epoch: record.epoch, metric: 'last', value: null };
      return true;
    }
    const value = { accuracy: record.validationAccuracy, auc: record.validationAuc, loss: record.validationLoss }[
      this.#metric
    ];
    const score = value === null ? -Infinity : value;
    const rank = [this.#metric === 'loss' ? -score : score, -record.validationLoss] as const;
    if (this.#rank !== null && !isAbove(rank, this.#rank)) return false;
    this.#rank = rank;
    this.#best = { epoch: record.epoch, metric: this.#metric, value };
    return true;
  }
}

function isAbove(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

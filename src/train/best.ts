/** Decides which epoch's weights are the best so far. */
import type { EpochRecord } from '../log/types';
import { findMetric, validationKey } from '../metrics/registry';
import type { BestBy, ValidationMetrics } from '../metrics/registry';
import type { BestEpoch } from './history';

type EpochMetrics = Pick<EpochRecord, 'epoch' | 'validationLoss'> & Partial<ValidationMetrics>;

/** Everything a BestTracker knows, as plain JSON: there, null stands for the rank of a metric that is not defined. */
export interface BestTrackerState {
  readonly best: BestEpoch | null;
  readonly rank: readonly [number | null, number] | null;
}

/**
 * Keeps the best epoch by one metric of the validation split, or by the lowest loss. Ties go
 * to the lower validation loss, and then to the earlier epoch. By `last`, and without validation metrics, the newest
 * epoch
 * is the best.
 */
export class BestTracker {
  readonly #metric: BestBy | 'last';
  #best: BestEpoch | null = null;
  #rank: readonly [number, number] | null = null;

  constructor(metric: BestBy | 'last') {
    this.#metric = metric;
  }

  /** The best epoch so far; null before the first. */
  get best(): BestEpoch | null {
    return this.#best;
  }

  /** Plain JSON from which {@link restore} continues exactly. */
  state(): BestTrackerState {
    const [value, loss] = this.#rank ?? [0, 0];
    return { best: this.#best, rank: this.#rank === null ? null : [Number.isFinite(value) ? value : null, loss] };
  }

  /** Continues from a state. */
  restore({ best, rank }: BestTrackerState): void {
    this.#best = best;
    this.#rank = rank === null ? null : [rank[0] ?? -Infinity, rank[1]];
  }

  /** Takes in an epoch's metrics; whether it is the best so far. */
  offer(record: EpochMetrics): boolean {
    if (record.validationLoss === null || this.#metric === 'last') {
      this.#best = { epoch: record.epoch, metric: 'last', value: null };
      return true;
    }
    const lower = this.#metric === 'loss' || findMetric(this.#metric)!.direction === 'minimize';
    const value = this.#metric === 'loss' ? record.validationLoss : (record[validationKey(this.#metric)] ?? null);
    const rank = [value === null ? -Infinity : lower ? -value : value, -record.validationLoss] as const;
    if (this.#rank !== null && !isAbove(rank, this.#rank)) return false;
    this.#rank = rank;
    this.#best = { epoch: record.epoch, metric: this.#metric, value };
    return true;
  }
}

function isAbove(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

/** The learning-rate rule: what to do with the rate, or with the training, after each epoch. */
import type { EarlyStopping } from './early-stopping';

/** What follows from an epoch's figures, with the reason in words. */
export type ScheduleDecision =
  | { readonly action: 'continue'; readonly reason: string }
  | { readonly action: 'reduce'; readonly from: number; readonly to: number; readonly reason: string }
  | { readonly action: 'stop'; readonly reason: string };

/**
 * Lowers the learning rate when only the loss has stopped improving, and stops when the accuracy has too.
 *
 * A decision is taken once an epoch: code 3 of the stopper multiplies the rate by `factor` once and resets the
 * stopper; code 1 stops; codes 0 and 2 go on.
 */
export class LearningRateSchedule {
  readonly #factor: number;
  #learningRate: number;

  constructor(options: { readonly learningRate: number; readonly factor: number }) {
    this.#learningRate = options.learningRate;
    this.#factor = options.factor;
  }

  /** The rate for the next optimiser step. */
  get learningRate(): number {
    return this.#learningRate;
  }

  /** Asks the stopper and acts on its code. The stopper is reset when the rate is lowered. */
  decide(stopper: EarlyStopping): ScheduleDecision {
    const code = stopper.stop();
    const reason = stopper.reason();
    if (code === 1) return { action: 'stop', reason };
    if (code !== 3) return { action: 'continue', reason };
    const from = this.#learningRate;
    this.#learningRate = from * this.#factor;
    stopper.reset();
    return { action: 'reduce', from, to: this.#learningRate, reason };
  }

  /** Plain JSON; give `learningRate` back to the constructor to continue. */
  state(): { readonly learningRate: number; readonly factor: number } {
    return { learningRate: this.#learningRate, factor: this.#factor };
  }
}

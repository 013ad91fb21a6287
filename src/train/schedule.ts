/** The learning-rate rule: the rate of each optimizer step, and what follows from the metrics of an epoch. */
import { z } from 'zod';
import { methodsSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { scheduleSchema } from './fine-tuning-options';
import type { ScheduleOptions } from './fine-tuning-options';
import type { EarlyStopping } from './early-stopping';
import { plannedRate } from './schedules';

/** What follows from an epoch's metrics, with the reason in words. */
export type ScheduleDecision =
  | { readonly action: 'continue'; readonly reason: string }
  | { readonly action: 'reduce'; readonly from: number; readonly to: number; readonly reason: string }
  | { readonly action: 'stop'; readonly reason: string };

/** How {@link LearningRateSchedule} is made. */
export interface LearningRateScheduleOptions {
  readonly learningRate: number;
  /** What the rate is multiplied by on a plateau. */
  readonly factor: number;
  /** `plateau` by default. */
  readonly schedule?: ScheduleOptions;
  /** Optimizer steps in an epoch; needed by every schedule but `plateau` and `constant`. */
  readonly stepsPerEpoch?: number;
  /** Epochs of the whole training; needed likewise. */
  readonly epochs?: number;
}

const optionsSchema = z.strictObject({
  learningRate: z.number().positive().finite(),
  factor: z.number().positive().finite(),
  schedule: scheduleSchema.prefault('plateau'),
  stepsPerEpoch: z.int().min(1).default(1),
  epochs: z.int().min(1).default(1),
});
const epochSchema = z.int().min(1);

/** Everything a LearningRateSchedule knows, as plain JSON. */
export interface LearningRateState {
  /** The rate of `plateau`. */
  readonly plateauRate: number;
  /** Optimizer steps done, over all epochs. */
  readonly step: number;
}

const stopperSchema = methodsSchema<EarlyStopping>('expected an EarlyStopping', ['stop', 'reason', 'reset']);

/**
 * The rate of the next optimizer step.
 *
 * A decision is taken once per epoch: code 1 of the stopper stops. With `plateau`, code 3 multiplies the rate by
 * `factor` once and resets the stopper; with every other schedule it does nothing. Codes 0 and 2 go on.
 */
export class LearningRateSchedule {
  readonly #options: Required<LearningRateScheduleOptions>;
  #plateauRate: number;
  #step = 0;

  /** @throws InvalidOptionError */
  constructor(options: LearningRateScheduleOptions) {
    this.#options = checkOptions(optionsSchema, options, 'LearningRateSchedule');
    this.#plateauRate = this.#options.learningRate;
  }

  /** The rate for the next optimizer step. */
  get learningRate(): number {
    return this.#rateAt(this.#step);
  }

  /**
   * Must be called at the beginning of every epoch, counted from 1: one with fewer steps than planned does not delay
   * the rest.
   */
  beginEpoch(epoch: number): void {
    checkArgument(epochSchema, epoch, 'LearningRateSchedule.beginEpoch', 'epoch');
    this.#step = (epoch - 1) * this.#options.stepsPerEpoch;
  }

  /** Must be called after every optimizer step. */
  stepped(): void {
    this.#step += 1;
  }

  /** Asks the stopper and acts on its code, at the end of epoch `epoch`. The stopper is reset on a plateau. */
  decide(stopper: EarlyStopping, epoch = 1): ScheduleDecision {
    checkArgument(stopperSchema, stopper, 'LearningRateSchedule.decide', 'stopper');
    checkArgument(epochSchema, epoch, 'LearningRateSchedule.decide', 'epoch');
    const { schedule, factor, stepsPerEpoch } = this.#options;
    const code = stopper.stop();
    const reason = stopper.reason();
    if (code === 1) return { action: 'stop', reason };
    if (schedule.type === 'step') {
      const [from, to] = [this.#rateAt((epoch - 1) * stepsPerEpoch), this.#rateAt(epoch * stepsPerEpoch)];
      if (from !== to)
        return {
          action: 'reduce',
          from,
          to,
          reason: `the schedule multiplies it by ${schedule.factor} every ${schedule.every} epochs`,
        };
    }
    if (code !== 3 || schedule.type !== 'plateau') return { action: 'continue', reason };
    const from = this.#plateauRate;
    this.#plateauRate = from * (schedule.factor ?? factor);
    stopper.reset();
    return { action: 'reduce', from, to: this.#plateauRate, reason };
  }

  /** Plain JSON from which {@link restore} continues exactly. */
  state(): LearningRateState {
    return { plateauRate: this.#plateauRate, step: this.#step };
  }

  /** Continues from a state of a schedule with the same options. */
  restore({ plateauRate, step }: LearningRateState): void {
    this.#plateauRate = plateauRate;
    this.#step = step;
  }

  #rateAt(step: number): number {
    const { schedule, ...span } = this.#options;
    return schedule.type === 'plateau' ? this.#plateauRate : plannedRate(schedule, step, span);
  }
}

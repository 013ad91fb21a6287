/** Estimates how long an epoch and the whole training will take, from the steps and epochs so far. */
import type { TrainEvent } from './types';

type Start = Extract<TrainEvent, { type: 'start' }>;

/** Number of steps, after the slower first one, whose mean gives the first estimate. */
const STEPS = 4;
/** Milliseconds after which fewer steps suffice. */
const LONG_STEPS_MS = 20_000;
/** Share of a training step's cost that a prediction of the same image has: the forward pass is about a third. */
const VALIDATION_SHARE = 1 / 3;

/** The time estimates of a training; every `now` is in milliseconds of the same clock. */
export class Pace {
  readonly #start: Start;
  #steps = 0;
  #firstStepAt = 0;
  #epochSeconds: number | null = null;
  #epochsDone: number;
  #epochBegan: number;

  /** @param now when the training began */
  constructor(start: Start, now: number) {
    this.#start = start;
    this.#epochBegan = now;
    this.#epochsDone = (start.resumed?.epoch ?? 1) - 1;
  }

  /** Records a finished step; returns true for the step after which the first estimate is known. */
  step(now: number): boolean {
    this.#steps += 1;
    if (this.#steps === 1) this.#firstStepAt = now;
    const since = this.#steps - 1;
    if (this.#epochSeconds !== null || since < 1 || (since < STEPS && now - this.#firstStepAt < LONG_STEPS_MS))
      return false;
    const { stepsPerEpoch, trainSamples, validationSamples } = this.#start;
    const training = ((now - this.#firstStepAt) / since / 1000) * stepsPerEpoch;
    this.#epochSeconds = training * (1 + (VALIDATION_SHARE * validationSamples) / Math.max(1, trainSamples));
    return true;
  }

  /** Records a finished epoch; from then on its measured time is the estimate. */
  epoch(seconds: number, now: number): void {
    this.#epochSeconds = seconds;
    this.#epochsDone += 1;
    this.#epochBegan = now;
  }

  /** Expected seconds of one epoch with its validation; null before the first few steps. */
  get epochSeconds(): number | null {
    return this.#epochSeconds;
  }

  /** Expected seconds until the present epoch ends; null while unknown. */
  epochLeft(now: number): number | null {
    return this.#epochSeconds === null ? null : Math.max(0, this.#epochSeconds - (now - this.#epochBegan) / 1000);
  }

  /** Expected seconds until all epochs are done, an upper bound with early stopping; null while unknown. */
  allLeft(now: number): number | null {
    const left = this.epochLeft(now);
    const others = this.#start.epochs - this.#epochsDone - 1;
    return left === null ? null : others < 0 ? 0 : left + others * this.#epochSeconds!;
  }
}

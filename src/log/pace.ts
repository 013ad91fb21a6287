/** How long an epoch and the whole training will take, told from the steps and epochs so far. */
import type { TrainEvent } from './types';

type Start = Extract<TrainEvent, { type: 'start' }>;

/** Steps after the first, which is slower than the rest, until their mean is shown. */
const STEPS = 4;
/** Milliseconds after which fewer of them will do. */
const LONG_STEPS_MS = 20_000;
/** A prediction computes about a third of what a training step of the same image does. */
const VALIDATION_SHARE = 1 / 3;

/** The pace of a training; every time is in milliseconds of the same clock. */
export class Pace {
  readonly #start: Start;
  #steps = 0;
  #firstStepAt = 0;
  #epochSeconds: number | null = null;
  #epochsDone = 0;
  #epochBegan: number;

  /** @param now when the training began */
  constructor(start: Start, now: number) {
    this.#start = start;
    this.#epochBegan = now;
  }

  /** Takes a finished step in; returns whether it is the one after which the first estimate is known. */
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

  /** Takes a finished epoch in: from then on its measured time counts. */
  epoch(seconds: number, now: number): void {
    this.#epochSeconds = seconds;
    this.#epochsDone += 1;
    this.#epochBegan = now;
  }

  /** Expected seconds of one epoch with its validation; null before the first few steps. */
  get epochSeconds(): number | null {
    return this.#epochSeconds;
  }

  /** Expected seconds until the present epoch ends; null where not known. */
  epochLeft(now: number): number | null {
    return this.#epochSeconds === null ? null : Math.max(0, this.#epochSeconds - (now - this.#epochBegan) / 1000);
  }

  /** Expected seconds until all epochs are done, which the early stopping may make fewer; null where not known. */
  allLeft(now: number): number | null {
    const left = this.epochLeft(now);
    const others = this.#start.epochs - this.#epochsDone - 1;
    return left === null ? null : others < 0 ? 0 : left + others * this.#epochSeconds!;
  }
}

/** Decides, from running averages of validation loss and accuracy, when training has stopped improving. */
import { z } from 'zod';
import { describeValue } from '../text/describe';
import { CovidCtError } from '../errors';
import { checkOptions } from '../options/check';

/** 0: go on; 1: loss and accuracy have both run out of patience; 2: only accuracy has; 3: only the loss has. */
export type StopCode = 0 | 1 | 2 | 3;

/**
 * What the running averages call for, in words.
 *
 * - `continue` (code 0): loss and accuracy are within the patience.
 * - `stop` (code 1): both have run out of patience.
 * - `accuracyPlateau` (code 2): only the accuracy has; the loss still improves, so that training goes on.
 * - `lossPlateau` (code 3): only the loss has; the schedule `plateau` lowers the learning rate.
 */
export type StopDecision = 'continue' | 'stop' | 'accuracyPlateau' | 'lossPlateau';

/** The decision of each {@link StopCode}, by its number. */
const DECISIONS = ['continue', 'stop', 'accuracyPlateau', 'lossPlateau'] as const;

/** Weight of the new value in the running averages; the old average keeps the rest. */
const NEW_VALUE_WEIGHT = 0.2;

const optionsSchema = z.strictObject({ patience: z.int().min(0).default(5) });

/** Schema of {@link EarlyStoppingState}. */
export const earlyStoppingStateSchema = z.strictObject({
  patience: z.int().min(0),
  runningLoss: z.number().nullable(),
  runningAccuracy: z.number().nullable(),
  bestRunningLoss: z.number().nullable(),
  bestRunningAccuracy: z.number().nullable(),
  lossCount: z.int().min(0),
  accuracyCount: z.int().min(0),
});

/** Everything an EarlyStopping knows, as plain JSON. Null before the first value. */
export type EarlyStoppingState = Readonly<z.infer<typeof earlyStoppingStateSchema>>;

/**
 * Early stopping on two running averages.
 *
 * The first value is taken as it is, later ones with weight 0.2. An epoch whose running loss is strictly above the
 * best running loss counts against the loss, one whose running accuracy is strictly below the best running accuracy
 * counts against the accuracy; any other epoch becomes the new best and clears that count. Patience has run out when
 * a count is greater than `patience`.
 *
 * @example
 * ```ts
 * import { EarlyStopping } from 'covidct-torch';
 *
 * const stopping = new EarlyStopping({ patience: 2 });
 * const validations = [{ loss: 0.7, accuracy: 0.6 }, { loss: 0.8, accuracy: 0.5 }];
 * for (const { loss, accuracy } of validations) {
 *   stopping.addData(loss, accuracy);
 *   if (stopping.decision() === 'stop') break;
 * }
 * ```
 */
export class EarlyStopping {
  #state: EarlyStoppingState;

  /**
   * @param options `patience`: epochs without improvement that are forgiven, an integer >= 0 (default 5)
   * @throws InvalidOptionError
   */
  constructor(options: { readonly patience?: number } = {}) {
    const { patience } = checkOptions(optionsSchema, options, 'EarlyStopping');
    this.#state = {
      patience,
      runningLoss: null,
      runningAccuracy: null,
      bestRunningLoss: null,
      bestRunningAccuracy: null,
      lossCount: 0,
      accuracyCount: 0,
    };
  }

  /**
   * Continues from what `state()` returned.
   *
   * @throws InvalidOptionError when it is not such a state
   */
  static fromState(state: unknown): EarlyStopping {
    const checked = checkOptions(earlyStoppingStateSchema, state, 'EarlyStopping.fromState');
    const stopper = new EarlyStopping({ patience: checked.patience });
    stopper.#state = checked;
    return stopper;
  }

  /**
   * Takes in the validation loss and accuracy of one epoch.
   *
   * @param loss mean cross entropy, finite
   * @param accuracy in [0, 1] (any finite scale works as long as more is better)
   * @throws CovidCtError ERR_METRICS when a value is not finite: a running average would never recover from it
   */
  addData(loss: number, accuracy: number): void {
    if (!Number.isFinite(loss) || !Number.isFinite(accuracy)) {
      throw new CovidCtError(
        'ERR_METRICS',
        'EarlyStopping.addData: expected a finite loss and accuracy; ' +
          `got ${describeValue(loss)} and ${describeValue(accuracy)}`,
      );
    }
    const old = this.#state;
    const runningLoss = blend(old.runningLoss, loss);
    const runningAccuracy = blend(old.runningAccuracy, accuracy);
    const lossWorse = old.bestRunningLoss !== null && runningLoss > old.bestRunningLoss;
    const accuracyWorse = old.bestRunningAccuracy !== null && runningAccuracy < old.bestRunningAccuracy;
    this.#state = {
      patience: old.patience,
      runningLoss,
      runningAccuracy,
      bestRunningLoss: lossWorse ? old.bestRunningLoss : runningLoss,
      bestRunningAccuracy: accuracyWorse ? old.bestRunningAccuracy : runningAccuracy,
      lossCount: lossWorse ? old.lossCount + 1 : 0,
      accuracyCount: accuracyWorse ? old.accuracyCount + 1 : 0,
    };
  }

  /** Returns what the values so far call for, in words; {@link stop} has the same as the tutorial's code. */
  decision(): StopDecision {
    return DECISIONS[this.stop()];
  }

  /** Returns what the values so far call for as the tutorial's code, 0 to 3; see {@link decision} for words. */
  stop(): StopCode {
    const lossIsOut = this.#state.lossCount > this.#state.patience;
    const accuracyIsOut = this.#state.accuracyCount > this.#state.patience;
    if (lossIsOut && accuracyIsOut) return 1;
    if (accuracyIsOut) return 2;
    return lossIsOut ? 3 : 0;
  }

  /** Clears both counts; the running averages and their bests stay. */
  reset(): void {
    this.#state = { ...this.#state, lossCount: 0, accuracyCount: 0 };
  }

  /** Explains the present {@link decision} in a sentence with its numbers. */
  reason(): string {
    const { patience, lossCount, accuracyCount, runningLoss, runningAccuracy, bestRunningLoss, bestRunningAccuracy } =
      this.#state;
    const loss =
      `the running loss (${short(runningLoss)}) has been above its ` +
      `best (${short(bestRunningLoss)}) for ${epochs(lossCount)}`;
    const accuracy =
      `the running accuracy (${short(runningAccuracy)}) has been below its ` +
      `best (${short(bestRunningAccuracy)}) for ${epochs(accuracyCount)}`;
    const limit = `more than the patience of ${patience}`;
    const reasons: Record<StopCode, string> = {
      0:
        'loss and accuracy are within the patience ' +
        `of ${patience}: ${lossCount} and ${accuracyCount} epochs without improvement`,
      1: `${loss} and ${accuracy}, both ${limit}`,
      2: `${accuracy}, ${limit}; the loss still improves`,
      3: `${loss}, ${limit}; the accuracy still improves`,
    };
    return reasons[this.stop()];
  }

  /** Running average of the loss; null before the first value. */
  get runningLoss(): number | null {
    return this.#state.runningLoss;
  }

  /** Running average of the accuracy; null before the first value. */
  get runningAccuracy(): number | null {
    return this.#state.runningAccuracy;
  }

  /** Plain JSON from which {@link fromState} continues exactly. */
  state(): EarlyStoppingState {
    return this.#state;
  }
}

function blend(average: number | null, value: number): number {
  return average === null ? value : NEW_VALUE_WEIGHT * value + (1 - NEW_VALUE_WEIGHT) * average;
}

function short(value: number | null): string {
  return value === null ? 'none yet' : value.toFixed(4);
}

function epochs(count: number): string {
  return count === 1 ? '1 epoch' : `${count} epochs`;
}

/** Checks of what the metrics are given: equal lengths, labels in range, finite scores. */
import { CovidCtError } from '../errors';

/** Throws ERR_METRICS with the function's name in front. */
export function refuse(where: string, message: string): never {
  throw new CovidCtError('ERR_METRICS', `${where}: ${message}`);
}

/** Throws ERR_METRICS unless both have the same length and, unless `allowEmpty`, at least one entry. */
export function checkLengths(where: string, labels: ArrayLike<unknown>, others: ArrayLike<unknown>, what: string, allowEmpty = false): void {
  if (labels.length !== others.length) {
    refuse(where, `${labels.length} labels and ${others.length} ${what} were given; there must be one of each for every sample`);
  }
  if (!allowEmpty && labels.length === 0) refuse(where, 'no samples were given; at least one is needed');
}

/** Throws ERR_METRICS unless every label is a whole number in [0, classes). */
export function checkLabels(where: string, labels: ArrayLike<number>, classes: number, what = 'label'): void {
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      refuse(where, `${what} ${index} is ${label}; with ${classes} classes it must be a whole number from 0 to ${classes - 1}`);
    }
  }
}

/** Throws ERR_METRICS unless every score is a finite number. */
export function checkScores(where: string, scores: ArrayLike<number>): void {
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isFinite(scores[index]!)) {
      refuse(where, `score ${index} is ${scores[index]}; scores that are not finite have no order (has the training diverged?)`);
    }
  }
}

/** Throws ERR_METRICS unless `value` lies strictly between 0 and 1. */
export function checkLevel(where: string, value: number): void {
  if (!(value > 0 && value < 1)) refuse(where, `the confidence level must lie between 0 and 1, e.g. 0.95; got ${value}`);
}

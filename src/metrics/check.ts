/**
 * Checks of what the metrics are given: lists of numbers, equal
 * lengths, labels in range, finite scores, matrices, counts.
 */
import { types } from 'node:util';
import { describeValue } from '../text/describe';
import { CovidCtError } from '../errors';

/** Throws ERR_METRICS with the function's name in front. */
export function refuse(where: string, message: string): never {
  throw new CovidCtError('ERR_METRICS', `${where}: ${message}`);
}

/** Throws ERR_METRICS unless it is a list or an array of numbers; what is in it is for the checks below to say. */
export function checkList(where: string, value: unknown, what: string): void {
  if (types.isProxy(value) || !(Array.isArray(value) || types.isTypedArray(value))) {
    refuse(where, `expected ${what} as a list or a typed array; got ${describeValue(value)}`);
  }
}

/** Throws ERR_METRICS unless both are lists of the same length and, unless `allowEmpty`, at least one entry. */
export function checkLengths(
  where: string,
  labels: ArrayLike<unknown>,
  others: ArrayLike<unknown>,
  what: string,
  allowEmpty = false,
): void {
  checkList(where, labels, 'labels');
  checkList(where, others, what);
  if (labels.length !== others.length) {
    refuse(
      where,
      `${labels.length} labels and ${others.length} ${what} were given; there must be one of each for every sample`,
    );
  }
  if (!allowEmpty && labels.length === 0) refuse(where, 'no samples were given; at least one is needed');
}

/** Throws ERR_METRICS unless every label is a whole number in [0, classes). */
export function checkLabels(where: string, labels: ArrayLike<number>, classes: number, what = 'label'): void {
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      refuse(
        where,
        `${what} ${index} is ${describeValue(label)}; with ${classes} classes ` +
          `it must be a whole number from 0 to ${classes - 1}`,
      );
    }
  }
}

/** Throws ERR_METRICS unless every score is a finite number. */
export function checkScores(where: string, scores: ArrayLike<number>): void {
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isFinite(scores[index]!)) {
      refuse(
        where,
        `score ${index} is ${describeValue(scores[index])}; scores ` +
          'that are not finite have no order (has the training diverged?)',
      );
    }
  }
}

/** Throws ERR_METRICS unless `value` lies strictly between 0 and 1. */
export function checkLevel(where: string, value: number): void {
  if (!(typeof value === 'number' && value > 0 && value < 1))
    refuse(where, `the confidence level must lie between 0 and 1, e.g. 0.95; got ${describeValue(value)}`);
}

/** Throws ERR_METRICS unless it is a square matrix of counts. */
export function checkMatrix(where: string, matrix: unknown): void {
  checkList(where, matrix, 'rows of counts');
  const rows = matrix as readonly unknown[];
  // Not by forEach, which leaves out the holes of a list.
  for (const [index, row] of rows.entries()) {
    checkList(where, row, `row ${index} of the matrix`);
    const { length } = row as readonly unknown[];
    if (length !== rows.length)
      refuse(where, `the matrix must be square; it has ${rows.length} rows and row ${index} has ${length} counts`);
    for (const count of row as readonly unknown[]) checkCount(where, `row ${index} of the matrix`, count);
  }
}

/** Throws ERR_METRICS unless it is a number >= 0. */
export function checkCount(where: string, what: string, count: unknown): void {
  if (!(typeof count === 'number' && count >= 0))
    refuse(where, `${what}: expected a count, a number >= 0; got ${describeValue(count)}`);
}

/** Throws ERR_METRICS unless it is a number. */
export function checkNumber(where: string, what: string, value: unknown): void {
  if (typeof value !== 'number') refuse(where, `${what}: expected a number; got ${describeValue(value)}`);
}

/** What metrics are computed of: the scores of a split, counted for one class or over all. */
import { wilson } from './intervals';
import type { Rate } from './intervals';
import { binaryCounts, meanOfDefined, precision, sensitivity, specificity } from './rates';
import type { BinaryCounts } from './rates';

/** The scores of a split, ready to be counted. */
export interface ScoredSplit {
  /** Class names, two or more; class 1 of two is positive. */
  readonly classes: readonly string[];
  /** True class indices, n. */
  readonly labels: readonly number[];
  /** Probabilities, n rows of one number per class. */
  readonly probabilities: readonly (readonly number[])[];
  /** Counts, [true][predicted]. */
  readonly matrix: readonly (readonly number[])[];
}

/** Returns null for NaN: what is not defined is null in an evaluation. */
export const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Returns a proportion with its counts and Wilson's interval. */
export function proportion(numerator: number, denominator: number): Rate {
  return {
    value: denominator === 0 ? null : numerator / denominator,
    numerator,
    denominator,
    interval: wilson(numerator, denominator),
  };
}

/** The rates that are proportions of one class's counts: their value, and what is divided by what. */
export const CLASS_RATES = {
  sensitivity: {
    value: sensitivity,
    counts: ({ truePositives, falseNegatives }: BinaryCounts) => [truePositives, truePositives + falseNegatives],
  },
  specificity: {
    value: specificity,
    counts: ({ trueNegatives, falsePositives }: BinaryCounts) => [trueNegatives, trueNegatives + falsePositives],
  },
  precision: {
    value: precision,
    counts: ({ truePositives, falsePositives }: BinaryCounts) => [truePositives, truePositives + falsePositives],
  },
} as const satisfies Record<string, { value: (of: BinaryCounts) => number; counts: (of: BinaryCounts) => number[] }>;

/** Name of a rate of one class. */
export type ClassRate = keyof typeof CLASS_RATES;

/** Returns a rate of one class with its counts and its interval. */
export function classRate(name: ClassRate, counts: BinaryCounts): Rate {
  const [numerator, denominator] = CLASS_RATES[name].counts(counts) as [number, number];
  return proportion(numerator, denominator);
}

/**
 * Returns the value of class 1 of two classes; of more the mean over classes, each against the rest, undefined ones
 * left out.
 */
export function overClasses({ classes, matrix }: ScoredSplit, of: (counts: BinaryCounts) => number): number {
  if (classes.length === 2) return of(binaryCounts(matrix, 1));
  return meanOfDefined(matrix.map((_, index) => of(binaryCounts(matrix, index))));
}

/** Returns the rate of class 1; a mean over classes is no proportion, and has neither counts nor an interval. */
export function rateOverClasses(split: ScoredSplit, name: ClassRate): Rate {
  if (split.classes.length === 2) return classRate(name, binaryCounts(split.matrix, 1));
  const value = orNull(overClasses(split, CLASS_RATES[name].value));
  return { value, numerator: null, denominator: null, interval: null };
}

/** Returns the number of samples of a class. */
export const support = (split: ScoredSplit, index: number): number =>
  split.labels.filter((label) => label === index).length;

/** Returns the probabilities of a class. */
export const scoresOf = (split: ScoredSplit, index: number): number[] => split.probabilities.map((row) => row[index]!);

/**
 * Returns the area under a curve of class 1 of two; of more the macro mean of one-vs-rest, as scikit-learn's
 * `multi_class='ovr'`: NaN where a class has no samples.
 */
export function areaOverClasses(
  split: ScoredSplit,
  of: (labels: ArrayLike<number>, scores: ArrayLike<number>) => number,
): number {
  const { classes, labels, matrix } = split;
  if (classes.length === 2) return of(labels, scoresOf(split, 1));
  if (labels.length === 0 || classes.some((_, index) => support(split, index) === 0)) return Number.NaN;
  const areas = matrix.map((_, index) =>
    of(
      labels.map((label) => Number(label === index)),
      scoresOf(split, index),
    ),
  );
  return areas.reduce((sum, each) => sum + each, 0) / areas.length;
}

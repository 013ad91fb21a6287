/**
 * Every metric of an evaluation, once: its name, how it is computed, its interval, and which direction is better. Tables,
 * the events of a training, TensorBoard, `bestBy` and the report iterate over this list; a metric is added here.
 */
import { balancedAccuracy, binaryCounts, f1, matthewsCorrelation, meanOfDefined, overallAccuracy } from './rates';
import { precision, sensitivity, specificity } from './rates';
import type { BinaryCounts } from './rates';
import { averagePrecision, rocAuc } from './roc';
import { delongInterval, wilson } from './intervals';
import type { Interval, Rate } from './intervals';

/** The scores of a split, ready to be counted. */
export interface ScoredSplit {
  /** Class names, two or more; class 1 of two is positive. */
  readonly classes: readonly string[];
  /** True class indices, n. */
  readonly labels: readonly number[];
  /** Probabilities, n rows of one number a class. */
  readonly probabilities: readonly (readonly number[])[];
  /** Counts, [true][predicted]. */
  readonly matrix: readonly (readonly number[])[];
}

/** One metric of an evaluation. */
export interface Metric {
  /** Its key in an `Evaluation` and in `bestBy`; `validation<Key>` in the record of an epoch. */
  readonly key: string;
  /** Its name in tables and TensorBoard. */
  readonly title: string;
  /** What is said behind the title where there are more than two classes. */
  readonly averaging?: string;
  /** Which direction is better. */
  readonly direction: 'maximize' | 'minimize';
  /** The metric of a split; NaN where it is not defined. */
  readonly compute: (split: ScoredSplit) => number;
  /** Its 95 % interval: with the counts where it is a proportion, null where there is none. */
  readonly interval?: (split: ScoredSplit) => Rate | Interval | null;
  /** Whether evaluations that version 0.1.0 stored may lack it. */
  readonly optional?: true;
  /** Whether the record of each epoch has it. */
  readonly inEpochs?: true;
  /** Whether the best epoch can be chosen by it. */
  readonly selects?: true;
  /** Whether it is defined only where every class has samples. */
  readonly needsEveryClass?: true;
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** A proportion with its counts and Wilson's interval. */
export function rate(numerator: number, denominator: number): Rate {
  return {
    value: denominator === 0 ? null : numerator / denominator,
    numerator,
    denominator,
    interval: wilson(numerator, denominator),
  };
}

/** Of two classes the value of class 1; of more the mean over classes, each against the rest, undefined ones left out. */
function overClasses({ classes, matrix }: ScoredSplit, of: (counts: BinaryCounts) => number): number {
  if (classes.length === 2) return of(binaryCounts(matrix, 1));
  return meanOfDefined(matrix.map((_, index) => of(binaryCounts(matrix, index))));
}

/** The counts of class 1; a mean over classes is no proportion, and has neither counts nor an interval. */
function rateOf(
  split: ScoredSplit,
  of: (counts: BinaryCounts) => number,
  counts: (counts: BinaryCounts) => readonly [number, number],
): Rate {
  if (split.classes.length === 2) return rate(...counts(binaryCounts(split.matrix, 1)));
  return { value: orNull(overClasses(split, of)), numerator: null, denominator: null, interval: null };
}

type Curve = (labels: ArrayLike<number>, scores: ArrayLike<number>) => number;

const positives = (split: ScoredSplit, index: number): number => split.labels.filter((label) => label === index).length;

const scoresOf = (split: ScoredSplit, index: number): number[] => split.probabilities.map((row) => row[index]!);

/** Of two classes the area of class 1; of more the macro mean of one-vs-rest, as scikit-learn's `multi_class='ovr'`. */
function area(split: ScoredSplit, of: Curve): number {
  const { classes, labels, matrix } = split;
  if (classes.length === 2) return of(labels, scoresOf(split, 1));
  if (labels.length === 0 || classes.some((_, index) => positives(split, index) === 0)) return Number.NaN;
  const areas = matrix.map((_, index) =>
    of(
      labels.map((label) => Number(label === index)),
      scoresOf(split, index),
    ),
  );
  return areas.reduce((sum, each) => sum + each, 0) / areas.length;
}

const hasBoth = (split: ScoredSplit): boolean => positives(split, 0) > 0 && positives(split, 1) > 0;

/**
 * The metrics in the order of the tables.
 *
 * @example
 * ```ts
 * import { METRICS } from 'covidct-torch/metrics';
 *
 * for (const { key, title, direction } of METRICS) console.log(key, title, direction);
 * ```
 */
export const METRICS = [
  {
    key: 'accuracy',
    title: 'Accuracy',
    direction: 'maximize',
    compute: ({ matrix }) => overallAccuracy(matrix),
    interval: ({ matrix, labels }) =>
      rate(
        matrix.reduce((sum, row, index) => sum + row[index]!, 0),
        labels.length,
      ),
    inEpochs: true,
    selects: true,
  },
  {
    key: 'sensitivity',
    title: 'Sensitivity',
    averaging: ', mean over classes',
    direction: 'maximize',
    compute: (split) => overClasses(split, sensitivity),
    interval: (split) => rateOf(split, sensitivity, (c) => [c.truePositives, c.truePositives + c.falseNegatives]),
    inEpochs: true,
  },
  {
    key: 'specificity',
    title: 'Specificity',
    averaging: ', mean over classes',
    direction: 'maximize',
    compute: (split) => overClasses(split, specificity),
    interval: (split) => rateOf(split, specificity, (c) => [c.trueNegatives, c.trueNegatives + c.falsePositives]),
    inEpochs: true,
  },
  {
    key: 'precision',
    title: 'Precision',
    averaging: ', mean over classes',
    direction: 'maximize',
    compute: (split) => overClasses(split, precision),
    interval: (split) => rateOf(split, precision, (c) => [c.truePositives, c.truePositives + c.falsePositives]),
  },
  {
    key: 'f1',
    title: 'F1',
    averaging: ', mean over classes',
    direction: 'maximize',
    compute: (split) => overClasses(split, f1),
  },
  {
    key: 'auc',
    title: 'AUC',
    averaging: ', macro one-vs-rest',
    direction: 'maximize',
    compute: (split) => (split.classes.length === 2 && !hasBoth(split) ? Number.NaN : area(split, rocAuc)),
    interval: (split) =>
      split.classes.length === 2 && hasBoth(split) ? delongInterval(split.labels, scoresOf(split, 1)).interval : null,
    inEpochs: true,
    selects: true,
    needsEveryClass: true,
  },
  {
    key: 'balancedAccuracy',
    title: 'Balanced accuracy',
    direction: 'maximize',
    compute: ({ matrix }) => balancedAccuracy(matrix),
    optional: true,
  },
  {
    key: 'averagePrecision',
    title: 'Average precision',
    averaging: ', mean over classes',
    direction: 'maximize',
    compute: (split) =>
      split.classes.length === 2 && positives(split, 1) === 0 ? Number.NaN : area(split, averagePrecision),
    optional: true,
    inEpochs: true,
    selects: true,
    needsEveryClass: true,
  },
  {
    key: 'mcc',
    title: 'Matthews correlation',
    direction: 'maximize',
    compute: ({ matrix }) => matthewsCorrelation(matrix),
    optional: true,
    inEpochs: true,
    selects: true,
  },
] as const satisfies readonly Metric[];

/** Key of a metric of an evaluation, e.g. `accuracy`. */
export type MetricKey = (typeof METRICS)[number]['key'];

type Entry = (typeof METRICS)[number];
type Optional = Extract<Entry, { readonly optional: true }>['key'];
type Measured = Extract<Entry, { readonly interval: unknown }>;
type IntervalOf<Key> = ReturnType<Extract<Measured, { readonly key: Key }>['interval']>;

/** Every metric by its key, null where it is not defined; what version 0.1.0 did not have may be absent. */
export type MetricValues = { readonly [Key in Exclude<MetricKey, Optional>]: number | null } & {
  readonly [Key in Optional]?: number | null;
};

/** The intervals by key; what version 0.1.0 did not have may be absent. */
export type MetricIntervals = {
  readonly [Key in Exclude<Measured['key'], Optional>]: IntervalOf<Key>;
} & { readonly [Key in Extract<Measured['key'], Optional>]?: IntervalOf<Key> };

type Recorded = Extract<(typeof METRICS)[number], { readonly inEpochs: true }>['key'];

/** Metrics of the validation split in the record of an epoch: `validationAuc` and so on. */
export type ValidationMetrics = {
  readonly [Key in Exclude<Recorded, Optional> as `validation${Capitalize<Key>}`]: number | null;
} & { readonly [Key in Extract<Recorded, Optional> as `validation${Capitalize<Key>}`]?: number | null };

/** What the best epoch can be chosen by: a metric, or the loss. */
export type BestBy = Extract<Entry, { readonly selects: true }>['key'] | 'loss';

const all: readonly (Metric & { readonly key: MetricKey })[] = METRICS;

/** Metrics that the record of each epoch has. */
export const EPOCH_METRICS = all.filter(({ inEpochs }) => inEpochs === true);

/** What the best epoch can be chosen by. */
export const BEST_BY = [
  ...all.filter(({ selects }) => selects === true).map(({ key }) => key),
  'loss',
] as unknown as readonly [BestBy, ...BestBy[]];

/** Finds a metric by its key. */
export function findMetric(key: string): Metric | undefined {
  return all.find((each) => each.key === key);
}

/** The name of a metric in the record of an epoch: `auc` becomes `validationAuc`. */
export function validationKey(key: string): keyof ValidationMetrics {
  return `validation${key[0]!.toUpperCase()}${key.slice(1)}` as keyof ValidationMetrics;
}

/** Every metric of a split, null where it is not defined. */
export function computeMetrics(split: ScoredSplit): Record<MetricKey, number | null> {
  return Object.fromEntries(all.map(({ key, compute }) => [key, orNull(compute(split))])) as Record<
    MetricKey,
    number | null
  >;
}

/** The intervals of the metrics that have one. */
export function computeIntervals(split: ScoredSplit): MetricIntervals {
  return Object.fromEntries(
    all.flatMap(({ key, interval }) => (interval === undefined ? [] : [[key, interval(split)]])),
  ) as unknown as MetricIntervals;
}

/** The recorded metrics of the validation split's evaluation; null without one. */
export function validationMetrics(evaluation: Partial<Record<MetricKey, number | null>> | null): ValidationMetrics {
  return Object.fromEntries(
    EPOCH_METRICS.map(({ key }) => [validationKey(key), evaluation?.[key] ?? null]),
  ) as unknown as ValidationMetrics;
}

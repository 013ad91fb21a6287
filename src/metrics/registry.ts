/**
 * Every metric of an evaluation, once: its name, how it is computed, its interval, and which direction is better.
 * Evaluations, the events of a training, TensorBoard, `bestBy` and the report iterate over this list; a metric is added
 * here.
 */
import { delongInterval } from './intervals';
import type { Interval, Rate } from './intervals';
import { balancedAccuracy, f1, matthewsCorrelation, overallAccuracy } from './rates';
import { averagePrecision, rocAuc } from './roc';
import {
  areaOverClasses,
  CLASS_RATES,
  orNull,
  overClasses,
  proportion,
  rateOverClasses,
  scoresOf,
  support,
} from './scored-split';
import type { ClassRate, ScoredSplit } from './scored-split';

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
  /** Where it is a proportion: its counts and their 95 % interval. */
  readonly rate?: (split: ScoredSplit) => Rate;
  /** Where it is none: its 95 % interval, null where there is none. */
  readonly interval?: (split: ScoredSplit) => Interval | null;
  /** Whether evaluations that version 0.1.0 stored may lack it. */
  readonly optional?: true;
  /** Whether the record of each epoch has it. */
  readonly inEpochs?: true;
  /** Whether the best epoch can be chosen by it. */
  readonly selects?: true;
  /** Whether it is defined only where every class has samples. */
  readonly needsEveryClass?: true;
}

/** The metric of a rate of one class. */
function classRateMetric<Key extends ClassRate>(key: Key, title: string) {
  return {
    key,
    title,
    averaging: ', mean over classes',
    direction: 'maximize' as const,
    compute: (split: ScoredSplit) => overClasses(split, CLASS_RATES[key].value),
    rate: (split: ScoredSplit) => rateOverClasses(split, key),
  };
}

/** Whether one of two classes has no samples: there is no curve then. */
const isOneSided = (split: ScoredSplit): boolean =>
  split.classes.length === 2 && (support(split, 0) === 0 || support(split, 1) === 0);

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
    rate: ({ matrix, labels }) =>
      proportion(
        matrix.reduce((sum, row, index) => sum + row[index]!, 0),
        labels.length,
      ),
    inEpochs: true,
    selects: true,
  },
  { ...classRateMetric('sensitivity', 'Sensitivity'), inEpochs: true },
  { ...classRateMetric('specificity', 'Specificity'), inEpochs: true },
  classRateMetric('precision', 'Precision'),
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
    compute: (split) => (isOneSided(split) ? Number.NaN : areaOverClasses(split, rocAuc)),
    interval: (split) =>
      split.classes.length === 2 && !isOneSided(split)
        ? delongInterval(split.labels, scoresOf(split, 1)).interval
        : null,
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
      split.classes.length === 2 && support(split, 1) === 0 ? Number.NaN : areaOverClasses(split, averagePrecision),
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
type WithRate = Extract<Entry, { readonly rate: unknown }>['key'];
type WithInterval = Extract<Entry, { readonly interval: unknown }>['key'];

/** Every metric by its key, null where it is not defined; what version 0.1.0 did not have may be absent. */
export type MetricValues = { readonly [Key in Exclude<MetricKey, Optional>]: number | null } & {
  readonly [Key in Optional]?: number | null;
};

/** The rates with their counts, and the intervals of what is no proportion, by key. */
export type MetricIntervals = { readonly [Key in WithRate]: Rate } & {
  readonly [Key in WithInterval]: Interval | null;
};

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

/** The rates and the intervals of the metrics that have one. */
export function computeIntervals(split: ScoredSplit): MetricIntervals {
  return Object.fromEntries(
    all.flatMap(({ key, rate, interval }) => {
      const measure = rate ?? interval;
      return measure === undefined ? [] : [[key, measure(split)]];
    }),
  ) as unknown as MetricIntervals;
}

/** The recorded metrics of the validation split's evaluation; null without one. */
export function validationMetrics(evaluation: Partial<Record<MetricKey, number | null>> | null): ValidationMetrics {
  return Object.fromEntries(
    EPOCH_METRICS.map(({ key }) => [validationKey(key), evaluation?.[key] ?? null]),
  ) as unknown as ValidationMetrics;
}

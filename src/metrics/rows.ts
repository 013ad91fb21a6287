/** The metrics of an evaluation as the rows of a table, for the command line and the report alike. */
import type { Interval, Rate } from './intervals';
import { METRICS } from './registry';
import type { Evaluation } from './types';

/** One row: a metric of the whole split, or a rate of one class against all others. */
export interface MetricRow {
  readonly title: string;
  readonly value: number | null;
  /** Where the metric is a proportion: its counts and their interval. */
  readonly rate: Rate | null;
  /** The 95 % interval of any other metric: null where this split has none, undefined where the metric never has. */
  readonly interval: Interval | null | undefined;
}

/** Where there are more than two classes, the rates of each. */
function classRows({ perClass = [] }: Evaluation): MetricRow[] {
  return perClass.flatMap(({ class: name, sensitivity, specificity, precision }) =>
    [
      { title: `Sensitivity, ${name} against the rest`, rate: sensitivity },
      { title: `Specificity, ${name} against the rest`, rate: specificity },
      { title: `Precision, ${name} against the rest`, rate: precision },
    ].map(({ title, rate }) => ({ title, value: rate.value, rate, interval: undefined })),
  );
}

/** Every metric of the registry, in its order; the rates of the classes follow the accuracy. */
export function metricRows(evaluation: Evaluation): MetricRow[] {
  const { classes, intervals } = evaluation;
  return METRICS.flatMap((metric): MetricRow[] => {
    const value = evaluation[metric.key];
    if (value === undefined) return []; // of an earlier version
    const title = `${metric.title}${classes.length > 2 && 'averaging' in metric ? metric.averaging : ''}`;
    const rate = 'rate' in metric ? intervals[metric.key] : null;
    const interval = 'interval' in metric ? intervals[metric.key] : undefined;
    const row = { title, value, rate, interval };
    return metric.key === 'accuracy' ? [row, ...classRows(evaluation)] : [row];
  });
}

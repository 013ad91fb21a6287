/**
 * The entry `covidct-torch/metrics`: counts, rates, curves and intervals of class predictions. Pure functions of
 * numbers, equal to scikit-learn's where scikit-learn has them; nothing native is loaded.
 *
 * @packageDocumentation
 */

export { classificationReport, crossEntropy } from './classification';
export { ConfusionMatrix, confusionMatrix } from './confusion-matrix';
export { summarize } from './evaluation';
export { delongInterval, wilson } from './intervals';
export { MeanMetric } from './mean';
export { delongTest, mcnemarTest } from './paired';
export {
  accuracy,
  balancedAccuracy,
  binaryCounts,
  f1,
  matthewsCorrelation,
  overallAccuracy,
  precision,
  sensitivity,
  specificity,
} from './rates';
export { METRICS } from './registry';
export { averagePrecision, prCurve, rocAuc, rocCurve } from './roc';
export type { ClassMetrics, ClassificationReport } from './classification';
export type { SummarizeInput } from './evaluation';
export type { DeLong } from './intervals';
export type { McNemar, PairedAuc } from './paired';
export type { Metric, MetricKey } from './registry';
export type { ScoredSplit } from './scored-split';
export type { BinaryCounts } from './rates';
export type { PrecisionRecallCurve, RocCurve } from './roc';

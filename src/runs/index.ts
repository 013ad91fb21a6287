/**
 * The entry `covidct-torch/runs`: the runs below a folder listed, compared and pruned, and the progress of one. Nothing
 * native is loaded.
 *
 * @packageDocumentation
 */

export { readProgress } from '../train/progress';
export { compareRuns } from './compare';
export { listRuns } from './list';
export { pruneRuns } from './prune';
export type { TrainingProgress } from '../train/progress';
export type { CompareOptions, PruneOptions } from './options';
export type {
  ComparedMetric,
  EndedState,
  PrunedRun,
  PruneResult,
  RunComparison,
  RunDifference,
  RunList,
  RunPair,
  RunProblem,
  RunState,
  RunSummary,
  SplitMetrics,
} from './types';

/**
 * The entry `covidct-torch/bench`: speed and memory of this machine, beside PyTorch and ONNX Runtime where they are
 * there.
 *
 * @packageDocumentation
 */

export { measureSizes } from '../model/sizes';
export { runBenchmark } from './run';
export type { ArchitectureSizes, MemoryUse } from '../model/sizes';
export type { SizesOptions } from '../model/sizes-options';
export type { BenchOptions } from './options';
export type {
  BackendName,
  BackendResult,
  BenchRow,
  CeilingsRow,
  Mode,
  PeerName,
  PeerRow,
  ProgressRow,
  ResultRow,
  SettingRow,
  Spread,
  TargetRow,
} from './types';

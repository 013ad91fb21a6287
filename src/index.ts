/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The main entry of covidct-torch: data sets, transforms, the classifier, training, evaluation and loggers.
 *
 * Other entries: `covidct-torch/metrics`, `covidct-torch/report`, `covidct-torch/runs`, `covidct-torch/weights`,
 * `covidct-torch/bench` and `covidct-torch/setup`. A name is exported by one entry only. Importing an entry loads
 * neither LibTorch nor the addon; the first classifier does.
 *
 * @packageDocumentation
 */

// Errors
export {
  AbortedError,
  BadImageError,
  CovidCtError,
  DatasetError,
  ERROR_CODES,
  InvalidOptionError,
  LibTorchNotFoundError,
  RunBusyError,
} from './errors';
export type { ErrorCode, Owner } from './errors';

// Data sets
export { CovidCtDataset } from './data/covid-ct';
export { openCsv } from './data/csv';
export { findImages } from './data/find-images';
export { openFolder } from './data/folder';
export { holdOut } from './data/hold-out';
export { decodeInput as decodeImage } from './data/images/source';
export { openDataset } from './data/open';
export { PackedDataset } from './data/packed/packed';
export { makePhantoms } from './data/phantoms/phantoms';
export { fromSamples, splitDataset } from './data/samples';
export { PixelStore } from './data/store';
export { preparePacked } from './model/prepare-packed';
export type { CovidCtOptions } from './data/covid-ct';
export type { CsvOptions } from './data/csv';
export type { FindImagesOptions, FoundImage, FoundImages } from './data/find-images';
export type { FolderDataset, FolderOptions } from './data/folder';
export type { HoldOutOptions } from './data/hold-out';
export type { DecodeOptions, ImageOptions, SixteenBit } from './data/images/options';
export type { ByteStream, ImageInput, RawPixels } from './data/images/source';
export type { OpenDatasetOptions } from './data/open';
export type { PackedOptions } from './data/packed/packed';
export type { PrepareOptions, PrepareProgress } from './data/packed/prepare-options';
export type { PackedSummary } from './data/packed/write';
export type { PhantomOptions, PhantomSet } from './data/phantoms/phantoms';
export type { SamplesOptions, SplitOptions } from './data/samples';
export type { SplitName } from './data/splits';
export type { LoadOptions as StoreLoadOptions, StoreOptions, StoreStats } from './data/store';
export type {
  Dataset,
  DatasetSplits,
  ImageSource,
  Pixels,
  PixelSource,
  ResizePixels,
  Sample,
  SkippedFile,
  Transform,
} from './data/types';
export type { LeftOut, LeftOutReason } from './files/left-out';

// Transforms
export { aspectEval, IMAGENET_MEAN, IMAGENET_STD, tutorialEval, tutorialTrain } from './data/transforms/presets';
export { centerCrop } from './data/transforms/steps/center-crop';
export { colorJitter } from './data/transforms/steps/color-jitter';
export { gaussianBlur } from './data/transforms/steps/gaussian-blur';
export { normalize } from './data/transforms/steps/normalize';
export { randomErasing } from './data/transforms/steps/random-erasing';
export { randomHorizontalFlip } from './data/transforms/steps/random-horizontal-flip';
export { randomResizedCrop } from './data/transforms/steps/random-resized-crop';
export { randomRotation } from './data/transforms/steps/random-rotation';
export { resize } from './data/transforms/steps/resize';
export { toTensor } from './data/transforms/steps/to-tensor';
export { compose, parseTransform } from './data/transforms/transform';
export type { PresetOptions } from './data/transforms/presets';
export type { TransformStep } from './data/transforms/registry';
export type { Rectangle } from './data/transforms/step';

// The classifier: one network on one native thread
export { Classifier } from './model/classifier';
export { architectures } from './model/sizes';
export type {
  ClassifierOptions,
  Convolution,
  ExplainOptions,
  LoadOptions,
  LoadWeightsOptions,
  Precision,
  PredictOptions,
} from './model/options';
export type { Explanation, Prediction } from './model/prediction';
export type { Preprocessing } from './model/preprocessing';
export type { ModelCard, WeightsOfCard } from './model/card';
export type { MatchOptions, LoadReport, ShapeDifference } from './weights/match';

// A model in a service
export { GateError, QueueFullError } from './predictor/errors';
export { Predictor } from './predictor/predictor';
export type { GateFinding } from './predictor/errors';
export type { FollowOptions, GateOptions, PromoteOptions } from './predictor/gate-options';
export type { PredictorOptions, PredictorRequest } from './predictor/options';
export type {
  Following,
  ModelVersion,
  PredictorEvents,
  PredictorMetrics,
  PredictorStatus,
  Promotion,
  RejectionReason,
  ServedPrediction,
  Timing,
} from './predictor/types';

// Training and evaluation
export { EarlyStopping } from './train/early-stopping';
export { evaluate } from './train/evaluate';
export { RunFolder } from './train/run-folder';
export { Trainer } from './train/trainer';
export type { Interval, Rate } from './metrics/intervals';
export type { BestBy, MetricIntervals, MetricValues, ValidationMetrics } from './metrics/registry';
export type { ClassRates, Evaluation, ScoredSample } from './metrics/types';
export type { EarlyStoppingState, StopCode, StopDecision } from './train/early-stopping';
export type { EvaluateOptions } from './train/evaluate';
export type { FreezeInput, ScheduleInput, ScheduleOptions } from './train/fine-tuning-options';
export type { BestEpoch, StoredHistory, TrainingHistory } from './train/history';
export type { OptimizerSettings } from './train/optimizers';
export type { ResolvedTrainOptions, TrainOptions } from './train/options';
export type { DataSummary, Resumption, RunConfig } from './train/run-schema';
export type { ResumeOptions, TrainerFitOptions, TrainerOptions } from './train/trainer';
export type { TrainingEvents } from './train/events';

// Loggers
export { ConsoleLogger } from './log/console';
export { JsonLinesLogger } from './log/jsonl';
export { TensorBoardLogger } from './log/tensorboard';
export type { ConsoleMode, ConsoleOptions } from './log/console';
export type { JsonLinesOptions, JsonLinesState } from './log/jsonl';
export type { TensorBoardOptions, TensorBoardState } from './log/tensorboard';
export type { EpochRecord, StopReason, TrainEvent, TrainingNeeds, TrainLogger } from './log/types';

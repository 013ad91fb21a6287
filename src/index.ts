/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/** The public names of covidct-torch. Importing this loads neither LibTorch nor the addon; the first classifier does. */

export {
  AbortedError,
  BadImageError,
  CovidCtError,
  DatasetError,
  ERROR_CODES,
  InvalidOptionError,
  LibTorchNotFoundError,
} from './errors';
export type { ErrorCode } from './errors';
export { INTENDED_USE } from './intended-use';

// data: files to samples, and transforms as descriptions
export { CovidCtDataset, COVID_CT_CLASSES } from './data/covid-ct';
export { openFolder } from './data/folder';
export { openCsv } from './data/csv';
export { openDataset } from './data/open';
export { describeDataset } from './data/describe';
export { holdOut } from './data/hold-out';
export type { CovidCtOptions } from './data/covid-ct';
export type { CsvOptions } from './data/csv';
export type { FindImagesOptions } from './data/find-images';
export type { FolderOptions } from './data/folder';
export type { HoldOutOptions } from './data/hold-out';
export type { MontageOptions } from './data/montage';
export type { OpenDatasetOptions } from './data/open';
export type { PackedOptions } from './data/packed/packed';
export type { PhantomOptions } from './data/phantoms/phantoms';
export type { PhantomPixelsOptions } from './data/phantoms/image';
export type { PresetOptions } from './data/transforms/presets';
export type { SamplesOptions, SplitOptions } from './data/samples';
export type { StoreOptions } from './data/store';
export type { FolderDataset } from './data/folder';
export { PackedDataset } from './data/packed/packed';
export type { PackedSummary } from './data/packed/write';
export { preparePacked } from './model/prepare-packed';
export type { DecodeOptions } from './data/images/options';
export type { PrepareOptions, PrepareProgress } from './data/packed/prepare-options';
export type { ImageOptions, SixteenBit } from './data/images/options';
export { isImageName } from './data/images/names';
export { sourceOfBytes } from './data/images/byte-path';
export { findImages } from './data/find-images';
export type { FoundImage, FoundImages } from './data/find-images';
export { LEFT_OUT_REASONS } from './files/left-out';
export type { LeftOut, LeftOutReason } from './files/left-out';
export { fromSamples, splitDataset } from './data/samples';
export { countClasses } from './data/splits';
export { datasetFingerprint } from './data/fingerprint';
export { encodePng, imageLibraryVersions } from './data/images/decode';
export { decodeInput as decodeImage } from './data/images/source';
export type { ByteStream, ImageInput, RawPixels } from './data/images/source';
export { PixelStore } from './data/store';
export type { LoadOptions as StoreLoadOptions, StoreStats } from './data/store';
export { centerCrop } from './data/transforms/steps/center-crop';
export { compose, describe, isRandom, parseTransform } from './data/transforms/transform';
export { normalize } from './data/transforms/steps/normalize';
export { randomHorizontalFlip } from './data/transforms/steps/random-horizontal-flip';
export { randomResizedCrop } from './data/transforms/steps/random-resized-crop';
export { resize } from './data/transforms/steps/resize';
export { toTensor } from './data/transforms/steps/to-tensor';
export { aspectEval, IMAGENET_MEAN, IMAGENET_STD, tutorialEval, tutorialTrain } from './data/transforms/presets';
export { sampleMontage } from './data/montage';
export { makePhantoms, phantomPixels } from './data/phantoms/phantoms';
export type { PhantomSet } from './data/phantoms/phantoms';
export type { Rectangle } from './data/transforms/step';
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
export type { TransformStep } from './data/transforms/registry';
export type { SplitName } from './data/splits';

// model: one network on one native thread
export { Classifier } from './model/classifier';
export type { Preprocessing } from './model/preprocessing';
export type { Explanation, Prediction } from './model/prediction';
export type { FitOptions, LoadReport, ShapeDifference } from './weights/match';
export { openWeightFile } from './weights/open';
export type { OpenWeightFileOptions, WeightFile, WeightSource } from './weights/open';
export { convertWeights } from './weights/convert';
export type { ConvertWeightsOptions } from './weights/convert';
export { detectArchitecture } from './weights/detect-architecture';
export { findPretrainedWeights, pretrainedWeights, detectPretraining } from './weights/pretrained';
export type { PretrainedWeights, Pretraining } from './weights/pretrained';
export { cachedWeights, fetchWeights, locateWeights, weightsFolder } from './weights/fetch';
export type { FetchWeightsOptions } from './weights/fetch';
export type { ModelCard } from './model/types';
export { architectures, measureSizes } from './model/sizes';
export type { ArchitectureSizes, MemoryUse } from './model/sizes';
export { libraryVersions } from './model/versions';
export type {
  ClassifierOptions,
  Convolution,
  ExplainOptions,
  LoadOptions,
  LoadWeightsOptions,
  Precision,
  PredictOptions,
} from './model/options';
export type { SizesOptions } from './model/sizes-options';

// metrics: counts in, figures out; nothing native
export { MeanMetric } from './metrics/mean';
export { ConfusionMatrix, confusionMatrix } from './metrics/confusion-matrix';
export {
  accuracy,
  balancedAccuracy,
  binaryCounts,
  f1,
  overallAccuracy,
  precision,
  sensitivity,
  specificity,
} from './metrics/rates';
export type { BinaryCounts } from './metrics/rates';
export { averagePrecision, prCurve, rocAuc, rocCurve } from './metrics/roc';
export type { PrecisionRecallCurve, RocCurve } from './metrics/roc';
export { delongInterval, wilson } from './metrics/intervals';
export type { DeLong, Interval } from './metrics/intervals';
export { classificationReport, crossEntropy } from './metrics/classification';
export type { ClassFigures, ClassificationReport } from './metrics/classification';
export { summarize } from './metrics/evaluation';
export type { SummarizeInput } from './metrics/evaluation';
export type { ClassRates, Evaluation, Rate, ScoredSample } from './metrics/types';

// train
export { Trainer } from './train/trainer';
export type { TrainerOptions } from './train/trainer';
export type { RunControl, TrainingRun } from './train/training-run';
export { EarlyStopping } from './train/early-stopping';
export type { EarlyStoppingState, StopCode } from './train/early-stopping';
export { LearningRateSchedule } from './train/schedule';
export type { LearningRateScheduleOptions, ScheduleDecision } from './train/schedule';
export { evaluate } from './train/evaluate';
export type { EvaluateOptions } from './train/evaluate';
export { selectOutcomes } from './train/outcomes';
export type { OutcomeGroup, Outcome } from './train/outcomes';
export { RunFolder } from './train/run-folder';
export type { DataSummary, RunConfig } from './train/run-folder';
export type { BestEpoch, StoredHistory, TrainingHistory } from './train/history';
export type { ResolvedTrainOptions, TrainOptions } from './train/options';
export type { FreezeInput, ScheduleInput, ScheduleOptions } from './train/fine-tuning-options';

// log
export { combine } from './log/combine';
export { ConsoleLogger } from './log/console';
export type { ConsoleMode, ConsoleOptions } from './log/console';
export { JsonLinesLogger } from './log/jsonl';
export type { JsonLinesOptions } from './log/jsonl';
export { TensorBoardLogger } from './log/tensorboard';
export type { TensorBoardOptions } from './log/tensorboard';
export type { EpochRecord, StopReason, TrainEvent, TrainingNeeds, TrainLogger } from './log/types';

// report: pictures of runs, evaluations and explanations
export { addEvaluation, addTraining, writeReport } from './report/run-report';
export type { AddEvaluationOptions, AddTrainingOptions } from './report/run-report';
export { drawExplanation } from './report/grad-cam';
export type { GradCamMontagesOptions } from './report/grad-cam';
export { encodeImage, montage, svgToPng, textIsDrawn } from './report/overlay';
export type { Tile } from './report/overlay';
export { accuracyCurve, confusionMatrixChart, lossCurve, misclassifiedHistogram, rocChart } from './report/charts';
export type { Chart } from './report/charts';
export { writePictures } from './report/pictures';
export type { Picture } from './report/pictures';
export { renderReport } from './report/html';
export type { GradCamGroup, GradCamKind, ReportData, ReportMontage, ReportSplit } from './report/types';
export type { CaptionedMontageOptions, EvaluationPictures, GradCamSelection, HeatOptions } from './report/options';

// bench
export { runBenchmark } from './bench/run';
export type {
  BenchRow,
  CeilingsRow,
  BackendName,
  BackendResult,
  Mode as BenchMode,
  PeerName,
  PeerRow,
  ProgressRow,
  ResultRow,
  SettingRow,
  Spread as BenchSpread,
  TargetRow,
} from './bench/types';
export type { BenchOptions } from './bench/options';

// set-up
export { diagnose } from './install/doctor';
export { packageVersion } from './addon/package-root';
export type { Diagnosis, Problem as DiagnosisProblem } from './install/doctor';
export type { BuildStamp } from './addon/addon-folder';
export type { LibTorch } from './addon/libtorch-folder';
export type { Tool } from './install/tools';
export { installLibTorch } from './install/install-libtorch';
export type { InstallOptions, InstallProgress, InstallResult, LibTorchArchive } from './install/install-libtorch';
export { setUpNative } from './install/set-up';
export type { SetUpOptions, SetUpProgress, SetUpResult } from './install/set-up';

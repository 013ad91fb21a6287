/** What a training is asked to be, checked before a file is touched. */
import { findMetric } from '../metrics/registry';
import { withPackedResize, packedResize, storedSixteenBit } from '../data/packed/packed-resize';
import type { Dataset, Transform } from '../data/types';
import { DatasetError } from '../errors';
import type { TrainLogger } from '../log/types';
import type { Network } from '../model/types';
import { resolveClassWeights } from './class-weights';
import { checkDataset } from './evaluate';
import type { ResolvedTrainOptions } from './options';
import type { ResumePoint } from './resume';

/** What `Trainer.fit` was asked for, options checked. */
export interface TrainingRequest {
  readonly network: Network;
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly options: ResolvedTrainOptions;
  readonly loggers: readonly TrainLogger[];
  /** Milliseconds after which a logger that does not come back is given up; 0: never. */
  readonly loggerTimeout: number;
  readonly trainTransform: Transform;
  readonly evalTransform: Transform;
  readonly signal: AbortSignal | undefined;
  /** How the splits were opened; kept in the run folder for who goes on with it. */
  readonly dataSource: Readonly<Record<string, unknown>> | undefined;
  /** Null: the training begins. */
  readonly resume: ResumePoint | null;
}

/** What was done to packed images before is a part of what the model is trained for. */
export function withStoredResize(request: TrainingRequest): TrainingRequest {
  const datasets = [request.train, ...(request.validation === null ? [] : [request.validation])];
  const resized = packedResize(datasets);
  const sixteenBit = storedSixteenBit(
    datasets,
    request.options.sixteenBit ?? request.network.belongings.sixteenBit ?? undefined,
  );
  return {
    ...request,
    options: { ...request.options, sixteenBit },
    trainTransform: withPackedResize(request.trainTransform, resized),
    evalTransform: withPackedResize(request.evalTransform, resized),
  };
}

/** Refuses what can be refused before a file is touched. Returns the class weights. */
export function checkRequest({ network, train, validation, options }: TrainingRequest): Float32Array {
  checkDataset(network, train);
  if (validation !== null) checkDataset(network, validation);
  if (
    validation !== null &&
    findMetric(options.bestBy)?.needsEveryClass === true &&
    new Set(validation.samples.map(({ label }) => label)).size < network.classes.length
  ) {
    throw new DatasetError(
      `${validation.name}: bestBy '${options.bestBy}' needs samples of every class; choose bestBy 'accuracy' or 'loss'`,
    );
  }
  return resolveClassWeights(options.classWeights, train);
}

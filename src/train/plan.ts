/** Everything a training works with, checked and made ready. */
import type { PixelStore } from '../data/store';
import type { Dataset, SkippedFile, Transform } from '../data/types';
import type { Network } from '../model/types';
import type { Averaging } from './averaging';
import type { KeptWeights } from './kept-weights';
import type { FeaturePlan } from './feature-cache';
import type { FreezeSchedule } from './freeze-schedule';
import type { ResolvedTrainOptions } from './options';

/** What the loop and the stepper know of the checkpoints. */
export interface CheckpointWriter {
  /** Whether one is due within an epoch; to be asked after every optimizer step. */
  isDue(): boolean;
  /** Writes one of the training as it is now; resolves once the next step may begin. */
  write(): Promise<void>;
}

/** What the loop, the stepper and the batch source share. */
export interface TrainingPlan {
  readonly network: Network;
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly options: ResolvedTrainOptions;
  readonly trainTransform: Transform;
  readonly evalTransform: Transform;
  /** Weight of each class in the loss; empty for none. */
  readonly classWeights: Float32Array;
  readonly store: PixelStore;
  readonly kept: KeptWeights;
  readonly checkpoints: CheckpointWriter;
  readonly freezing: FreezeSchedule;
  readonly averaging: Averaging;
  /** Which features of a frozen backbone are kept; null: none. */
  readonly features: FeaturePlan | null;
  readonly signal: AbortSignal;
  readonly onSkip: (split: string, file: SkippedFile) => void;
}

/** Returns the number of micro-batches in an epoch; there are fewer where files are left out. */
export function stepsPerEpoch({ train, options }: Pick<TrainingPlan, 'train' | 'options'>): number {
  return Math.ceil(train.samples.length / options.batchSize);
}

/** Where a training loop is, as plain JSON: with the tensors of a checkpoint, all that another loop needs to go on. */
import type { StopReason } from '../log/types';
import type { WindowStart } from './accumulation';
import type { BestTrackerState } from './best';
import type { EarlyStoppingState } from './early-stopping';
import type { MeterState } from './meter';
import type { LearningRateState } from './schedule';

/** How far an epoch is, as plain JSON. */
export interface StepperState {
  /** Micro-batches of the epoch that are done. */
  readonly step: number;
  /** The accumulation window of the next micro-batch. */
  readonly window: WindowStart;
  /** Loss and correct predictions of those that are done. */
  readonly meter: MeterState;
  /** Learning rate of the last optimizer step. */
  readonly learningRate: number;
}

/** Why the loop ended by itself. */
export interface LoopEnd {
  readonly reason: Exclude<StopReason, 'aborted'>;
  readonly message: string;
}

/** Everything the loop knows, as plain JSON. */
export interface LoopState {
  /** The epoch under way, or the next one; from 1. */
  readonly epoch: number;
  /** Whether the epoch has begun: its first events have been told. */
  readonly begun: boolean;
  /** Seconds that the epoch has taken. */
  readonly seconds: number;
  readonly stepper: StepperState;
  readonly schedule: LearningRateState;
  readonly stopping: EarlyStoppingState;
  readonly best: BestTrackerState;
  /** Null while there is more to train. */
  readonly end: LoopEnd | null;
}

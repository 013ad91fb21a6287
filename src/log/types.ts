/** The events of a training and the interface of whatever writes them down. */
import type { LeftOut } from '../files/left-out';
import type { ValidationMetrics } from '../metrics/registry';

/** The metrics of one epoch; both losses are the mean cross entropy per sample. Accuracies are in [0, 1]. */
export interface EpochRecord extends ValidationMetrics {
  /** Counts from 1. */
  readonly epoch: number;
  /** The rate of the epoch's last optimizer step. */
  readonly learningRate: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validationLoss: number | null;
  /** Running averages of the early stopping. */
  readonly runningLoss: number | null;
  readonly runningAccuracy: number | null;
  /** Whether this epoch is the best so far. */
  readonly best: boolean;
  readonly seconds: number;
}

/** What a training is expected to take, in bytes. */
export interface TrainingNeeds {
  /** Bytes of memory, at most and about; null where nothing was measured: on a GPU, and for a network of one's own. */
  readonly memoryBytes: number | null;
  /** Memory that the process could have when the training began. */
  readonly freeMemoryBytes: number;
  /** Bytes of the run folder when it is done; 0 without one. */
  readonly diskBytes: number;
}

export type StopReason = 'epochs' | 'early-stopping' | 'aborted';

export type TrainEvent =
  | {
      readonly type: 'start';
      readonly epochs: number;
      readonly stepsPerEpoch: number;
      readonly trainSamples: number;
      readonly validationSamples: number;
      readonly architecture: string;
      readonly device: string;
      readonly out: string | null;
      readonly config: Readonly<Record<string, unknown>>;
      /** what the readers of both splits left out; absent where nothing was */ readonly leftOut?: readonly LeftOut[];
      /** what it is expected to take; absent where that is not known */ readonly needs?: TrainingNeeds;
      /** where an earlier process had got to, whose training goes on; absent at a beginning */
      readonly resumed?: { readonly epoch: number; readonly step: number };
    }
  | {
      readonly type: 'step';
      readonly epoch: number;
      /** micro-batch of this epoch, from 1 */ readonly step: number;
      readonly steps: number;
      /** mean cross entropy of this micro-batch */ readonly loss: number;
      readonly accuracy: number;
      readonly samples: number;
      readonly updated: boolean;
    }
  | ({ readonly type: 'epoch' } & EpochRecord)
  | {
      readonly type: 'learningRate';
      readonly epoch: number;
      readonly from: number;
      readonly to: number;
      readonly reason: string;
    }
  | {
      readonly type: 'unfrozen';
      /** from whose beginning on */ readonly epoch: number;
      /** numbers that are trained */ readonly parameters: number;
      /** tensors that are trained */ readonly tensors: number;
      /** batch norm layers on their running statistics */ readonly frozenNorms: number;
    }
  | {
      readonly type: 'features';
      /** images whose features are kept, of both splits */ readonly samples: number;
      /** kept of each training image */ readonly augmentations: number;
      /** numbers a feature has */ readonly width: number;
      /** of memory that they take in the end */ readonly bytes: number;
      /** whether the random trainTransform gave way to the evalTransform */ readonly withoutAugmentation: boolean;
    }
  | {
      readonly type: 'checkpoint';
      readonly epoch: number;
      readonly kind: 'best' | 'last';
      readonly path: string;
      readonly metric: string;
      readonly value: number | null;
    }
  | { readonly type: 'skipped'; readonly split: string; readonly id: string; readonly reason: string }
  | {
      readonly type: 'stop';
      readonly reason: StopReason;
      readonly message: string;
      readonly epochs: number;
      readonly bestEpoch: number | null;
      readonly bestValue: number | null;
    };

/**
 * Writes events down. Calls come in order and are awaited; `close` comes exactly once, also after a failure. One that
 * does not come back from a call within `loggerTimeout` gets no more events, and is closed if it comes back later.
 */
export interface TrainLogger {
  log(event: TrainEvent): void | Promise<void>;
  close(): void | Promise<void>;
  /**
   * What has been logged so far, as plain JSON, for a checkpoint; whatever it says is on the disk when it resolves. A
   * logger without it logs the steps since the last checkpoint once more after a resume.
   */
  state?(): unknown;
  /**
   * Goes on from a state of an earlier process, before the first event: what was logged after that state is taken back.
   * The loggers that have a state are taken in their order.
   */
  restore?(state: unknown): void | Promise<void>;
}

/** The events of a training and the interface of a logger. */
import type { LeftOut } from '../files/left-out';
import type { ValidationMetrics } from '../metrics/registry';

/** The metrics of one epoch. Both losses are the mean cross-entropy per sample; accuracies are in [0, 1]. */
export interface EpochRecord extends ValidationMetrics {
  /** Counts from 1. */
  readonly epoch: number;
  /** Learning rate of the epoch's last optimizer step. */
  readonly learningRate: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validationLoss: number | null;
  /** Running averages that early stopping compares. */
  readonly runningLoss: number | null;
  readonly runningAccuracy: number | null;
  /** Whether this epoch is the best so far. */
  readonly best: boolean;
  readonly seconds: number;
}

/** Expected memory and disk usage of a training. */
export interface TrainingNeeds {
  /** Approximate peak memory in bytes; null where it was not measured: on a GPU and for custom networks. */
  readonly memoryBytes: number | null;
  /** Bytes of memory available to the process when the training began. */
  readonly freeMemoryBytes: number;
  /** Bytes of the finished run folder; 0 without one. */
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
      /** files left out of both splits; absent if none */ readonly leftOut?: readonly LeftOut[];
      /** expected memory and disk usage; absent if unknown */ readonly needs?: TrainingNeeds;
      /** epoch and step of the checkpoint that a resumed training continues; absent for a new one */
      readonly resumed?: { readonly epoch: number; readonly step: number };
    }
  | {
      readonly type: 'step';
      readonly epoch: number;
      /** micro-batch of this epoch, from 1 */ readonly step: number;
      readonly steps: number;
      /** mean cross-entropy of this micro-batch */ readonly loss: number;
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
      /** first epoch in which they are trained */ readonly epoch: number;
      /** trainable parameters */ readonly parameters: number;
      /** trainable tensors */ readonly tensors: number;
      /** batch norm layers in eval mode */ readonly frozenNorms: number;
    }
  | {
      readonly type: 'features';
      /** images of both splits whose features are cached */ readonly samples: number;
      /** cached augmentations per training image */ readonly augmentations: number;
      /** length of a feature vector */ readonly width: number;
      /** memory of all cached features */ readonly bytes: number;
      /** whether evalTransform replaced the random trainTransform */ readonly withoutAugmentation: boolean;
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
 * Receives the events of a training. Calls are ordered and awaited; `close` is called once, even after a failure. A
 * logger that does not return from a call within `loggerTimeout` gets no more events, and is closed if it does later.
 */
export interface TrainLogger {
  log(event: TrainEvent): void | Promise<void>;
  close(): void | Promise<void>;
  /**
   * Returns the position in the log, as plain JSON for a checkpoint; everything up to it is on disk when the promise
   * resolves. A logger without this method logs the steps since the last checkpoint twice after a resume.
   */
  state?(): unknown;
  /**
   * Continues from the state of an earlier process, called before the first event: what was logged after that state is
   * removed. States are matched by order to the loggers that have this method.
   */
  restore?(state: unknown): void | Promise<void>;
}

/** What is told of the runs below a folder, as plain data. */
import type { Interval } from '../metrics/intervals';
import type { McNemar, PairedAuc } from '../metrics/paired';
import type { MetricKey, MetricValues } from '../metrics/registry';
import type { BestEpoch } from '../train/history';
import type { TrainingProgress } from '../train/progress';

/** States of a run that nothing is at work in, as far as that can be known. */
export const ENDED_STATES = ['finished', 'stopped', 'failed', 'killed'] as const;

/** How a run ended. */
export type EndedState = (typeof ENDED_STATES)[number];

/**
 * `running`: a living process is at work in it. `finished`: all epochs, or early stopping. `stopped`: aborted on
 * request. `failed`: an error ended it. `killed`: its process ended without a word. `unknown`: a process on another
 * machine, or of version 0.1.0, may still be at work.
 */
export type RunState = EndedState | 'running' | 'unknown';

/** The main metrics of one split. */
export interface SplitMetrics extends MetricValues {
  readonly n: number;
  /** Mean cross entropy per sample, in nats. */
  readonly loss: number | null;
}

/** One run. What its files do not tell, or are too damaged to tell, is null. */
export interface RunSummary {
  /** Absolute. */
  readonly dir: string;
  readonly state: RunState;
  /** How the state is known, in words. */
  readonly why: string;
  /** ISO 8601. */
  readonly created: string | null;
  /** When a file in it last changed, ISO 8601. */
  readonly changed: string;
  readonly architecture: string | null;
  /** Name of the training data. */
  readonly data: string | null;
  readonly epochs: { readonly finished: number; readonly planned: number | null };
  /** The epoch whose weights are kept as the best. */
  readonly best: BestEpoch | null;
  /** By split: `validation`, and `test` once that was evaluated. */
  readonly metrics: Readonly<Record<string, SplitMetrics>>;
  /** Seconds of all finished epochs. */
  readonly seconds: number;
  /** Bytes of all its files; a file of two names counts once. */
  readonly bytes: number;
  /** What the training itself last said; null for runs of version 0.1.0. */
  readonly progress: TrainingProgress | null;
}

/** Something that could not be read or removed, and why. */
export interface RunProblem {
  /** Absolute. */
  readonly path: string;
  readonly message: string;
}

/** The runs below a folder. */
export interface RunList {
  /** The oldest first. */
  readonly runs: readonly RunSummary[];
  /** Folders that could not be looked into, and files of runs that are damaged. */
  readonly problems: readonly RunProblem[];
}

/** A part of the configuration that is not the same in all runs. */
export interface RunDifference {
  /** e.g. `learningRate`, `trainTransform.steps[1].size`, `model.architecture`, `data.train.name`, `versions.node`. */
  readonly option: string;
  /** One for each run, undefined where its configuration has none. */
  readonly values: readonly unknown[];
}

/** A metric of all runs. */
export interface ComparedMetric {
  readonly key: MetricKey | 'loss';
  readonly title: string;
  /** One for each run; null where it is not defined. */
  readonly values: readonly (number | null)[];
  /** 95 %, one for each run; null where there is none. */
  readonly intervals: readonly (Interval | null)[];
}

/** A run beside the first, sample by sample. */
export interface RunPair {
  /** The first run's folder. */
  readonly first: string;
  /** The other's. */
  readonly second: string;
  /** Of what is called right. */
  readonly mcnemar: McNemar;
  /** Of the AUC; null where there are more than two classes, or samples of one alone. */
  readonly auc: PairedAuc | null;
}

/** Several runs side by side. */
export interface RunComparison {
  readonly split: 'validation' | 'test';
  readonly classes: readonly string[];
  /** Samples of the split, the same in all runs. */
  readonly n: number;
  /** In the order in which they were given. */
  readonly runs: readonly { readonly dir: string; readonly threshold: number | null }[];
  readonly differences: readonly RunDifference[];
  readonly metrics: readonly ComparedMetric[];
  /** Each run but the first against the first. The p values are not corrected for their number. */
  readonly pairs: readonly RunPair[];
}

/** A run, or its checkpoints, that was removed or would be. */
export interface PrunedRun {
  readonly dir: string;
  readonly state: EndedState;
  readonly what: 'run' | 'checkpoints';
  readonly bytes: number;
  /** Whether there are checkpoints, from which its training could go on. */
  readonly hasCheckpoints: boolean;
  /** What else lies in the folder; it stays there, and so does the folder. */
  readonly left: readonly string[];
}

/** What {@link pruneRuns} did, or would do. */
export interface PruneResult {
  /** Whether nothing was removed. */
  readonly dryRun: boolean;
  readonly removed: readonly PrunedRun[];
  /** Runs that were asked for and stay all the same, and why. */
  readonly spared: readonly { readonly dir: string; readonly why: string }[];
  /** Of what was removed. */
  readonly bytes: number;
  /** What could not be removed; a part of it may be gone. */
  readonly failed: readonly RunProblem[];
  /** What could not be read. */
  readonly problems: readonly RunProblem[];
}

/** What an evaluation tells, as plain data that can be stored. */
import type { LeftOut } from '../files/left-out';
import type { Rate } from './intervals';
import type { MetricIntervals, MetricValues } from './registry';

/** What the model said of one image. */
export interface ScoredSample {
  readonly id: string;
  /** Absolute path, or null for an image given as bytes. */
  readonly path: string | null;
  readonly label: number;
  /** argmax, or by the threshold where there are two classes. */
  readonly predicted: number;
  /** softmax, one number per class. */
  readonly probabilities: readonly number[];
  /** Cross entropy in nats. */
  readonly loss: number;
}

/** Metrics of one class against all others. */
export interface ClassRates {
  readonly class: string;
  readonly sensitivity: Rate;
  readonly specificity: Rate;
  readonly precision: Rate;
}

/** The metrics of one split. For two classes the positive class is class 1. */
export interface Evaluation extends MetricValues {
  readonly split: string;
  readonly classes: readonly string[];
  readonly n: number;
  /** Mean cross entropy per sample, in nats. */
  readonly loss: number | null;
  readonly threshold: number | null;
  /** confusionMatrix[true][predicted], counts. */
  readonly confusionMatrix: readonly (readonly number[])[];
  /** One entry a class where there are more than two: each against all others. */
  readonly perClass?: readonly ClassRates[];
  /** 95 % intervals: Wilson's of the rates, DeLong's of the AUC. */
  readonly intervals: MetricIntervals;
  readonly samples: readonly ScoredSample[];
  /** Files left out because they could not be decoded. */
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
  /** What the reader of the split left out before anything was decoded; absent where nothing was. */
  readonly leftOut?: readonly LeftOut[];
}

/** What an evaluation tells, as plain data that can be stored. */
import type { LeftOut } from '../files/left-out';

/** What the model said of one image. */
export interface ScoredSample {
  readonly id: string;
  /** Absolute path, or null for an image given as bytes. */
  readonly path: string | null;
  readonly label: number;
  /** argmax, or by the threshold where there are two classes. */
  readonly predicted: number;
  /** softmax, one number a class. */
  readonly probabilities: readonly number[];
  /** Cross entropy in nats. */
  readonly loss: number;
}

/**
 * A proportion with its 95 % Wilson score interval; or, of more than two classes, a mean over classes, which comes from no
 * two counts: its counts and its interval are null.
 */
export interface Rate {
  /** `numerator / denominator` wherever there are counts; null where there is nothing to count. */
  readonly value: number | null;
  readonly numerator: number | null;
  readonly denominator: number | null;
  readonly interval: readonly [number, number] | null;
}

/** Figures of one class against all others. */
export interface ClassRates {
  readonly class: string;
  readonly sensitivity: Rate;
  readonly specificity: Rate;
  readonly precision: Rate;
}

/** Figures of one split. For two classes the positive class is class 1. */
export interface Evaluation {
  readonly split: string;
  readonly classes: readonly string[];
  readonly n: number;
  /** Mean cross entropy per sample, in nats. */
  readonly loss: number | null;
  readonly threshold: number | null;
  readonly accuracy: number | null;
  readonly sensitivity: number | null;
  readonly specificity: number | null;
  readonly precision: number | null;
  readonly f1: number | null;
  readonly auc: number | null;
  /** Mean over classes of the share called rightly. */
  readonly balancedAccuracy?: number | null;
  /** Area under precision against recall, as steps. */
  readonly averagePrecision?: number | null;
  /** confusionMatrix[true][predicted], counts. */
  readonly confusionMatrix: readonly (readonly number[])[];
  /** Of more than two classes: each against all others. */
  readonly perClass?: readonly ClassRates[];
  /** The rates with their intervals, and DeLong's interval of the AUC. */
  readonly intervals: {
    readonly accuracy: Rate;
    readonly sensitivity: Rate;
    readonly specificity: Rate;
    readonly precision: Rate;
    readonly auc: readonly [number, number] | null;
  };
  readonly samples: readonly ScoredSample[];
  /** Files left out because they could not be decoded. */
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
  /** What the reader of the split left out before anything was decoded; absent where nothing was. */
  readonly leftOut?: readonly LeftOut[];
}

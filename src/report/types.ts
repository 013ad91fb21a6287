/** A report as plain data: everything that the HTML shows, and nothing that has to be computed from pixels. */
import type { EpochRecord } from '../log/types';
import type { LeftOut } from '../files/left-out';
import type { Evaluation } from '../metrics/types';

/** The four kinds of prediction; class 1 is positive. */
export type GradCamKind = 'truePositive' | 'falsePositive' | 'trueNegative' | 'falseNegative';

/** One montage of Grad-CAM overlays. */
export interface GradCamGroup {
  readonly kind: GradCamKind;
  /** PNG file; null when no image is of this kind. */
  readonly png: Uint8Array | null;
  /** How many images are of this kind with a score above the threshold, shown or not. */
  readonly count: number;
  /** Probability of the predicted class that an image must exceed to be eligible, in [0, 1]. */
  readonly threshold: number;
  /** How many of them are shown. */
  readonly shown?: number;
  /**
   * Where too few images exceed the threshold that was asked for, the most confident of all are shown instead: that
   * threshold, and how many exceed it. `threshold` is 0 then, and `count` counts all of the kind.
   */
  readonly letGo?: { readonly threshold: number; readonly above: number };
  /** A remark, e.g. why the montage is empty. */
  readonly note?: string | null;
}

/** A picture with its words. */
export interface ReportMontage {
  readonly title: string;
  /** PNG file. */
  readonly png: Uint8Array;
  readonly caption: string;
}

/** How many images a split has, in all and of each class. */
export interface ReportSplit {
  readonly name: string;
  readonly n: number;
  /** By class name. */
  readonly perClass: Readonly<Record<string, number>>;
}

/** What {@link renderReport} needs. Anything that is missing is said to be missing. */
export interface ReportData {
  readonly title: string;
  /** ISO 8601. */
  readonly created: string;
  /** Options of the run; nested objects become dotted names. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Facts of the model: architecture, device, parameters, origin of the weights, ... */
  readonly model?: Readonly<Record<string, unknown>>;
  readonly dataset: { readonly name: string; readonly splits: readonly ReportSplit[] };
  readonly history: readonly EpochRecord[];
  readonly validation: Evaluation | null;
  readonly test: Evaluation | null;
  /** Samples of each class, for instance. */
  readonly montages: readonly ReportMontage[];
  readonly gradCam: {
    readonly layer: string;
    /** whose images they are */ readonly split?: string;
    readonly groups: readonly GradCamGroup[];
  } | null;
  /** By library name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Why the training ended; null when it is not known. */
  readonly stop: { readonly reason: string; readonly message: string } | null;
  /** Files left out of any split; those of `validation` and `test` are added from there. */
  readonly skipped?: readonly { readonly split: string; readonly id: string; readonly reason: string }[];
  /** What the readers of the data left out before anything was decoded, by split and reason. */
  readonly leftOut?: readonly (LeftOut & { readonly split: string })[];
  /** Further remarks, a sentence each. */
  readonly notes?: readonly string[];
}

/** A Grad-CAM montage as it lies in the folder. */
export interface MontageFacts extends Omit<GradCamGroup, 'png'> {
  /** File in `pictures/`; null when no image is of this kind. */
  readonly file: string | null;
}

/** A picture of some samples as it lies in the folder. */
export interface SampleFacts {
  readonly file: string;
  readonly title: string;
  readonly caption: string;
}

/** What a training or an evaluation leaves for the report. */
export interface PictureFacts {
  /** Grad-CAM montages of one split; null before an evaluation, and where there are not two classes. */
  readonly gradCam: { readonly split: string; readonly layer: string; readonly groups: readonly MontageFacts[] } | null;
  readonly samples: readonly SampleFacts[];
  /** The split that the samples are of. */
  readonly split: ReportSplit;
}

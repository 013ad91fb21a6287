/** What the data room hands to the others. */
import type { LeftOut } from '../files/left-out';
import type { NativeBatch } from '../addon/batch';
import type { SixteenBit } from './images/options';
import type { DecodeOptions } from './images/options';
import type { TransformStep } from './transforms/registry';

/** A decoded image: RGB, uint8 in [0, 255], height × width × 3, rows first. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /**
   * A number > 0 that a PixelStore assigns to these pixels alone in this thread, the same each time: the image
   * as it was first read.
   */
  readonly key?: number;
}

/** An image whose pixels need no decoding, e.g. one of a packed data set. */
export interface PixelSource {
  /** For messages. */
  readonly name: string;
  /** Pixels of the shorter side to which it was resized; null: it is as it was decoded. */
  readonly resize: number | null;
  /** Values of a 16-bit original that became 0 and 255; null: none were named; absent: it is decoded as it is read. */
  readonly sixteenBit?: SixteenBit | null;
  /** Where it lies, for a file of its own whose path cannot be a string: its bytes shown as text. */
  readonly path?: string;
  /** Throws BadImageError, and CovidCtError where nothing can be read at all. */
  readPixels(signal?: AbortSignal, options?: DecodeOptions): Promise<Pixels>;
}

/** Resizes as a transform's resize does; size in pixels. */
export type ResizePixels = (
  pixels: Pixels,
  size: { readonly height: number; readonly width: number },
) => Promise<Pixels>;

/** A path, the bytes of an encoded image file (PNG, JPEG, ...), or decoded pixels. */
export type ImageSource = string | Uint8Array | PixelSource;

/** One labeled image of a data set. */
export interface Sample {
  /** Unique inside the data set and stable between runs: the path relative to the data set, or the name given. */
  readonly id: string;
  /** The absolute path, the bytes, or the image of a packed data set. */
  readonly source: ImageSource;
  /** Index into `classes`. */
  readonly label: number;
  /** Where the data set names it, for error messages: `Data-split/COVID/trainCT_COVID.txt:12`. */
  readonly origin?: string;
  /** What belongs together, e.g. the patient: samples of one group are not torn apart by `splitDataset`. */
  readonly group?: string;
}

/** Anything a Trainer can train on: classes and samples. */
export interface Dataset {
  /** e.g. `COVID-CT train`. */
  readonly name: string;
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  readonly samples: readonly Sample[];
  /** What its reader left out, by reason; a training split tells of what belongs to no split, too. */
  readonly leftOut?: readonly LeftOut[];
}

/** A description of how an image becomes the network's input; plain data that is stored beside the weights. */
export interface Transform {
  readonly steps: readonly TransformStep[];
}

/** A micro-batch, ready for the addon. */
export interface Batch {
  /** Place of the micro-batch in the epoch, from 0; one that was left out whole is counted. */
  readonly position: number;
  /** Positions in `dataset.samples`. */
  readonly indices: readonly number[];
  /** Class index of each image. */
  readonly labels: Int32Array;
  /** Pixels and programs, `labels` included. */
  readonly input: NativeBatch;
}

/** A file that was left out because it could not be decoded. */
export interface SkippedFile {
  readonly index: number;
  readonly id: string;
  readonly reason: string;
}

/** A data set in its parts; validation and test are null where there are none. */
export interface DatasetSplits {
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly test: Dataset | null;
  /** What the reader left out in all splits, by reason. */
  readonly leftOut?: readonly LeftOut[];
  /** What the reader took for granted, a sentence each, e.g. which folder it took for which split. */
  readonly notes?: readonly string[];
}

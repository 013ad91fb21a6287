/** The types of data sets, images, transforms and batches. */
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
   * Cache key (> 0) assigned by a PixelStore. It is stable for an image, as it was first read, and unique within this
   * thread.
   */
  readonly key?: number;
}

/** An image whose pixels need no decoding, e.g. one of a packed data set. */
export interface PixelSource {
  /** For messages. */
  readonly name: string;
  /** Shorter side in pixels to which it was resized; null when it was not resized. */
  readonly resize: number | null;
  /** Values of a 16-bit original that became 0 and 255; null: none were set; absent: it is decoded when it is read. */
  readonly sixteenBit?: SixteenBit | null;
  /** Path of a file whose path cannot be a string, with invalid bytes escaped. */
  readonly path?: string;
  /** Reads the pixels. Throws BadImageError, or CovidCtError when the file cannot be read at all. */
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
  /** File and line that list it, for error messages: `Data-split/COVID/trainCT_COVID.txt:12`. */
  readonly origin?: string;
  /** Group, e.g. the patient: `splitDataset` keeps the samples of a group in one part. */
  readonly group?: string;
}

/** Anything a Trainer can train on: classes and samples. */
export interface Dataset {
  /** e.g. `COVID-CT train`. */
  readonly name: string;
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  readonly samples: readonly Sample[];
  /** Files that its reader left out, by reason; the training split includes those that belong to no split. */
  readonly leftOut?: readonly LeftOut[];
}

/** A description of the preprocessing of an image; plain data that is stored with the weights. */
export interface Transform {
  readonly steps: readonly TransformStep[];
}

/** A micro-batch, ready for the addon. */
export interface Batch {
  /** Position of the micro-batch in the epoch, from 0; skipped ones are counted. */
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

/** A data set and its splits; validation and test are null if they do not exist. */
export interface DatasetSplits {
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly test: Dataset | null;
  /** What the reader left out in all splits, by reason. */
  readonly leftOut?: readonly LeftOut[];
  /** Assumptions of the reader, a sentence each, e.g. which folder is which split. */
  readonly notes?: readonly string[];
}

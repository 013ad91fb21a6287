/** A micro-batch on its way into the addon, and the operations on its pixels. */

/** Codes of one pixel operation, the first column of `NativeBatch.programs`. */
export const PIXEL_OP = {
  /** `[RESIZE, height, width, 0, 0]`: antialiased bilinear, rounded to uint8 as Pillow does. */
  RESIZE: 1,
  /** `[CROP, top, left, height, width]`: what lies outside the image is 0. */
  CROP: 2,
  /** `[FLIP, 0, 0, 0, 0]`: mirror left and right. */
  FLIP: 3,
  /**
   * `[ROTATE, height, width, bilinear, 0]`, angle in degrees counterclockwise, the center from the image's middle in
   * pixels (x, y), and a fill for each channel. Done on the host.
   */
  ROTATE: 4,
  /** `[BRIGHTNESS, 0, 0, 0, 0]` and the factor. Done on the host. */
  BRIGHTNESS: 5,
  /** `[CONTRAST, 0, 0, 0, 0]` and the factor. Done on the host. */
  CONTRAST: 6,
  /** `[BLUR, width, height, 0, 0]` of the kernel, and sigma. Done on the host. */
  BLUR: 7,
  /**
   * `[ERASE, top, left, height, width]`, a value for each channel, 1 where standard normal values stand in its place,
   * and their seed. On normalized values; no other operation may follow.
   */
  ERASE: 8,
} as const;

/** Integers in one row of a pixel program. */
export const PIXEL_OP_STRIDE = 5;
/** Real numbers that go with a row of a pixel program. */
export const PIXEL_FACTOR_STRIDE = 6;

/**
 * A micro-batch on its way into the addon: raw pixels and, for each image, the operations that turn it into the
 * network's input. Native copies everything when it is called, so the arrays may be reused at once.
 */
export interface NativeBatch {
  /** One RGB image each, uint8, height × width × 3, rows first. */
  images: readonly Uint8Array[];
  /** Height and width of each image, 2 × n. */
  sizes: Int32Array;
  /**
   * Rows of {@link PIXEL_OP_STRIDE} integers: an operation and its arguments; the images' programs one after another.
   */
  programs: Int32Array;
  /** {@link PIXEL_FACTOR_STRIDE} real numbers for each row of `programs`; left out where all are 0. */
  factors?: Float64Array;
  /** Row at which each image's program starts, and the total number of rows: n + 1 entries. */
  programOffsets: Int32Array;
  /** Height of the network's input in pixels; every program must end there. */
  height: number;
  /** Width of the network's input in pixels. */
  width: number;
  /** Subtracted from each channel after scaling to [0, 1]: 3 entries. */
  mean: Float64Array;
  /** Divides each channel after the mean is subtracted, > 0: 3 entries. */
  std: Float64Array;
  /** Class index of each image, in [0, classes). Needed by trainStep and evaluate. */
  labels?: Int32Array;
  /**
   * A name for each image's pixels, > 0, or 0 for none: pixels of one name are the same in every batch. Where
   * `keepPixels` allows it, they are sent to the device once.
   */
  keys?: Int32Array;
}

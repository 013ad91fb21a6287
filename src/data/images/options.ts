/** Limits of images and the scaling of 16-bit ones, shared by everything that opens images. */
import { z } from 'zod';
import { signalSchema } from '../../options/check';

/** Limits that are checked before decoding; an image that exceeds one is a BadImageError that names it. */
export const imageLimitsShape = {
  /** Pixels of an image, width x height: 50 million by default, about 150 MB decoded. */
  maxPixels: z.int().min(1).max(268_402_689).default(50_000_000),
  /** Pixels of either side: 16,384 by default, several times those of a scanner, a film digitizer or a display. */
  maxSide: z.int().min(1).max(268_402_689).default(16_384),
  /** Bytes of an encoded file: 128 MiB by default. */
  maxFileBytes: z
    .int()
    .min(1)
    .default(128 * 1024 ** 2),
  /**
   * Maximum milliseconds to decode an image, rounded up to whole seconds; 20 s by default.
   */
  decodeTimeoutMs: z.int().min(1).max(3_600_000).default(20_000),
};
export type ImageLimits = z.output<z.ZodObject<typeof imageLimitsShape>>;

/** Which 16-bit values are black and white. */
export const sixteenBitSchema = z
  .strictObject({ low: z.int().min(0).max(65_534), high: z.int().min(1).max(65_535) })
  .refine(({ low, high }) => low < high, 'expected { low, high } with low < high');
export type SixteenBit = Readonly<z.output<typeof sixteenBitSchema>>;

/** {@link imageLimitsShape} with the option for 16-bit images. */
export const imageShape = {
  ...imageLimitsShape,
  /**
   * For 16-bit images, the values that become 0 and 255, e.g. `{ low: 0, high: 4095 }` for 12 bits; values outside are
   * clipped. By default the full range is used, and an image that uses less than an eighth of it is refused.
   */
  sixteenBit: sixteenBitSchema.optional(),
};
export type ImageOptions = z.output<z.ZodObject<typeof imageShape>>;

/** Returns the image options among options that hold more. */
export function imageOptionsOf({
  maxPixels,
  maxSide,
  maxFileBytes,
  decodeTimeoutMs,
  sixteenBit,
}: ImageOptions): ImageOptions {
  return { maxPixels, maxSide, maxFileBytes, decodeTimeoutMs, sixteenBit };
}

export const decodeOptionsSchema = z.strictObject({
  ...imageShape,
  signal: signalSchema,
  /** File and line of the data set that list the image, for the message. */
  origin: z.string().optional(),
});
export type DecodeOptions = z.input<typeof decodeOptionsSchema>;
export type ResolvedDecodeOptions = z.output<typeof decodeOptionsSchema>;

/** Options of `preparePacked`. */
import { z } from 'zod';
import { callbackSchema } from '../../options/atoms';
import { signalSchema } from '../../options/check';
import { imageShape } from '../images/options';
import { sideSchema } from '../transforms/step';

export const prepareOptionsSchema = z.strictObject({
  /** Shorter side in pixels to which every image is resized, up or down; by default they are stored as decoded. */
  resize: sideSchema.optional(),
  /** `error` (default), or `skip`: leave files out that cannot be decoded, and list them in the file. */
  onBadFile: z.enum(['error', 'skip']).default('error'),
  /** Replace a packed data set of that name. */
  overwrite: z.boolean().default(false),
  /** Images decoded concurrently, and held in memory until they are written. */
  concurrency: z.int().min(1).max(64).default(4),
  ...imageShape,
  /** Called after every image. */
  onProgress: callbackSchema<(progress: PrepareProgress) => void>().optional(),
  signal: signalSchema,
});
export type PrepareOptions = z.input<typeof prepareOptionsSchema>;
export type ResolvedPrepareOptions = z.output<typeof prepareOptionsSchema>;

/** Progress of packing. */
export interface PrepareProgress {
  readonly images: number;
  readonly totalImages: number;
  /** Bytes written so far. */
  readonly bytes: number;
}

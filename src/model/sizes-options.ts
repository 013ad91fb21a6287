/** Options of measuring how much memory an architecture takes. */
import { z } from 'zod';
import { signalSchema } from '../options/check';

export const sizesOptionsSchema = z.strictObject({
  /** Side of the square the network sees. */
  imageSize: z.int().min(32).max(2048).default(224),
  /** Images in one training step. */
  batchSize: z.int().min(1).max(4096).default(8),
  /** Images in one prediction. */
  predictBatchSize: z.int().min(1).max(4096).default(1),
  /** Threads of the computation; 0 leaves the choice to LibTorch (one per core). */
  threads: z.int().min(0).max(1024).default(0),
  /** A Python with torch and torchvision, measured in the same way beside ours. */
  python: z.string().min(1).optional(),
  signal: signalSchema,
});
export type SizesOptions = z.input<typeof sizesOptionsSchema>;

/** Options of a predictor and of its predictions, with the bounds of what a service is asked. */
import { z } from 'zod';
import { imageShape } from '../data/images/options';
import { loadOptionsSchema } from '../model/options';
import type { LoadOptions } from '../model/options';
import { checkOptions, signalSchema } from '../options/check';

/** Longest time that a timer of Node's can wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1;
const MIB = 1024 ** 2;

export const predictorLimits = {
  /** Images in one forward pass; 8, or 32 on CUDA. */
  maxBatch: z.int().min(1).max(4096).optional(),
  /** Milliseconds that a batch which is not full waits for more; 0: it is computed as soon as the thread is free. */
  maxDelayMs: z.number().min(0).max(60_000).default(0),
  /** Images that are in the predictor at once, from their admission to their answer. */
  maxQueue: z.int().min(1).max(1_000_000).default(128),
  /** Bytes of the inputs (buffers, Blobs, pixels) that are in the predictor at once; 256 MiB. */
  maxQueueBytes: z
    .int()
    .min(1)
    .default(256 * MIB),
  /** Decoded pixels beyond which no further image is decoded; 256 MiB. One image at a time passes whatever its size. */
  maxDecodedBytes: z
    .int()
    .min(1)
    .default(256 * MIB),
  /**
   * Images that are read and decoded at once; 2. They use Node's thread pool, which has four threads
   * (UV_THREADPOOL_SIZE) for all file operations of the process.
   */
  decoders: z.int().min(1).max(128).default(2),
  /** Milliseconds from admission to answer; 10 s. */
  timeoutMs: z.int().min(1).max(LONGEST).default(10_000),
  ...imageShape,
};

export const predictorOptionsSchema = z.strictObject({
  ...predictorLimits,
  /** Name of the model in answers, metrics and events; the name of its architecture by default. */
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, dots, hyphens and underscores')
    .optional(),
  ...loadOptionsSchema.shape,
});
/** Options of {@link Predictor.load}. */
export type PredictorOptions = z.input<typeof predictorOptionsSchema>;

export const requestSchema = z.strictObject({
  /** Takes it back: what waits leaves the queue at once. */
  signal: signalSchema,
  /** Milliseconds from admission to answer; the predictor's own by default. */
  timeoutMs: z.int().min(1).max(LONGEST).optional(),
  /** `low` waits behind `normal`, but is not starved: at least one image of eight is a low one while some wait. */
  priority: z.enum(['normal', 'low']).default('normal'),
  /** Compute Grad-CAM too: true, or the class and the layer to look at. */
  explain: z
    .union([z.boolean(), z.strictObject({ class: z.string().optional(), layer: z.string().optional() })])
    .default(false),
  /** Two classes: a probability of class 1 at or above it is predicted as class 1; the model's own by default. */
  threshold: z.number().min(0).max(1).optional(),
});
/** Options of {@link Predictor.predict}. */
export type PredictorRequest = z.input<typeof requestSchema>;
export type ResolvedRequest = z.output<typeof requestSchema>;

/** Names of a predictor's events. */
export const eventSchema = z.enum(['answer', 'rejection', 'swap', 'refusal']);

/** A predictor's limits with all defaults filled in. */
export type Limits = Omit<z.output<z.ZodObject<typeof predictorLimits>>, 'maxBatch'> & { readonly maxBatch: number };

/** The same before the device has decided on the batch. */
export type LimitOptions = Omit<Limits, 'maxBatch'> & { readonly maxBatch?: number | undefined };

/** A predictor's options, checked, as what concerns its name, its bounds and the loading of the model. */
export function splitOptions(options: PredictorOptions): {
  readonly name: string | undefined;
  readonly limits: LimitOptions;
  readonly load: LoadOptions;
} {
  const checked = checkOptions(predictorOptionsSchema, options, 'Predictor.load');
  const { name, device, threads, convolution, precision, which, verify, allowNonFinite, ...limits } = checked;
  return { name, limits, load: { device, threads, convolution, precision, which, verify, allowNonFinite } };
}

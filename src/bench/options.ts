/** Options of the benchmark. */
import { z } from 'zod';
import { signalSchema } from '../options/check';

/** What can be measured beside ours, by name; src/bench/backends.ts says what each is. */
export const PEER_NAMES = [
  'pytorch',
  'pytorch-fused',
  'pytorch-channels-last',
  'pytorch-folded',
  'pytorch-meta',
  'torchscript',
  'torch-compile',
  'onnxruntime',
] as const;

const differing = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

export const benchOptionsSchema = z.strictObject({
  /** Names of `architectures()`. */
  architectures: z.array(z.string().min(1)).min(1).refine(differing, 'names must differ').default(['vgg19_bn']),
  /**
   * Training steps, predictions, cold start to the first prediction, peak
   * memory of the processes that train and predict.
   */
  what: z
    .array(z.enum(['train', 'predict', 'cold', 'memory']))
    .min(1)
    .refine(differing, 'names must differ')
    .default(['train', 'predict', 'cold', 'memory']),
  /** Images in a training step and in a prediction, one measurement for each. */
  batchSizes: z.array(z.int().min(1).max(1024)).min(1).refine(differing, 'batch sizes must differ').default([1, 8, 32]),
  /** How often every contender has its turn; the order is reversed each time. */
  rounds: z.int().min(1).max(101).default(3),
  /** Side of the square the network sees. */
  imageSize: z.int().min(32).max(2048).default(224),
  /** Threads of every contender's computation; 0 for one per core. */
  threads: z.int().min(0).max(1024).default(0),
  /** A Python with torch, torchvision and safetensors. */
  python: z.string().min(1).default('python3'),
  /** A folder in whose `node_modules` onnxruntime-node lies; looked for from the working directory without it. */
  onnxruntime: z.string().min(1).optional(),
  /** Which peers; all without it. `pytorch` is what ratios and targets refer to. */
  peers: z
    .array(z.enum(PEER_NAMES))
    .refine(differing, 'names must differ')
    .default([...PEER_NAMES]),
  /**
   * Most time for one measuring process, its compilation and loading included; what takes longer is ended and said so.
   */
  timeoutMs: z.int().min(1000).max(86_400_000).default(300_000),
  signal: signalSchema,
});
export type BenchOptions = z.input<typeof benchOptionsSchema>;
/** With every default filled in. */
export type CheckedBenchOptions = z.output<typeof benchOptionsSchema>;

/** Options of the classifier. */
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { transformSchema } from '../data/transforms/transform';
import { imageShape, sixteenBitSchema } from '../data/images/options';

const threads = z.int().min(0).max(1024).default(0);
const device = z
  .string()
  .regex(/^(auto|cpu|cuda(:\d{1,3})?)$/, "expected 'auto', 'cpu', 'cuda' or 'cuda:N'")
  .default('auto');

/**
 * Which convolutions on the CPU, in float32. `auto`: for 3 × 3 of stride 1 our own (Winograd's, a quarter of the
 * multiplications) where they are faster, with batch norm and ReLU in the same pass; equal to PyTorch's to rounding.
 * `libtorch`: PyTorch's numbers, bit for bit. `winograd`: our own wherever they can be used.
 */
export const convolutionSchema = z.enum(['auto', 'libtorch', 'winograd']).default('auto');
export type Convolution = z.output<typeof convolutionSchema>;

/**
 * In which numbers the network computes; weights, gradients, optimizer state, losses and files are float32 in all of
 * them. `float32`: throughout, on CUDA without TF32. `tf32`, CUDA alone: convolutions and linear layers multiply
 * numbers rounded to 10 bits of mantissa. `bf16`: they compute in bfloat16 (autocast), 8 bits, on CUDA and on the CPU.
 */
export const precisionSchema = z.enum(['float32', 'tf32', 'bf16']).default('float32');
export type Precision = z.output<typeof precisionSchema>;

/** Class names in the order of their indices. */
export const classNamesSchema = z
  .array(z.string().min(1))
  .min(2, 'expected at least two class names')
  .refine((names) => new Set(names).size === names.length, 'class names must differ')
  .readonly();

export const classifierOptionsSchema = z.strictObject({
  /**
   * `vgg11` to `vgg19`, each with or without `_bn`; `resnet18` to `152`; `densenet121` to `201`; `squeezenet1_0` and
   * `squeezenet1_1`; `efficientnet_b0` to `_b2`; `tiny` for tests and demonstrations.
   */
  architecture: z.string().min(1).default('vgg19_bn'),
  classes: classNamesSchema,
  /** `auto` takes the first CUDA GPU where there is one and says what it chose in `deviceReason`. */
  device,
  /**
   * Threads of this classifier's computations, whatever others in the process have; 0 leaves the choice to LibTorch
   * (one per core). The last bits of its numbers depend on it.
   */
  threads,
  /** Seed of the initial weights; the same seed gives the weights torchvision makes after `torch.manual_seed(seed)`. */
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  /**
   * Probability of the dropout layers of the head; torchvision's where left out: 0.5 for VGG and SqueezeNet, 0.2 for
   * EfficientNet B0 and B1, 0.3 for B2. ResNet and DenseNet have none.
   */
  dropout: z.number().min(0).lt(1).optional(),
  /**
   * Side of the square the network sees at prediction, until a training or a loaded model sets the transform; 224, or
   * the weights' own.
   */
  imageSize: z.int().min(32).max(2048).optional(),
  /** Channels of the network's input: 3 (RGB), or 1: images are made gray before anything else. */
  channels: z.union([z.literal(1), z.literal(3)], 'expected 3 (RGB) or 1 (gray)').default(3),
  convolution: convolutionSchema,
  precision: precisionSchema,
});
export type ClassifierOptions = z.input<typeof classifierOptionsSchema>;

/** Options of `Classifier.configure`; it takes a whole card, so what else is there is let through. */
export const configureSchema = z.looseObject({
  transform: transformSchema,
  threshold: z.number().min(0).max(1),
  /** Null: all 16 bits count; left out: as before. */
  sixteenBit: sixteenBitSchema.nullable().optional(),
  origin: z.string().optional(),
});

/**
 * Reads weights with NaN or infinite numbers too, for a look inside; a prediction with them is an error all the same.
 */
const allowNonFinite = z.boolean().default(false);

export const loadOptionsSchema = z.strictObject({
  device,
  threads,
  convolution: convolutionSchema,
  precision: precisionSchema,
  /** Which weights of a run folder: those the model card names (the best), or the last. */
  which: z.enum(['best', 'last']).default('best'),
  /**
   * How the weights are compared with the card: `content` reads all bytes, `size` looks at name and size alone. A card
   * of version 0.1.0 names neither.
   */
  verify: z.enum(['content', 'size']).default('content'),
  allowNonFinite,
});
export type LoadOptions = z.input<typeof loadOptionsSchema>;

const allowed = z.union([z.boolean(), z.array(z.string().min(1))]).default(false);

export const loadWeightsOptionsSchema = z.strictObject({
  /** Keep the classification head as it is when the file's has another size. */
  replaceHead: z.boolean().default(false),
  /** Names or prefixes that the file need not have; true for any. */
  allowMissing: allowed,
  /** Names or prefixes of the file that may go unused; true for any. */
  allowUnexpected: allowed,
  /** Leave transform, threshold, origin and pretraining as they are. */
  weightsOnly: z.boolean().default(false),
  /** Where in a checkpoint the weights stand, with dots between keys, e.g. `model_ema`; found when left out. */
  entry: z.string().optional(),
  /** Under which of the file's names the network stands, e.g. `encoder_q.`; found when left out. */
  prefix: z.string().optional(),
  allowNonFinite,
  signal: signalSchema,
});
export type LoadWeightsOptions = z.input<typeof loadWeightsOptionsSchema>;

const batchSize = z.int().min(1).max(4096).default(8);

export const predictOptionsSchema = z.strictObject({
  /** Images in one forward pass; does not change the predictions. */
  batchSize,
  ...imageShape,
  signal: signalSchema,
});
export type PredictOptions = z.input<typeof predictOptionsSchema>;

export const explainOptionsSchema = z.strictObject({
  /** Name of the class to explain; the predicted one by default. */
  class: z.string().optional(),
  /** Name of the layer to look at, e.g. `features.51`; the last convolutional block by default. */
  layer: z.string().optional(),
  batchSize,
  ...imageShape,
  signal: signalSchema,
});
export type ExplainOptions = z.input<typeof explainOptionsSchema>;

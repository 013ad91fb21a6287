/** Options of `covidct train` beyond the Trainer's: what a configuration file and the flags may say. */
import { z } from 'zod';
import { classNamesSchema, convolutionSchema, precisionSchema } from './model';
import { trainOptionsSchema } from './train';

export const trainCommandSchema = z.strictObject({
  ...trainOptionsSchema.shape,
  /** Data set folder. */
  data: z.string('expected a folder: give --data DIR or set COVIDCT_DATA').min(1),
  /** Class names in the order of their indices, of a folder of classes; its folder names, sorted, without it. */
  classes: classNamesSchema.optional(),
  /** Run folder. */
  out: z.string('expected the folder of the new run: give --out DIR').min(1),
  architecture: z.string().min(1).default('vgg19_bn'),
  /** `imagenet`, a known name, or a weight file with torchvision's names to start from; its head may have another size. */
  weights: z.string().min(1).optional(),
  channels: z.union([z.literal(1), z.literal(3)], 'expected 3 (RGB) or 1 (grey)').default(3),
  dropout: z.number().min(0).lt(1).default(0.5),
  device: z.string().default('auto'),
  threads: z.int().min(0).max(1024).default(0),
  precision: precisionSchema,
  convolution: convolutionSchema,
});

/** With every default filled in. */
export type TrainCommandOptions = z.output<typeof trainCommandSchema>;

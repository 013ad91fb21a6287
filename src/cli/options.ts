/** Options of `covidct train` beyond the Trainer's: what a configuration file and the flags may say. */
import { z } from 'zod';
import { regExpSchema } from '../options/atoms';
import { dataShape } from '../data/open';
import { transformSchema } from '../data/transforms/transform';
import { classNamesSchema, convolutionSchema, precisionSchema } from '../model/options';
import { trainOptionsSchema } from '../train/options';

/** JSON has no regular expressions: there it is text. */
function toRegExp(text: string, context: z.RefinementCtx): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: `expected a regular expression: ${error instanceof Error ? error.message : String(error)}`,
    });
    return z.NEVER;
  }
}

export const trainCommandSchema = z.strictObject({
  ...trainOptionsSchema.shape,
  ...dataShape,
  /** Data set: a folder, a table or a packed file. */
  data: z.string('expected a data set: give --data PATH or set COVIDCT_DATA').min(1),
  /** Class names in the order of their indices; those found, sorted, without it. */
  classes: classNamesSchema.optional(),
  /** For a folder of classes, a regular expression over the path of an image whose group says what belongs together. */
  groupPattern: z
    .union(
      [regExpSchema('expected a regular expression'), z.string().min(1).transform(toRegExp)],
      'expected a regular expression',
    )
    .optional(),
  /** Run folder. */
  out: z.string('expected the folder of the new run: give --out DIR').min(1),
  architecture: z.string().min(1).default('vgg19_bn'),
  /**
   * `imagenet`, a known name, or a weight file with torchvision's names to start from; its head may have another size.
   */
  weights: z.string().min(1).optional(),
  channels: z.union([z.literal(1), z.literal(3)], 'expected 3 (RGB) or 1 (gray)').default(3),
  /** The architecture's own where left out. */
  dropout: z.number().min(0).lt(1).optional(),
  device: z.string().default('auto'),
  threads: z.int().min(0).max(1024).default(0),
  precision: precisionSchema,
  convolution: convolutionSchema,
  /**
   * How a training image becomes the network's input, as its JSON; for configuration files, there is no flag for it.
   */
  trainTransform: transformSchema.optional(),
  /** The same for validation and prediction. */
  evalTransform: transformSchema.optional(),
});

/** How the data set of a run was opened, as its folder keeps it. */
export const dataSourceSchema = z.strictObject({
  ...dataShape,
  classes: trainCommandSchema.shape.classes,
  groupPattern: trainCommandSchema.shape.groupPattern,
  data: z.string('expected the data set of the run: its folder does not say which it was; give --data PATH').min(1),
});

/** With every default filled in. */
export type TrainCommandOptions = z.output<typeof trainCommandSchema>;

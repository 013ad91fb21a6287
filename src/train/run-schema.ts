/** What the files of a run folder hold. Keys that are not known are let through: a later version may have written them. */
import { z } from 'zod';
import type { RunConfig } from './run-folder';
import { plainSchema } from '../options/atoms';
import { evaluationSchema, storedLeftOutSchema } from '../metrics/evaluation-schema';

const count = z.number().min(0);

const summary = z.looseObject({
  name: z.string(),
  samples: count,
  classes: z.record(z.string(), count),
  fingerprint: z.string(),
  leftOut: storedLeftOutSchema,
});

const configShape = {
  options: plainSchema,
  model: z.looseObject({
    architecture: z.string(),
    classes: z.array(z.string()),
    device: z.string(),
    dropout: z.number().nullable(),
    precision: z.string().nullish(),
    convolution: z.string().nullish(),
    startedFrom: z.string().nullable(),
  }),
  data: z.looseObject({ train: summary, validation: summary.nullable() }),
  versions: z.record(z.string(), z.string()),
};

/** What a training tells of itself. */
export const runFactsSchema = z.looseObject(configShape) as unknown as z.ZodType<
  Omit<RunConfig, 'format' | 'formatVersion' | 'created'>
>;

/** What marks a folder as a run; the first thing written into it. */
export const RUN_FORMAT = 'covidct-torch/run';

/** That a file is the configuration of a run, of whatever version. */
export const runMarkSchema = z.looseObject({ format: z.literal(RUN_FORMAT) });

/** `config.json`. */
export const runConfigSchema = z.looseObject({
  format: z.literal(RUN_FORMAT),
  formatVersion: z.literal(1, 'expected 1; a later version of covidct-torch has written it'),
  created: z.string(),
  ...configShape,
}) as unknown as z.ZodType<RunConfig>;

/** `metrics.json`: figures by split. */
export const runMetricsSchema = z.record(z.string(), evaluationSchema);

/** Options of RunFolder.create. */
export const createRunSchema = z.strictObject({ overwrite: z.boolean().default(false) });

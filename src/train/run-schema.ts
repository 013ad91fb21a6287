/**
 * Schemas of the files in a run folder. Unknown keys pass: a later version may have written them.
 */
import { z } from 'zod';
import type { LeftOut } from '../files/left-out';
import type { Convolution, Precision } from '../model/options';
import { plainSchema } from '../options/atoms';
import { evaluationSchema, storedLeftOutSchema } from '../metrics/evaluation-schema';

/** What marks a folder as a run; the first thing written into it. */
export const RUN_FORMAT = 'covidct-torch/run';

/** `config.json`: the options the run was made with and what it was trained on. */
export interface RunConfig {
  readonly format: typeof RUN_FORMAT;
  readonly formatVersion: 1;
  readonly created: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly model: {
    readonly architecture: string;
    readonly classes: readonly string[];
    readonly device: string;
    readonly dropout: number | null;
    /** absent in older runs: float32 */ readonly precision?: Precision | null;
    readonly convolution?: Convolution | null;
    /** of the input; absent in older runs: 3 */ readonly channels?: 1 | 3 | null;
    /** the origin of the initial weights */ readonly startedFrom: string | null;
  };
  readonly data: { readonly train: DataSummary; readonly validation: DataSummary | null };
  readonly versions: Readonly<Record<string, string>>;
}

/** How many samples of each class a split has. */
export interface DataSummary {
  readonly name: string;
  readonly samples: number;
  readonly classes: Readonly<Record<string, number>>;
  /** SHA-256 over ids and labels; see datasetFingerprint. */
  readonly fingerprint: string;
  /** What the data set's reader left out, by reason; absent where nothing was, and in older runs. */
  readonly leftOut?: readonly LeftOut[];
}

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

/** What a training writes about itself. */
export const runFactsSchema = z.looseObject(configShape) as unknown as z.ZodType<
  Omit<RunConfig, 'format' | 'formatVersion' | 'created'>
>;

/** Tells whether a file is the configuration of a run, of whatever version. */
export const runMarkSchema = z.looseObject({ format: z.literal(RUN_FORMAT) });

/** `config.json`. */
export const runConfigSchema = z.looseObject({
  format: z.literal(RUN_FORMAT),
  formatVersion: z.literal(1, 'expected 1; a later version of covidct-torch has written it'),
  created: z.string(),
  ...configShape,
}) as unknown as z.ZodType<RunConfig>;

/** `metrics.json`: an evaluation by split. */
export const runMetricsSchema = z.record(z.string(), evaluationSchema);

/** Options of RunFolder.create. */
export const createRunSchema = z.strictObject({ overwrite: z.boolean().default(false) });

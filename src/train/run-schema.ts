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
    /** that it computes in; absent in older runs */ readonly threads?: number;
    /** the origin of the initial weights */ readonly startedFrom: string | null;
  };
  readonly data: {
    readonly train: DataSummary;
    readonly validation: DataSummary | null;
    /** how the splits were opened, in the words of whoever did; absent where nobody said */
    readonly source?: Readonly<Record<string, unknown>>;
  };
  readonly versions: Readonly<Record<string, string>>;
  /** when and where later processes went on with it, the first first; absent where none did */
  readonly resumed?: readonly Resumption[];
}

/** One process that went on with a run. */
export interface Resumption {
  /** ISO 8601. */
  readonly time: string;
  readonly epoch: number;
  /** Micro-batches of that epoch that were done. */
  readonly step: number;
  /** What was not as before, in words; it was asked for or accepted. */
  readonly changes: readonly string[];
}

/** How many samples of each class a split has. */
export interface DataSummary {
  readonly name: string;
  readonly samples: number;
  readonly classes: Readonly<Record<string, number>>;
  /** SHA-256 over ids and labels; see datasetFingerprint. */
  readonly fingerprint: string;
  /** SHA-256 over the ids in their order; absent in older runs. */
  readonly order?: string;
  /** SHA-256 over ids and file sizes; see datasetSizes. Absent for packed data sets, and in older runs. */
  readonly sizes?: string;
  /** What the data set's reader left out, by reason; absent where nothing was, and in older runs. */
  readonly leftOut?: readonly LeftOut[];
}

const count = z.number().min(0);

const summary = z.looseObject({
  name: z.string(),
  samples: count,
  classes: z.record(z.string(), count),
  fingerprint: z.string(),
  order: z.string().optional(),
  sizes: z.string().optional(),
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
    threads: count.optional(),
  }),
  data: z.looseObject({ train: summary, validation: summary.nullable(), source: plainSchema.optional() }),
  versions: z.record(z.string(), z.string()),
  resumed: z
    .array(z.looseObject({ time: z.string(), epoch: count, step: count, changes: z.array(z.string()) }))
    .optional(),
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

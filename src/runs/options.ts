/** Options of the functions over runs. */
import { z } from 'zod';
import { BEST_BY } from '../metrics/registry';
import { pathSchema } from '../options/atoms';
import { signalSchema } from '../options/check';
import { ENDED_STATES } from './types';

export const listSchema = z.strictObject({ signal: signalSchema });

/** Folders of two runs or more. */
export const dirsSchema = z.array(pathSchema).min(2, 'expected the folders of two runs or more');

export const compareSchema = z.strictObject({
  /** Which metrics: those of the split to choose by, or of the split that is looked at once, at the very end. */
  split: z.enum(['validation', 'test']).default('validation'),
});

/** Options of {@link compareRuns}. */
export type CompareOptions = z.input<typeof compareSchema>;

export const pruneSchema = z.strictObject({
  /** Which runs: those in one of these states. Default: killed and failed; with `checkpoints`, finished. */
  states: z.array(z.enum(ENDED_STATES)).min(1, 'expected a state or more').readonly().optional(),
  /** Of them, those in which nothing has changed for so many days; default: all. */
  olderThanDays: z.number().min(0).default(0),
  /** How many runs stay whatever their state: the best below the folder by `by`; default: none. */
  keep: z.int().min(0).default(0),
  /** The metric of the validation split by which runs are the best. */
  by: z.enum(BEST_BY).default('accuracy'),
  /** Only what is needed to go on with a training, the folder `checkpoints`; the run stays. */
  checkpoints: z.boolean().default(false),
  /** Whether nothing is removed and what would be is told; false removes it. */
  dryRun: z.boolean().default(true),
  signal: signalSchema,
});

/** Options of {@link pruneRuns}. */
export type PruneOptions = z.input<typeof pruneSchema>;

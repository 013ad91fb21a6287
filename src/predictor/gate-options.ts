/** What a model must show before it answers. */
import { z } from 'zod';
import { datasetSchema } from '../data/schemas';
import { signalSchema } from '../options/check';

const rate = z.number().min(0).max(1).optional();

export const gateSchema = z.strictObject({
  /**
   * Labeled images that neither model was trained on or chosen by; needed by all that follow. They are computed one by
   * one, so that an answer never waits for more than one of them.
   */
  dataset: datasetSchema.optional(),
  /**
   * The model is refused where it is worse than the one that answers by more than chance: the two-sided p of McNemar's
   * test of what they call right or, with two classes, of DeLong's test of their AUCs is below `alpha`. True: .05. That
   * no difference shows is no proof that there is none: the fewer images, the more passes.
   */
  notWorseThan: z.union([z.boolean(), z.strictObject({ alpha: z.number().gt(0).lt(1).default(0.05) })]).default(false),
  /** Least sensitivity and specificity at the model's own operating point, and least AUC; two classes. */
  minSensitivity: rate,
  minSpecificity: rate,
  minAuc: rate,
  /** Least accuracy. */
  minAccuracy: rate,
});
/** Options of a gate. */
export type GateOptions = z.input<typeof gateSchema>;
export type ResolvedGate = z.output<typeof gateSchema>;

export const promoteSchema = z.strictObject({
  /** What the model must show; by default that it has the same classes and gives finite numbers. */
  gate: gateSchema.optional(),
  signal: signalSchema,
});
/** Options of {@link Predictor.promote}. */
export type PromoteOptions = z.input<typeof promoteSchema>;

export const followSchema = z.strictObject({
  gate: gateSchema.optional(),
  /** Milliseconds between two looks at the run's card; 2 s. */
  everyMs: z.int().min(10).max(86_400_000).default(2000),
  signal: signalSchema,
});
/** Options of {@link Predictor.follow}. */
export type FollowOptions = z.input<typeof followSchema>;

/** Options of the Trainer beyond the plain recipe: schedule, parameter groups, freezing, averaging. */
import { z } from 'zod';

const factor = z.number().gt(0).lt(1);

const scheduleObject = z.discriminatedUnion('type', [
  /** Lowered when only the running loss has stopped improving; `factor` is `learningRateFactor` where left out. */
  z.strictObject({ type: z.literal('plateau'), factor: factor.optional() }),
  z.strictObject({ type: z.literal('constant') }),
  /** Multiplied by `factor` after every `every` epochs; torch.optim.lr_scheduler.StepLR. */
  z.strictObject({ type: z.literal('step'), every: z.int().min(1), factor: factor.default(0.1) }),
  /**
   * Half a cosine down to `minLearningRate` over all optimizer steps,
   * after a linear rise from `warmupStart` times the rate.
   */
  z.strictObject({
    type: z.literal('cosine'),
    warmupEpochs: z.number().min(0).finite().default(0),
    warmupStart: z.number().gt(0).max(1).default(0.01),
    minLearningRate: z.number().min(0).finite().default(0),
  }),
  /** torch.optim.lr_scheduler.OneCycleLR with two phases; `learningRate` is the peak, momentum is not cycled. */
  z.strictObject({
    type: z.literal('oneCycle'),
    warmupShare: z.number().gt(0).lt(1).default(0.3),
    divFactor: z.number().min(1).finite().default(25),
    finalDivFactor: z.number().min(1).finite().default(1e4),
    anneal: z.enum(['cos', 'linear']).default('cos'),
  }),
]);

/** What a caller may give for `schedule`; a word stands for the object of that type with its defaults. */
export type ScheduleInput = z.input<typeof scheduleObject> | 'plateau' | 'constant' | 'cosine' | 'oneCycle';
/** A schedule with every default filled in. */
export type ScheduleOptions = z.output<typeof scheduleObject>;

/** A schedule, or the word that stands for one with its defaults. */
export const scheduleSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { type: value } : value),
  scheduleObject,
) as unknown as z.ZodType<ScheduleOptions, ScheduleInput>;

const names = z.array(z.string().min(1)).min(1);

const groupSchema = z
  .strictObject({
    /**
     * A name, a prefix that ends at a dot, or `head`, `backbone`, `norms` (of batch norms), `biases` (every `.bias`).
     */
    match: z.union([z.string().min(1), names]),
    /** Instead of the common rate. */
    learningRate: z.number().positive().finite().optional(),
    /** Times the common rate. */
    learningRateScale: z.number().positive().finite().optional(),
    weightDecay: z.number().min(0).finite().optional(),
  })
  .refine(
    (group) => group.learningRate === undefined || group.learningRateScale === undefined,
    'give learningRate or learningRateScale, not both',
  );

const unfreezeSchema = z
  .strictObject({
    /** From the beginning of this epoch on, counted from 1. */
    epoch: z.int().min(2),
    /** What is trained as well from then on: names and prefixes as in groups, or `all`. */
    parameters: z.union([z.literal('all'), names]).optional(),
    /** From then on only the first `depth` stages of the backbone stay frozen. */
    depth: z.int().min(0).optional(),
  })
  .refine(
    (step) => (step.parameters === undefined) !== (step.depth === undefined),
    'give parameters or depth, one of them',
  );

const freezeObject = z
  .strictObject({
    /** Names and prefixes as in groups. */
    parameters: names.optional(),
    /**
     * The first so many stages of the backbone: convolutions of a VGG, stem and layers of a ResNet, stem, blocks and
     * transitions of a DenseNet, stem and Fire modules of a SqueezeNet, stem and stages of an EfficientNet.
     */
    depth: z.int().min(1).optional(),
    /**
     * A batch norm whose weight is frozen: on its running statistics, or on
     * those of the batch (which then update them).
     */
    batchNorm: z.enum(['running', 'batch']).default('running'),
    unfreeze: z.array(unfreezeSchema).default([]),
  })
  .refine((freeze) => freeze.parameters !== undefined || freeze.depth !== undefined, 'give parameters, depth or both');

/** What a caller may give for `freeze`. */
export type FreezeInput = 'backbone' | string[] | z.input<typeof freezeObject>;
/** The same as an object. */
export type FreezeOptions = z.output<typeof freezeObject>;

const freezeSchema = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? { parameters: [value] }
      : Array.isArray(value)
        ? { parameters: value as string[] }
        : value,
  freezeObject,
) as unknown as z.ZodType<FreezeOptions, FreezeInput>;

/** The shape that the Trainer's options take in. */
export const fineTuningShape = {
  /** How the learning rate goes; the schedule scales the rates of all groups alike. */
  schedule: scheduleSchema.prefault('plateau'),
  /** Parameters with a rate or decay of their own; each belongs to the first group that matches it. */
  groups: z.array(groupSchema).optional(),
  /** What is not trained. */
  freeze: freezeSchema.optional(),
  /** Share of the target spread evenly over all classes, in [0, 1). */
  labelSmoothing: z.number().min(0).lt(1).default(0),
  /** Gradients are scaled down together to this Euclidean norm, > 0. */
  maxGradientNorm: z.number().positive().finite().optional(),
  /** Exponential moving average of the weights, which is what is validated, kept and left in the model. */
  ema: z.strictObject({ decay: z.number().gt(0).lt(1) }).optional(),
  /**
   * With a backbone that is frozen whole: what it says of each image is computed once and kept within `maxCacheBytes`.
   * `true`: without augmentation (a random trainTransform gives way to the evalTransform); with `augmentations`, that
   * many fixed ones of each image, in turn. Ends when the backbone is unfrozen.
   */
  cacheFeatures: z.union([z.boolean(), z.strictObject({ augmentations: z.int().min(1) })]).default(false),
};

/** A group of parameters as the options have it. */
export type GroupOptions = z.output<typeof groupSchema>;

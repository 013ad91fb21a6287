/** Options of the Trainer: the defaults are the tutorial's recipe. */
import { z } from 'zod';
import { fineTuningShape } from './fine-tuning-options';
import { defaultsOf, OPTIMIZERS, optimizerShape } from './optimizers';
import type { OptimizerSettings } from './optimizers';
import { refused } from './refused';
import { imageShape } from '../data/images/options';
import { BEST_BY } from '../metrics/registry';

/** Which recipe fills in what is not given: `default`, or the tutorial's accumulation and normalization. */
export const PRESETS = ['default', 'tutorial'] as const;

export const trainOptionsSchema = z
  .strictObject({
    ...optimizerShape,
    ...fineTuningShape,
    /** Learning rate, > 0; 0.01 for SGD and 1e-4 for the other optimizers where left out. */
    learningRate: z.number().positive().finite().optional(),
    /** L2 penalty added to the gradient (AdamW: apart from it), >= 0; 0, for AdamW 0.01, where left out. */
    weightDecay: z.number().min(0).finite().optional(),
    /** Images in one forward and backward pass (a micro-batch). */
    batchSize: z.int().min(1).max(4096).default(8),
    /** Micro-batches whose gradients are added up before one optimizer step. */
    accumulate: z.int().min(1).max(4096).default(8),
    /** At most this many passes over the training split. */
    epochs: z.int().min(1).max(100_000).default(60),
    /** Epochs without improvement that EarlyStopping forgives; more than this many count. */
    patience: z.int().min(0).default(5),
    /** What the learning rate is multiplied by when only the loss has stopped improving. */
    learningRateFactor: z.number().gt(0).lt(1).default(0.1),
    /** Seed of everything random: order, crops, flips, dropout. */
    seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
    /** Weight of each class in the loss, one positive number per class; `balanced` derives them from the counts. */
    classWeights: z.union([z.literal('balanced'), z.array(z.number().positive().finite())]).optional(),
    /** Metric of the validation split that chooses the best epoch; ties go to the lower validation loss. */
    bestBy: z.enum(BEST_BY).default('accuracy'),
    /** `tutorial` reproduces the tutorial's accumulation and its missing normalization. */
    preset: z.enum(PRESETS).default('default'),
    /**
     * Run folder; without it nothing but the returned history is kept and the best weights live in a temporary file.
     */
    out: z.string().min(1).optional(),
    /**
     * Which weights stay in the run folder, and in the model at the end: `best`, those of the best epoch; `both`, those
     * of the last step beside them, as a second file where they differ; `last`, those of the last finished epoch,
     * whatever `bestBy` says. A training that is aborted in its first epoch keeps those of its last step; one that
     * fails there keeps none.
     */
    keep: z.enum(['best', 'last', 'both']).default('best'),
    /** Whether an earlier run in `out` is removed first; without it such a folder is refused. */
    overwrite: z.boolean().default(false),
    /**
     * Two classes: a probability of the last class at or above this is predicted positive once the model is trained.
     * `validation` chooses it there by the Youden index (0.5 without a validation split, and with the tutorial's
     * preset).
     */
    threshold: z.union([z.literal('validation'), z.number().min(0).max(1)]).default('validation'),
    /** Side of the square the network sees, in pixels; that of the weights it begins with, or 224. */
    imageSize: z.int().min(32).max(2048).optional(),
    /** Bytes of decoded pixels kept in memory; beyond it images are decoded again each epoch. */
    maxCacheBytes: z
      .int()
      .min(0)
      .default(2 * 1024 ** 3),
    /**
     * On a GPU: bytes of pixels kept in its memory, so that later epochs send
     * none; beyond it images are sent each epoch. 0: none.
     */
    maxDeviceCacheBytes: z
      .int()
      .min(0)
      .default(1024 ** 3),
    /** What happens to a file that cannot be decoded. */
    onBadFile: z.enum(['error', 'skip']).default('error'),
    ...imageShape,
    /**
     * When a checkpoint is written into the run folder, from which `Trainer.resume` goes on: after every `epoch`, and
     * within epochs when so many minutes or optimizer steps have passed since the last one.
     */
    checkpointEvery: z
      .union(
        [
          z.literal('epoch'),
          z.strictObject({ minutes: z.number().positive().finite() }),
          z.strictObject({ steps: z.int().min(1) }),
        ],
        "expected 'epoch', { minutes: n } or { steps: n }",
      )
      .default('epoch'),
    /** How many of the latest checkpoints stay, each of the weights and the optimizer's state; 0: none is written. */
    keepCheckpoints: z.int().min(0).max(10_000).default(1),
    /** Micro-batches prepared ahead of the one that is being computed. */
    prefetch: z.int().min(0).max(64).default(2),
  })
  .superRefine((options, context) => {
    const { momentum, dampening } = { ...OPTIMIZERS.sgd.defaults, ...given(options) };
    if (options.nesterov === true && (momentum === 0 || dampening !== 0)) {
      context.addIssue({ code: 'custom', path: ['nesterov'], message: 'Nesterov needs momentum > 0 and dampening 0' });
    }
  });

/** What a caller may give. */
export type TrainOptions = z.input<typeof trainOptionsSchema>;
/** The same with every default filled in. */
export type ResolvedTrainOptions = z.output<typeof trainOptionsSchema> &
  OptimizerSettings & {
    readonly learningRate: number;
    readonly weightDecay: number;
    readonly imageSize: number;
  };

/** Returns the options that were given. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/**
 * Fills in what depends on the optimizer, the learning rate and the weight decay, and on the weights, the image size.
 *
 * @param ownImageSize what the weights that the network begins with were trained at; null where it is not known
 * @throws InvalidOptionError for a schedule or an unfreezing that does not fit the rate or the epochs
 */
export function resolveTrainOptions(
  options: z.output<typeof trainOptionsSchema>,
  ownImageSize: number | null = null,
): ResolvedTrainOptions {
  const { schedule, epochs } = options;
  const filled = { ...defaultsOf(options.optimizer), ...given(options) };
  const { learningRate } = filled;
  if (schedule.type === 'cosine') {
    if (schedule.minLearningRate > learningRate)
      throw refused(
        'schedule.minLearningRate',
        `expected at most the learning rate ${learningRate}; got ${schedule.minLearningRate}`,
      );
    if (schedule.warmupEpochs >= epochs)
      throw refused('schedule.warmupEpochs', `expected fewer than the ${epochs} epochs; got ${schedule.warmupEpochs}`);
  }
  for (const [index, step] of (options.freeze?.unfreeze ?? []).entries()) {
    if (step.epoch > epochs)
      throw refused(`freeze.unfreeze[${index}].epoch`, `expected at most the ${epochs} epochs; got ${step.epoch}`);
  }
  return { ...options, ...filled, imageSize: options.imageSize ?? ownImageSize ?? 224 };
}

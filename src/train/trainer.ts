/** Trains a classifier: options in, events and a history out. */
import { z } from 'zod';
import { tutorialEval, tutorialTrain } from '../data/transforms/presets';
import { isRandom, parseTransform } from '../data/transforms/transform';
import type { Dataset, Transform } from '../data/types';
import { InvalidOptionError } from '../errors';
import type { TrainLogger } from '../log/types';
import { isClassifier, networkOf } from '../model/classifier';
import type { Classifier } from '../model/classifier';
import { datasetSchema } from '../data/schemas';
import { loggersSchema } from '../log/schemas';
import { checkArgument, checkOptions, signalOptionsSchema } from '../options/check';
import { transformSchema } from '../data/transforms/transform';
import { resolveTrainOptions, trainOptionsSchema } from './options';
import type { ResolvedTrainOptions, TrainOptions } from './options';
import { runTraining } from './session';
import { TrainingRun } from './training-run';

/** The objects of a Trainer's options, beside the recipe's numbers and words. */
const objectsSchema = z.looseObject({
  model: z.custom<Classifier>(isClassifier, 'expected a Classifier, e.g. from await Classifier.create(...)'),
  loggers: loggersSchema.optional(),
  trainTransform: transformSchema.optional(),
  evalTransform: transformSchema.optional(),
});

/** Options of {@link Trainer}: the recipe, and the objects it works with. */
export interface TrainerOptions extends TrainOptions {
  /** The classifier to train. It keeps the best weights in the end. */
  readonly model: Classifier;
  /** Told of every event, in order, and closed when a training that has begun ends; make new ones for another training. */
  readonly loggers?: readonly TrainLogger[];
  /** How a training image becomes the network's input; the tutorial's crop and flip by default. */
  readonly trainTransform?: Transform;
  /** The same for validation and, later, prediction; resized to a square by default. Stored with the weights. */
  readonly evalTransform?: Transform;
}

/**
 * A recipe bound to a classifier.
 *
 * ```ts
 * const history = await new Trainer({ model, out: 'runs/first' }).fit(data.train, data.validation);
 * ```
 */
export class Trainer {
  readonly #model: Classifier;
  readonly #loggers: readonly TrainLogger[];
  readonly #trainTransform: Transform;
  readonly #evalTransform: Transform;
  /** The recipe with every default filled in. */
  readonly options: ResolvedTrainOptions;

  /** @throws InvalidOptionError naming every wrong option */
  constructor(trainerOptions: TrainerOptions) {
    const {
      model,
      loggers = [],
      trainTransform,
      evalTransform,
      ...options
    } = checkOptions(objectsSchema, trainerOptions, 'Trainer');
    this.options = resolveTrainOptions(
      checkOptions(trainOptionsSchema, options, 'Trainer'),
      model.pretraining?.imageSize,
    );
    const preset = {
      size: this.options.imageSize,
      normalization: this.options.preset === 'tutorial' ? 'none' : (networkOf(model).normalization ?? 'imagenet'),
    } as const;
    this.#model = model;
    this.#loggers = loggers;
    this.#trainTransform = trainTransform === undefined ? tutorialTrain(preset) : parseTransform(trainTransform);
    this.#evalTransform = evalTransform === undefined ? tutorialEval(preset) : parseTransform(evalTransform);
    if (isRandom(this.#evalTransform)) {
      throw new InvalidOptionError(
        'Trainer: evalTransform: expected a transform that draws nothing at random, since predictions are made with it; use tutorialEval() or aspectEval()',
        [{ path: 'evalTransform', message: 'draws at random' }],
      );
    }
  }

  /**
   * Trains on `train`, looks at `validation` after every epoch, and leaves the best weights in the model.
   *
   * @param train split to learn from
   * @param validation split that chooses the best epoch, the learning rate, the end and the threshold; with null none of
   *   this happens and the last epoch's weights count as the best
   * @param options `signal`: stops between two steps; the run folder stays usable and the history says `aborted`
   * @returns an async iterator of events and a promise of the history; see {@link TrainingRun}. It rejects with
   *   DatasetError, BadImageError, or CovidCtError ERR_BUSY (the model is being trained already), ERR_DIVERGED,
   *   ERR_RUN_FOLDER, ERR_OUT_OF_MEMORY or ERR_NATIVE
   */
  fit(train: Dataset, validation: Dataset | null = null, options: { readonly signal?: AbortSignal } = {}): TrainingRun {
    const { signal } = checkOptions(signalOptionsSchema, options, 'Trainer.fit');
    checkArgument(datasetSchema, train, 'Trainer.fit', 'train');
    checkArgument(datasetSchema.nullable(), validation, 'Trainer.fit', 'validation');
    const request = {
      network: networkOf(this.#model),
      train,
      validation,
      options: this.options,
      loggers: this.#loggers,
      trainTransform: this.#trainTransform,
      evalTransform: this.#evalTransform,
      signal,
    };
    return new TrainingRun((control) => runTraining(request, control));
  }
}

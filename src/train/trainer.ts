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
import { historyOf, stoppedWhenLeft } from './events';
import type { TrainingEvents } from './events';
import type { TrainingHistory } from './history';
import { resolveTrainOptions, trainOptionsSchema } from './options';
import type { ResolvedTrainOptions, TrainOptions } from './options';
import { runTraining } from './session';

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
  /**
   * Told of every event, in order, and closed when a training that has begun ends; make new ones for another training.
   */
  readonly loggers?: readonly TrainLogger[];
  /** How a training image becomes the network's input; the tutorial's crop and flip by default. */
  readonly trainTransform?: Transform;
  /** The same for validation and, later, prediction; resized to a square by default. Stored with the weights. */
  readonly evalTransform?: Transform;
}

/** Options of {@link Trainer.fit} and {@link Trainer.events}. */
export interface TrainerFitOptions {
  /** Stops the training between two steps; the run folder stays usable. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A recipe bound to a classifier.
 *
 * @example
 * ```ts
 * import { Classifier, openDataset, Trainer } from 'covidct-torch';
 *
 * const data = await openDataset('COVID-CT');
 * using model = await Classifier.create({ architecture: 'vgg19_bn', classes: data.train.classes });
 * const history = await new Trainer({ model, out: 'runs/first', bestBy: 'auc' }).fit(data.train, data.validation);
 * console.log(history.best?.epoch);
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
        'Trainer: evalTransform: expected a transform that draws nothing at random, ' +
          'since predictions are made with it; use tutorialEval() or aspectEval()',
        [{ path: 'evalTransform', message: 'draws at random' }],
      );
    }
  }

  /**
   * Trains on `train`, evaluates `validation` after every epoch, and leaves the best weights in the model.
   *
   * @param train split to learn from
   * @param validation split that chooses the best epoch, the learning rate, the end and the threshold; with null none
   *   of this happens and the last epoch's weights count as the best
   * @param options `signal`: stops between two steps; the run folder stays usable and the history says `aborted`
   * @returns the history, once everything is written and the loggers are closed. Rejects with InvalidOptionError,
   *   DatasetError, BadImageError, or CovidCtError ERR_BUSY (the model is being trained already), ERR_DIVERGED,
   *   ERR_RUN_FOLDER, ERR_OUT_OF_MEMORY or ERR_NATIVE
   * @example
   * ```ts
   * import { Classifier, ConsoleLogger, openDataset, Trainer } from 'covidct-torch';
   *
   * const data = await openDataset('COVID-CT');
   * using model = await Classifier.create({ architecture: 'resnet18', classes: data.train.classes });
   * const trainer = new Trainer({ model, out: 'runs/first', loggers: [new ConsoleLogger()] });
   * const { best } = await trainer.fit(data.train, data.validation);
   * ```
   */
  async fit(
    train: Dataset,
    validation: Dataset | null = null,
    options: TrainerFitOptions = {},
  ): Promise<TrainingHistory> {
    return await historyOf(this.#start('Trainer.fit', train, validation, options));
  }

  /**
   * Trains as {@link fit} does, and yields every event: the same run, read step by step.
   *
   * The training begins with the first event that is asked for, and the reader sets the pace: the next event is
   * computed when it is asked for, so that none is lost and none piles up. Leaving the loop early (`break`, `return`,
   * `throw`) stops the training as an abort does: the last event goes to the loggers, the run folder stays usable and
   * the model is free again when the loop is left. The generator returns the history, which `for await` drops; the
   * loggers see the same events beside {@link fit}.
   *
   * @param train split to learn from
   * @param validation split that chooses the best epoch, the learning rate, the end and the threshold, or null
   * @param options `signal`: stops between two steps; the last event is then a `stop` with the reason `aborted`
   * @throws InvalidOptionError at once; all other errors of {@link fit} are thrown to the one who reads
   * @example
   * ```ts
   * import { Classifier, openDataset, Trainer } from 'covidct-torch';
   *
   * const data = await openDataset('COVID-CT');
   * using model = await Classifier.create({ architecture: 'resnet18', classes: data.train.classes });
   * for await (const event of new Trainer({ model }).events(data.train, data.validation)) {
   *   if (event.type === 'epoch') console.log(event.epoch, event.trainLoss, event.validationAccuracy);
   * }
   * ```
   */
  events(train: Dataset, validation: Dataset | null = null, options: TrainerFitOptions = {}): TrainingEvents {
    return this.#start('Trainer.events', train, validation, options);
  }

  #start(where: string, train: Dataset, validation: Dataset | null, options: TrainerFitOptions): TrainingEvents {
    const { signal } = checkOptions(signalOptionsSchema, options, where);
    checkArgument(datasetSchema, train, where, 'train');
    checkArgument(datasetSchema.nullable(), validation, where, 'validation');
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
    return stoppedWhenLeft((left) => runTraining(request, left));
  }
}

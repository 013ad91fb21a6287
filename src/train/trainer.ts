/** Trains a classifier: options in, events and a history out. */
import { z } from 'zod';
import { tutorialEval, tutorialTrain } from '../data/transforms/presets';
import { isRandom, parseTransform } from '../data/transforms/transform';
import type { Dataset, Transform } from '../data/types';
import { InvalidOptionError } from '../errors';
import type { TrainLogger } from '../log/types';
import { classifierOf, isClassifier, networkOf } from '../model/classifier';
import type { Classifier } from '../model/classifier';
import { datasetSchema } from '../data/schemas';
import { loggersSchema, loggerTimeoutSchema } from '../log/schemas';
import { loadOptionsSchema } from '../model/options';
import { callbackSchema, plainSchema } from '../options/atoms';
import { checkArgument, checkOptions, signalOptionsSchema } from '../options/check';
import { transformSchema } from '../data/transforms/transform';
import { historyOf, stoppedWhenLeft } from './events';
import type { TrainingEvents } from './events';
import type { TrainingHistory } from './history';
import { resolveTrainOptions, trainOptionsSchema } from './options';
import type { ResolvedTrainOptions, TrainOptions } from './options';
import { openRun, optionsOfRun } from './open-run';
import { ACCEPTABLE } from './resume';
import type { ResumePoint } from './resume';
import { runTraining } from './session';

/** The objects of a Trainer's options, beside the recipe's numbers and words. */
const objectsSchema = z.looseObject({
  model: z.custom<Classifier>(isClassifier, 'expected a Classifier, e.g. from await Classifier.create(...)'),
  loggers: loggersSchema.optional(),
  loggerTimeout: loggerTimeoutSchema,
  trainTransform: transformSchema.optional(),
  evalTransform: transformSchema.optional(),
  dataSource: plainSchema.optional(),
});

/** Options of {@link Trainer}: the recipe, and the objects it works with. */
export interface TrainerOptions extends TrainOptions {
  /** The classifier to train. It keeps the best weights in the end. */
  readonly model: Classifier;
  /**
   * Told of every event, in order, and closed when a training that has begun ends; make new ones for another training.
   */
  readonly loggers?: readonly TrainLogger[];
  /**
   * Milliseconds after which a logger that does not come back from a call is given up: it gets no more events, a
   * process warning says so, and the training goes on. 30 000 by default; 0: it is waited for without end.
   */
  readonly loggerTimeout?: number | undefined;
  /** How a training image becomes the network's input; the tutorial's crop and flip by default. */
  readonly trainTransform?: Transform;
  /** The same for validation and, later, prediction; resized to a square by default. Stored with the weights. */
  readonly evalTransform?: Transform;
  /** How the splits were opened, as plain JSON; kept in `config.json` for whoever resumes the run. */
  readonly dataSource?: Readonly<Record<string, unknown>>;
}

const resumeSchema = z.strictObject({
  loggers: loggersSchema.optional(),
  loggerTimeout: loggerTimeoutSchema,
  device: loadOptionsSchema.shape.device.unwrap().optional(),
  threads: loadOptionsSchema.shape.threads.unwrap().optional(),
  epochs: trainOptionsSchema.shape.epochs.unwrap().optional(),
  prefetch: trainOptionsSchema.shape.prefetch.unwrap().optional(),
  maxCacheBytes: trainOptionsSchema.shape.maxCacheBytes.unwrap().optional(),
  maxDeviceCacheBytes: trainOptionsSchema.shape.maxDeviceCacheBytes.unwrap().optional(),
  checkpointEvery: trainOptionsSchema.shape.checkpointEvery.unwrap().optional(),
  keepCheckpoints: trainOptionsSchema.shape.keepCheckpoints.unwrap().optional(),
  dataSource: plainSchema.optional(),
  accept: z.array(z.enum(ACCEPTABLE)).readonly().default([]),
  onWarning: callbackSchema<(message: string) => void>().optional(),
});

/**
 * Options of {@link Trainer.resume}. What is left out is as it was. `epochs`, `device` and `threads` may be given anew,
 * which `config.json` notes; the rest changes no number. `accept`: kinds of other differences that are let pass, and
 * noted. `onWarning`: told of a checkpoint that is damaged, so that an earlier one is taken; a process warning without
 * it. `loggers`, `loggerTimeout` and `dataSource`: as those of a new Trainer.
 */
export type ResumeOptions = Omit<z.input<typeof resumeSchema>, 'loggers'> & {
  readonly loggers?: readonly TrainLogger[];
};

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
  readonly #loggerTimeout: number;
  readonly #trainTransform: Transform;
  readonly #evalTransform: Transform;
  readonly #dataSource: Readonly<Record<string, unknown>> | undefined;
  #resume: ResumePoint | null = null;
  #resumed = false;
  /** The recipe with every default filled in. */
  readonly options: ResolvedTrainOptions;

  /** @throws InvalidOptionError naming every wrong option */
  constructor(trainerOptions: TrainerOptions) {
    const {
      model,
      loggers = [],
      loggerTimeout,
      trainTransform,
      evalTransform,
      dataSource,
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
    this.#loggerTimeout = loggerTimeout;
    this.#dataSource = dataSource;
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
   * Goes on with a run that was killed, stopped or has failed, from its latest checkpoint: {@link fit} then ends with
   * the weights, the history and the metrics of a training that was never interrupted, to the bit on a CPU. A run whose
   * epochs are all done goes on with more of them.
   *
   * @param dir run folder
   * @param options see {@link ResumeOptions}; loggers of the same kinds in the same order as before go on where they
   *   were
   * @returns a Trainer for one {@link fit} or {@link events} with the same splits, whose {@link model} the caller
   *   disposes of
   * @throws CovidCtError ERR_RUN_FOLDER for a folder that is not a run, ERR_RESUME where no checkpoint is whole or more
   *   epochs have begun than there are to be; `fit` throws ERR_RESUME where data, versions, device or number of threads
   *   are others and that was not accepted
   * @example
   * ```ts
   * import { openDataset, Trainer } from 'covidct-torch';
   *
   * const data = await openDataset('COVID-CT');
   * const trainer = await Trainer.resume('runs/first');
   * const history = await trainer.fit(data.train, data.validation);
   * console.log(history.epochs.length);
   * trainer.model.dispose();
   * ```
   */
  static async resume(dir: string, options: ResumeOptions = {}): Promise<Trainer> {
    const { loggers, loggerTimeout, accept, onWarning, device, threads, ...given } = checkOptions(
      resumeSchema,
      options,
      'Trainer.resume',
    );
    const { network, checkpoint, config } = await openRun(dir, { device, threads, epochs: given.epochs }, (message) => {
      if (onWarning === undefined) process.emitWarning(message, { code: 'COVIDCT_CHECKPOINT' });
      else onWarning(message);
    });
    const asked = Object.entries({ ...given, device, threads }).filter(([, value]) => value !== undefined);
    const stored = optionsOfRun(config);
    const overrides = Object.fromEntries(asked.filter(([key]) => key !== 'device' && key !== 'threads'));
    try {
      const trainer = new Trainer({
        ...(stored as Partial<TrainerOptions>),
        ...overrides,
        out: dir,
        model: classifierOf(network),
        loggerTimeout,
        ...(loggers === undefined ? {} : { loggers }),
      });
      trainer.#resume = { checkpoint, config, accept: [...accept, ...asked.map(([key]) => key)] };
      return trainer;
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  /** The classifier that is trained. */
  get model(): Classifier {
    return this.#model;
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
    if (this.#resumed)
      throw new InvalidOptionError(`${where}: a resumed run goes on once; call Trainer.resume again`, []);
    this.#resumed = this.#resume !== null;
    const request = {
      network: networkOf(this.#model),
      train,
      validation,
      options: this.options,
      loggers: this.#loggers,
      loggerTimeout: this.#loggerTimeout,
      trainTransform: this.#trainTransform,
      evalTransform: this.#evalTransform,
      signal,
      dataSource: this.#dataSource,
      resume: this.#resume,
    };
    return stoppedWhenLeft((left) => runTraining(request, left));
  }
}

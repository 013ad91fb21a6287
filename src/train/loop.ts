/** The training loop. */
import { makeDraw } from '../data/random';
import type { PixelStore } from '../data/store';
import type { Dataset, SkippedFile, Transform } from '../data/types';
import { DatasetError, throwIfAborted } from '../errors';
import type { EpochRecord, StopReason, TrainEvent } from '../log/types';
import type { Evaluation } from '../metrics/types';
import type { Network } from '../model/types';
import type { NativeOptimizerOptions } from '../addon/types';
import type { ResolvedTrainOptions } from './options';
import { BestTracker } from './best';
import type { Averaging } from './averaging';
import type { Checkpoints } from './checkpoints';
import { EarlyStopping } from './early-stopping';
import { BatchSource } from './batch-source';
import { Meter } from './meter';
import type { FeaturePlan } from './feature-cache';
import { LearningRateSchedule } from './schedule';
import { StepPipeline } from './step-pipeline';
import type { FreezeSchedule } from './freeze-schedule';
import { accumulate as accumulateBatches, updatesPerEpoch } from './accumulation';

/** Everything the loop works with, checked and made ready. */
export interface TrainingPlan {
  readonly network: Network;
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly options: ResolvedTrainOptions;
  readonly trainTransform: Transform;
  readonly evalTransform: Transform;
  readonly classWeights: Float32Array;
  readonly store: PixelStore;
  readonly checkpoints: Checkpoints;
  readonly trainable: FreezeSchedule;
  readonly averaging: Averaging;
  /** What is kept of a frozen backbone; null: nothing. */
  readonly features: FeaturePlan | null;
  /** Options of an optimizer step at a learning rate. */
  readonly optimizer: (learningRate: number) => NativeOptimizerOptions;
  readonly signal: AbortSignal;
  readonly onSkip: (split: string, file: SkippedFile) => void;
}

/** Why the loop ended by itself. */
export interface LoopEnd {
  readonly reason: Exclude<StopReason, 'aborted'>;
  readonly message: string;
}

/** Random draws of the dropout masks, apart from the data room's streams (0 to 4). */
const DROPOUT_STREAM = 16;

/**
 * Trains until the epochs are done or early stopping says so. A micro-batch is forward, loss and backward; the
 * optimizer steps at the end of each accumulation window.
 *
 * @throws AbortedError between two steps once the signal has fired; CovidCtError ERR_DIVERGED
 */
export async function* trainingLoop(plan: TrainingPlan): AsyncGenerator<TrainEvent, LoopEnd, undefined> {
  const { network, options, classWeights, checkpoints, averaging } = plan;
  const { accumulate, preset, seed, labelSmoothing, epochs } = options;
  const schedule = new LearningRateSchedule({
    learningRate: options.learningRate,
    factor: options.learningRateFactor,
    schedule: options.schedule,
    epochs,
    stepsPerEpoch: updatesPerEpoch(stepsPerEpoch(plan), accumulate),
  });
  const stopper = new EarlyStopping({ patience: options.patience });
  const tracker = new BestTracker(options.keep === 'last' ? 'last' : options.bestBy);
  const meter = new Meter();
  const steps = new StepPipeline(network, meter, options.maxGradientNorm !== undefined);
  const data = new BatchSource(plan);
  for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
    const began = performance.now();
    meter.reset();
    schedule.beginEpoch(epoch);
    let { learningRate } = schedule;
    const change = await plan.trainable.begin(epoch);
    if (change !== null) yield change;
    if (epoch === 1 && plan.features !== null) yield featuresEvent(plan, plan.features);
    try {
      for await (const { batch, step, divisor, updates } of accumulateBatches(data.batches(epoch), {
        accumulate,
        preset,
        classWeights,
      })) {
        throwIfAborted(plan.signal);
        const dropoutSeed = Math.floor(makeDraw({ seed, epoch, sample: step, stream: DROPOUT_STREAM })() * 2 ** 32);
        checkpoints.weightsChanged();
        const stepOptions = { divisor, dropoutSeed, classWeights, ...(labelSmoothing === 0 ? {} : { labelSmoothing }) };
        const outputs = steps.deferred ? await batch.start(stepOptions) : await batch.train(stepOptions);
        if (updates) learningRate = schedule.learningRate;
        // Before the optimizer can put NaN into the weights.
        const event = await steps.add(
          { epoch, step, steps: stepsPerEpoch(plan), learningRate, updated: updates, labels: batch.labels },
          outputs,
        );
        if (updates) {
          await network.optimizerStep(plan.optimizer(learningRate));
          await averaging.stepped();
          schedule.stepped();
        }
        if (event !== null) yield event;
      }
      yield* steps.drain();
    } catch (error) {
      yield* steps.afterFailure(error);
      throw error;
    }
    const training = meter.compute();
    if (training.samples === 0)
      throw new DatasetError(`${plan.train.name}: none of its ${plan.train.samples.length} files could be decoded`);

    const evaluation = await averaging.during(() => data.validate());
    if (evaluation !== null) {
      checkpoints.evaluated(evaluation);
      stopper.addData(evaluation.loss!, evaluation.accuracy!);
    }
    const { runningLoss, runningAccuracy } = stopper;
    const figures = {
      epoch,
      learningRate,
      trainLoss: training.loss,
      trainAccuracy: training.accuracy,
      ...validationFigures(evaluation),
      runningLoss,
      runningAccuracy,
    };
    const best = tracker.offer(figures);
    yield { type: 'epoch', ...figures, best, seconds: (performance.now() - began) / 1000 };
    if (best && tracker.best !== null) yield await checkpoints.keepBest(tracker.best, evaluation);

    const decision = schedule.decide(stopper, epoch);
    if (decision.action === 'stop') return { reason: 'early-stopping', message: `${decision.reason}.` };
    if (decision.action === 'reduce')
      yield { type: 'learningRate', epoch, from: decision.from, to: decision.to, reason: decision.reason };
  }
  return {
    reason: 'epochs',
    message: options.epochs === 1 ? 'the one epoch is done.' : `all ${options.epochs} epochs are done.`,
  };
}

/** Micro-batches in an epoch; fewer where files are left out. */
export function stepsPerEpoch({ train, options }: Pick<TrainingPlan, 'train' | 'options'>): number {
  return Math.ceil(train.samples.length / options.batchSize);
}

function featuresEvent(
  { train, validation }: TrainingPlan,
  { variants, width, bytes, withoutAugmentation }: FeaturePlan,
): TrainEvent {
  return {
    type: 'features',
    samples: train.samples.length + (validation?.samples.length ?? 0),
    augmentations: variants,
    width,
    bytes,
    withoutAugmentation,
  };
}

type ValidationFigures = Pick<
  EpochRecord,
  'validationLoss' | 'validationAccuracy' | 'validationAuc' | 'validationSensitivity' | 'validationSpecificity'
>;

function validationFigures(evaluation: Evaluation | null): ValidationFigures {
  return {
    validationLoss: evaluation?.loss ?? null,
    validationAccuracy: evaluation?.accuracy ?? null,
    validationAuc: evaluation?.auc ?? null,
    validationSensitivity: evaluation?.sensitivity ?? null,
    validationSpecificity: evaluation?.specificity ?? null,
  };
}

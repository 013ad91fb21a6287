/** The training loop. */
import type { StopReason, TrainEvent } from '../log/types';
import { validationMetrics } from '../metrics/registry';
import { updatesPerEpoch } from './accumulation';
import { BatchSource } from './batch-source';
import { BestTracker } from './best';
import { EarlyStopping } from './early-stopping';
import type { FeaturePlan } from './feature-cache';
import { stepsPerEpoch } from './plan';
import type { TrainingPlan } from './plan';
import { LearningRateSchedule } from './schedule';
import { Stepper } from './stepper';

/** Why the loop ended by itself. */
export interface LoopEnd {
  readonly reason: Exclude<StopReason, 'aborted'>;
  readonly message: string;
}

/**
 * Trains until the epochs are done or early stopping says so.
 *
 * @throws AbortedError between two steps once the signal has fired; CovidCtError ERR_DIVERGED
 */
export async function* trainingLoop(plan: TrainingPlan): AsyncGenerator<TrainEvent, LoopEnd, undefined> {
  const { options, averaging, kept } = plan;
  const schedule = scheduleOf(plan);
  const stepper = new Stepper(plan, schedule);
  const source = new BatchSource(plan);
  const stopper = new EarlyStopping({ patience: options.patience });
  const tracker = new BestTracker(options.keep === 'last' ? 'last' : options.bestBy);
  for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
    const began = performance.now();
    yield* beginEpoch(plan, epoch);
    const { loss, accuracy } = yield* stepper.trainEpoch(epoch, source.batches(epoch));
    const evaluation = await averaging.during(() => source.validate());
    if (evaluation !== null) {
      kept.evaluated(evaluation);
      stopper.addData(evaluation.loss!, evaluation.accuracy!);
    }
    const { learningRate } = stepper;
    const { runningLoss, runningAccuracy } = stopper;
    const training = { epoch, learningRate, trainLoss: loss, trainAccuracy: accuracy };
    const record = {
      ...training,
      validationLoss: evaluation?.loss ?? null,
      ...validationMetrics(evaluation),
      runningLoss,
      runningAccuracy,
    };
    const best = tracker.offer(record);
    yield { type: 'epoch', ...record, best, seconds: (performance.now() - began) / 1000 };
    if (best && tracker.best !== null) yield await kept.keepBest(tracker.best, evaluation);

    const decision = schedule.decide(stopper, epoch);
    if (decision.action === 'stop') return { reason: 'early-stopping', message: `${decision.reason}.` };
    if (decision.action === 'reduce') {
      const { from, to, reason } = decision;
      yield { type: 'learningRate', epoch, from, to, reason };
    }
  }
  const message = options.epochs === 1 ? 'the one epoch is done.' : `all ${options.epochs} epochs are done.`;
  return { reason: 'epochs', message };
}

function scheduleOf(plan: TrainingPlan): LearningRateSchedule {
  const { learningRate, learningRateFactor: factor, schedule, epochs, accumulate } = plan.options;
  const updates = updatesPerEpoch(stepsPerEpoch(plan), accumulate);
  return new LearningRateSchedule({ learningRate, factor, schedule, epochs, stepsPerEpoch: updates });
}

/** Freezes and unfreezes; tells of it, and of the features that are going to be kept. */
async function* beginEpoch(plan: TrainingPlan, epoch: number): AsyncGenerator<TrainEvent, void, undefined> {
  const change = await plan.freezing.begin(epoch);
  if (change !== null) yield change;
  if (epoch === 1 && plan.features !== null) yield featuresEvent(plan, plan.features);
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

/** The training loop. */
import type { TrainEvent } from '../log/types';
import { validationMetrics } from '../metrics/registry';
import type { Evaluation } from '../metrics/types';
import { updatesPerEpoch } from './accumulation';
import { BatchSource } from './batch-source';
import { BestTracker } from './best';
import { EarlyStopping } from './early-stopping';
import type { FeaturePlan } from './feature-cache';
import type { LoopEnd, LoopState } from './loop-state';
import type { MeterMetrics } from './meter';
import { stepsPerEpoch } from './plan';
import type { TrainingPlan } from './plan';
import { LearningRateSchedule } from './schedule';
import { Stepper } from './stepper';

/** Trains epoch by epoch, from the beginning or from the state of an earlier process. */
export class TrainingLoop {
  readonly #plan: TrainingPlan;
  readonly #schedule: LearningRateSchedule;
  readonly #stepper: Stepper;
  readonly #tracker: BestTracker;
  #stopping: EarlyStopping;
  #epoch = 1;
  #begun = false;
  #began = performance.now();
  #end: LoopEnd | null = null;

  constructor(plan: TrainingPlan, from: LoopState | null) {
    const { options } = plan;
    this.#plan = plan;
    this.#schedule = scheduleOf(plan);
    this.#stepper = new Stepper(plan, this.#schedule);
    this.#tracker = new BestTracker(options.keep === 'last' ? 'last' : options.bestBy);
    this.#stopping = new EarlyStopping({ patience: options.patience });
    if (from !== null) this.#restore(from);
  }

  /** Plain JSON from which another loop goes on exactly, with the network's weights and training state as they are. */
  state(): LoopState {
    return {
      epoch: this.#epoch,
      begun: this.#begun,
      seconds: this.#begun ? (performance.now() - this.#began) / 1000 : 0,
      stepper: this.#stepper.state(),
      schedule: this.#schedule.state(),
      stopping: this.#stopping.state(),
      best: this.#tracker.state(),
      end: this.#end,
    };
  }

  #restore({ epoch, begun, seconds, stepper, schedule, stopping, best, end }: LoopState): void {
    this.#epoch = epoch;
    this.#begun = begun;
    this.#began = performance.now() - seconds * 1000;
    this.#stepper.restore(stepper);
    this.#schedule.restore(schedule);
    this.#stopping = EarlyStopping.fromState(stopping);
    this.#tracker.restore(best);
    // A run that had done all its epochs may have more of them now, or one that had not, fewer.
    const { epochs } = this.#plan.options;
    if (end?.reason === 'early-stopping') this.#end = end;
    else if (!begun && epoch > epochs) this.#end = epochsDone(epochs);
  }

  /**
   * Trains until the epochs are done or early stopping says so.
   *
   * @throws AbortedError between two steps once the signal has fired; CovidCtError ERR_DIVERGED
   */
  async *events(): AsyncGenerator<TrainEvent, LoopEnd, undefined> {
    const { averaging, checkpoints } = this.#plan;
    const source = new BatchSource(this.#plan);
    while (this.#end === null) {
      if (!this.#begun) yield* this.#beginEpoch();
      const training = yield* this.#stepper.trainEpoch(
        this.#epoch,
        source.batches(this.#epoch, this.#stepper.startBatch),
      );
      const evaluation = await averaging.during(() => source.validate());
      yield* this.#judge(training, evaluation);
      yield* this.#decide();
      this.#epoch += 1;
      this.#begun = false;
      await checkpoints.write();
    }
    return this.#end;
  }

  /** Freezes and unfreezes; tells of it, and of the features that are going to be kept. */
  async *#beginEpoch(): AsyncGenerator<TrainEvent, void, undefined> {
    const { freezing, features } = this.#plan;
    this.#began = performance.now();
    this.#stepper.beginEpoch(this.#epoch);
    const change = await freezing.begin(this.#epoch);
    if (change !== null) yield change;
    if (this.#epoch === 1 && features !== null) yield featuresEvent(this.#plan, features);
    this.#begun = true;
  }

  /** Records the epoch, and keeps its weights where they are the best so far. */
  async *#judge(
    { loss, accuracy }: MeterMetrics,
    evaluation: Evaluation | null,
  ): AsyncGenerator<TrainEvent, void, undefined> {
    const { kept } = this.#plan;
    if (evaluation !== null) {
      kept.evaluated(evaluation);
      this.#stopping.addData(evaluation.loss!, evaluation.accuracy!);
    }
    const { learningRate } = this.#stepper;
    const { runningLoss, runningAccuracy } = this.#stopping;
    const record = {
      epoch: this.#epoch,
      learningRate,
      trainLoss: loss,
      trainAccuracy: accuracy,
      validationLoss: evaluation?.loss ?? null,
      ...validationMetrics(evaluation),
      runningLoss,
      runningAccuracy,
    };
    const best = this.#tracker.offer(record);
    yield { type: 'epoch', ...record, best, seconds: (performance.now() - this.#began) / 1000 };
    if (best && this.#tracker.best !== null) yield await kept.keepBest(this.#tracker.best, evaluation);
  }

  /** Decides whether the training ends here, and whether the learning rate falls. */
  *#decide(): Generator<TrainEvent, void, undefined> {
    const { epochs } = this.#plan.options;
    const epoch = this.#epoch;
    const decision = this.#schedule.decide(this.#stopping, epoch);
    if (decision.action === 'stop') {
      this.#end = { reason: 'early-stopping', message: `${decision.reason}.` };
      return;
    }
    if (decision.action === 'reduce') {
      const { from, to, reason } = decision;
      yield { type: 'learningRate', epoch, from, to, reason };
    }
    if (epoch >= epochs) this.#end = epochsDone(epochs);
  }
}

function epochsDone(epochs: number): LoopEnd {
  return { reason: 'epochs', message: epochs === 1 ? 'the one epoch is done.' : `all ${epochs} epochs are done.` };
}

function scheduleOf(plan: TrainingPlan): LearningRateSchedule {
  const { learningRate, learningRateFactor: factor, schedule, epochs, accumulate } = plan.options;
  const updates = updatesPerEpoch(stepsPerEpoch(plan), accumulate);
  return new LearningRateSchedule({ learningRate, factor, schedule, epochs, stepsPerEpoch: updates });
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

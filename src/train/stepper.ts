/** One training step after another: forward, backward, optimizer, average, and the outputs that are still pending. */
import { makeDraw } from '../data/random';
import { DatasetError, throwIfAborted } from '../errors';
import type { TrainEvent } from '../log/types';
import { withOutOfMemoryAdvice } from '../model/out-of-memory';
import type { NativeTrainOutputs, NativeTrainStepOptions } from '../addon/types';
import { accumulate as accumulateBatches, EPOCH_START } from './accumulation';
import type { PlannedBatch, WindowStart } from './accumulation';
import type { TrainingBatch } from './batch-source';
import { Meter } from './meter';
import type { StepperState } from './loop-state';
import type { MeterMetrics } from './meter';
import { stepsPerEpoch } from './plan';
import type { TrainingPlan } from './plan';
import type { LearningRateSchedule } from './schedule';
import { StepPipeline } from './step-pipeline';

/** Stream of the random draws of dropout masks; the data room has streams 0 to 4. */
const DROPOUT_STREAM = 16;

type StepEvent = Extract<TrainEvent, { type: 'step' }>;

/** Owns everything between a micro-batch and the weights. */
export class Stepper {
  readonly #plan: TrainingPlan;
  readonly #schedule: LearningRateSchedule;
  readonly #meter = new Meter();
  readonly #pipeline: StepPipeline;
  #learningRate = 0;
  #step = 0;
  #window: WindowStart = EPOCH_START;

  constructor(plan: TrainingPlan, schedule: LearningRateSchedule) {
    this.#plan = plan;
    this.#schedule = schedule;
    this.#pipeline = new StepPipeline(plan.network, this.#meter, plan.options.maxGradientNorm !== undefined);
  }

  /** Learning rate of the last optimizer step. */
  get learningRate(): number {
    return this.#learningRate;
  }

  /** The first micro-batch of the epoch that {@link trainEpoch} needs. */
  get startBatch(): number {
    return this.#window.batch;
  }

  /** Plain JSON from which {@link restore} continues exactly, with the gradients that have been gathered. */
  state(): StepperState {
    return {
      step: this.#step,
      window: this.#window,
      meter: this.#meter.state(),
      learningRate: this.#learningRate,
    };
  }

  /** Continues within an epoch. */
  restore({ step, window, meter, learningRate }: StepperState): void {
    this.#step = step;
    this.#window = window;
    this.#meter.restore(meter);
    this.#learningRate = learningRate;
  }

  /** Begins an epoch anew. */
  beginEpoch(epoch: number): void {
    this.#schedule.beginEpoch(epoch);
    this.#meter.reset();
    this.#step = 0;
    this.#window = EPOCH_START;
    this.#learningRate = this.#schedule.learningRate;
  }

  /**
   * Trains on the micro-batches of one epoch, from {@link startBatch} on. The optimizer steps at the end of each
   * accumulation window.
   *
   * @returns loss and accuracy over the samples of the epoch
   * @throws AbortedError between two steps once the signal has fired; CovidCtError ERR_DIVERGED; DatasetError where no
   *   file could be decoded
   */
  async *trainEpoch(
    epoch: number,
    batches: AsyncIterable<TrainingBatch>,
  ): AsyncGenerator<StepEvent, MeterMetrics, undefined> {
    const { options, classWeights, signal, train, checkpoints } = this.#plan;
    const { accumulate, preset } = options;
    const done = this.#step;
    try {
      for await (const planned of accumulateBatches(batches, {
        accumulate,
        preset,
        classWeights,
        start: this.#window,
      })) {
        if (planned.step <= done) continue; // before the checkpoint; it was counted for the window's divisor
        throwIfAborted(signal);
        const event = await this.#run(epoch, planned);
        if (event !== null) yield event;
        if (planned.stepsOptimizer && checkpoints.isDue()) {
          yield* this.#pipeline.drain();
          await checkpoints.write();
        }
      }
      yield* this.#pipeline.drain();
    } catch (error) {
      yield* this.#pipeline.drainAfter(error);
      throw error;
    }
    const training = this.#meter.compute();
    if (training.samples === 0)
      throw new DatasetError(`${train.name}: none of its ${train.samples.length} files could be decoded`);
    return training;
  }

  async #run(
    epoch: number,
    { batch, window, step, divisor, stepsOptimizer: updated }: PlannedBatch<TrainingBatch>,
  ): Promise<StepEvent | null> {
    const { network, averaging } = this.#plan;
    const outputs = await this.#forwardBackward(epoch, step, batch, divisor);
    if (updated) this.#learningRate = this.#schedule.learningRate;
    const learningRate = this.#learningRate;
    const started = { epoch, step, steps: stepsPerEpoch(this.#plan), learningRate, updated, labels: batch.labels };
    // Before the optimizer can put NaN into the weights.
    const event = await this.#pipeline.add(started, outputs);
    if (updated) {
      await network.optimizerStep(learningRate);
      await averaging.update();
      this.#schedule.stepped();
    }
    this.#step = step;
    this.#window = updated ? { batch: batch.position + 1, step } : window;
    return event;
  }

  /** Throws ERR_OUT_OF_MEMORY with a batch size and an accumulation to try. */
  async #forwardBackward(
    epoch: number,
    step: number,
    { input }: TrainingBatch,
    divisor: number,
  ): Promise<NativeTrainOutputs | undefined> {
    const { network, kept, classWeights, options } = this.#plan;
    const { seed, labelSmoothing, batchSize, accumulate, maxDeviceCacheBytes } = options;
    const dropoutSeed = Math.floor(makeDraw({ seed, epoch, sample: step, stream: DROPOUT_STREAM })() * 2 ** 32);
    const { deferred } = this.#pipeline;
    const stepOptions: NativeTrainStepOptions = { divisor, dropoutSeed, classWeights, labelSmoothing, deferred };
    const keeps = network.device !== 'cpu' && maxDeviceCacheBytes > 0;
    kept.weightsChanged();
    return await withOutOfMemoryAdvice('a training step', { batchSize, accumulate, keeps }, () =>
      network.trainStep(input, stepOptions),
    );
  }
}

/** Pipeline of deferred steps: a GPU gets the next step before the host reads the outputs of the last one. */
import type { TrainEvent } from '../log/types';
import { CovidCtError } from '../errors';
import type { Network } from '../model/types';
import type { NativeTrainOutputs } from '../addon/types';
import type { Meter } from './meter';

/** Number of deferred steps that may be queued before the outputs of the oldest one are waited for. */
const GPU_LAG = 2;

/** A step whose forward and backward pass have been queued. */
export interface StartedStep {
  readonly epoch: number;
  readonly step: number;
  /** Micro-batches of the epoch. */
  readonly steps: number;
  readonly learningRate: number;
  readonly updated: boolean;
  readonly labels: Int32Array;
}

type StepEvent = Extract<TrainEvent, { type: 'step' }>;

const isDivergence = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'ERR_DIVERGED';

/** Makes the events of steps, in their order, each once its outputs are there. */
export class StepPipeline {
  readonly #network: Network;
  readonly #meter: Meter;
  readonly #pending: StartedStep[] = [];
  /** Whether steps are deferred. The optimizer itself then keeps a loss that is not finite out of the parameters. */
  readonly deferred: boolean;

  /**
   * @param clips whether gradients are clipped: each optimizer step then waits for their norm, and deferring gains
   *   nothing
   */
  constructor(network: Network, meter: Meter, clips: boolean) {
    this.#network = network;
    this.#meter = meter;
    this.deferred = network.device !== 'cpu' && !clips;
  }

  /**
   * Takes in a step before its optimizer step.
   *
   * @param outputs of the step; undefined for a deferred one
   * @returns the event of the oldest step that has outputs, or null
   * @throws CovidCtError ERR_DIVERGED for a loss, or a weighted one, that is not finite
   */
  async add(started: StartedStep, outputs: NativeTrainOutputs | undefined): Promise<StepEvent | null> {
    if (outputs !== undefined) return this.#event(started, outputs);
    this.#pending.push(started);
    return this.#pending.length > GPU_LAG ? await this.#read() : null;
  }

  /** Yields the events of the pending steps, at the end of an epoch. Throws as `add` does. */
  async *drain(): AsyncGenerator<StepEvent, void, undefined> {
    while (this.#pending.length > 0) yield await this.#read();
  }

  /**
   * Yields the events of the pending steps after an abort or a failure. If a pending step diverged, that error wins:
   * the batch norm statistics are already spoiled. Any other failure of theirs is ignored.
   *
   * @throws CovidCtError ERR_DIVERGED
   */
  async *drainAfter(failure: unknown): AsyncGenerator<StepEvent, void, undefined> {
    try {
      if (!isDivergence(failure)) yield* this.drain();
    } catch (error) {
      if (isDivergence(error)) throw error;
    } finally {
      this.#pending.length = 0;
    }
  }

  async #read(): Promise<StepEvent> {
    const outputs = await this.#network.readOutputs();
    return this.#event(this.#pending.shift()!, outputs);
  }

  #event({ epoch, step, steps, learningRate, updated, labels }: StartedStep, outputs: NativeTrainOutputs): StepEvent {
    const metrics = this.#meter.update(outputs, labels);
    for (const loss of [metrics.loss, outputs.objective]) {
      if (!Number.isFinite(loss)) throw diverged(loss, epoch, step, learningRate);
    }
    return { type: 'step', epoch, step, steps, ...metrics, updated };
  }
}

function diverged(loss: number, epoch: number, step: number, learningRate: number): CovidCtError {
  return new CovidCtError(
    'ERR_DIVERGED',
    `the training diverged: the loss became ${loss} in epoch ${epoch}, ` +
      `step ${step}, at the learning rate ${learningRate}; try a lower one ` +
      `(${learningRate / 10}), and look for images or weights with extreme values`,
  );
}

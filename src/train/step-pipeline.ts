/** Steps whose figures are still on the device: a GPU is given the next step before the host looks at the last one's loss. */
import type { TrainEvent } from '../log/types';
import { CovidCtError } from '../errors';
import type { Network } from '../model/types';
import type { NativeTrainOutputs } from '../addon/types';
import type { Meter } from './meter';

/** On a GPU: steps that may be queued before the oldest one's figures are waited for. */
const GPU_LAG = 2;

/** A step that has been started. */
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

/** Hands out the events of steps in their order, each once its figures are there. */
export class StepPipeline {
  readonly #network: Network;
  readonly #meter: Meter;
  readonly #started: StartedStep[] = [];
  /** Whether steps are to be started rather than done. The optimizer itself then keeps a loss that is not finite out of the parameters. */
  readonly deferred: boolean;

  /** @param clips whether gradients are clipped: every optimizer step waits for their norm then, so that nothing is won */
  constructor(network: Network, meter: Meter, clips: boolean) {
    this.#network = network;
    this.#meter = meter;
    const able =
      network.startStep !== undefined &&
      network.fetchOutputs !== undefined &&
      (network.trainFeatures === undefined || network.startFeatures !== undefined);
    this.deferred = able && network.device !== 'cpu' && !clips;
  }

  /**
   * Takes a step that was started, before its optimizer step.
   *
   * @param outputs what it gave; undefined for one that was only started
   * @returns the event of the oldest step whose turn has come, or null
   * @throws CovidCtError ERR_DIVERGED for a loss, or a weighted one, that is not finite
   */
  async add(started: StartedStep, outputs: NativeTrainOutputs | void): Promise<StepEvent | null> {
    if (outputs !== undefined) return this.#event(started, outputs);
    this.#started.push(started);
    return this.#started.length > GPU_LAG ? await this.#fetch() : null;
  }

  /** The events of the steps that are left, at the end of an epoch. Throws as `add` does. */
  async *drain(): AsyncGenerator<StepEvent, void, undefined> {
    while (this.#started.length > 0) yield await this.#fetch();
  }

  /**
   * To be called when the loop ends by an abort or a failure: the events of the steps that are left. A divergence that they tell
   * of counts more, for the network's running statistics have seen it and must not be kept; another failure of theirs does not.
   *
   * @throws CovidCtError ERR_DIVERGED
   */
  async *afterFailure(failure: unknown): AsyncGenerator<StepEvent, void, undefined> {
    try {
      if (!isDivergence(failure)) yield* this.drain();
    } catch (error) {
      if (isDivergence(error)) throw error;
    } finally {
      this.#started.length = 0;
    }
  }

  async #fetch(): Promise<StepEvent> {
    const outputs = await this.#network.fetchOutputs?.();
    return this.#event(this.#started.shift()!, outputs!);
  }

  #event({ epoch, step, steps, learningRate, updated, labels }: StartedStep, outputs: NativeTrainOutputs): StepEvent {
    const figures = this.#meter.update(outputs, labels);
    for (const loss of [figures.loss, outputs.objective]) {
      if (!Number.isFinite(loss)) throw diverged(loss, epoch, step, learningRate);
    }
    return { type: 'step', epoch, step, steps, ...figures, updated };
  }
}

function diverged(loss: number, epoch: number, step: number, learningRate: number): CovidCtError {
  return new CovidCtError(
    'ERR_DIVERGED',
    `the training diverged: the loss became ${loss} in epoch ${epoch}, step ${step}, at the learning rate ${learningRate}; try a lower one (${learningRate / 10}), and look for images or weights with extreme values`,
  );
}

/** The model that answers, the one before it, and how one takes the place of the other. */
import type { Dataset } from '../data/types';
import { CovidCtError, throwIfAborted } from '../errors';
import { GateError } from './errors';
import type { Evaluation } from '../metrics/types';
import { loadModel } from '../model/open-network';
import type { LoadOptions } from '../model/options';
import { passGate } from './gate';
import type { ResolvedGate } from './gate-options';
import { disposed } from './refusals';
import { ServedModel, versionOf } from './served-model';
import type { ModelVersion, Promotion } from './types';

/** How a predictor's models are loaded. */
export interface ModelsOptions {
  readonly load: LoadOptions;
  /** Called when another one answers. */
  readonly onSwap: (swap: ModelVersion & { readonly previous: string }) => void;
}

/** Two models at most: the one that answers and, for a rollback, the one before it. */
export class Models {
  readonly #options: ModelsOptions;
  readonly #evaluations = new WeakMap<ServedModel, WeakMap<Dataset, Evaluation>>();
  #current: ServedModel;
  #previous: ServedModel | null = null;
  /** Promotions and rollbacks, one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #freed = false;

  constructor(first: ServedModel, options: ModelsOptions) {
    this.#current = first;
    this.#options = options;
  }

  get current(): ServedModel {
    return this.#current;
  }

  /** The version before this one, while it can be rolled back to. */
  get previous(): ModelVersion | null {
    return this.#previous?.version ?? null;
  }

  /** @param where the function to name in messages */
  promote(path: string, gate: ResolvedGate, signal: AbortSignal | undefined, where: string): Promise<Promotion> {
    return this.#inTurn(async () => {
      throwIfAborted(signal);
      const { network, card } = await loadModel(path, this.#options.load, where);
      const candidate = new ServedModel(network, { ...this.#current.version, version: versionOf(card) });
      try {
        const checks = await passGate(this.#contender(candidate), this.#contender(this.#current), gate, signal);
        const failed = checks.find(({ passed }) => !passed);
        if (failed !== undefined) throw new GateError(candidate.version.version, failed, checks);
        throwIfAborted(signal);
        this.#requireAlive();
        return { ...this.#swapTo(candidate), checks };
      } catch (error) {
        candidate.free();
        throw error;
      }
    });
  }

  rollback(): Promise<Promotion> {
    return this.#inTurn(() => {
      this.#requireAlive();
      if (this.#previous === null)
        throw new CovidCtError('ERR_MODEL', 'there is no model before this one; promote another one');
      const back = this.#previous;
      return Promise.resolve({ ...this.#swapTo(back), checks: [] });
    });
  }

  /** Breaks off what the models compute, and frees them. */
  free(): void {
    this.#freed = true;
    this.#current.free();
    this.#previous?.free();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #requireAlive(): void {
    if (this.#freed) throw disposed();
  }

  #contender(model: ServedModel): { network: ServedModel['network']; evaluations: WeakMap<Dataset, Evaluation> } {
    let evaluations = this.#evaluations.get(model);
    if (evaluations === undefined) this.#evaluations.set(model, (evaluations = new WeakMap()));
    return { network: model.network, evaluations };
  }

  #swapTo(model: ServedModel): Omit<Promotion, 'checks'> {
    const before = this.#current;
    if (this.#previous !== null && this.#previous !== model) this.#previous.retire();
    this.#previous = before;
    this.#current = model;
    const swap = { ...model.version, previous: before.version.version };
    this.#options.onSwap(swap);
    return swap;
  }
}

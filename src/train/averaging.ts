/** The exponential moving average of the weights: kept up after every step, put in place to be judged or written. */
import type { Network } from '../model/types';

/** One training's average; without a decay every method does nothing. */
export class Averaging {
  readonly #network: Network;
  /** Null: there is no average. */
  readonly decay: number | null;
  #begun = false;

  constructor(network: Network, ema: { readonly decay: number } | undefined) {
    this.#network = network;
    this.decay = ema?.decay ?? null;
  }

  /** Whether the weights that count are not those that are trained. */
  get active(): boolean {
    return this.#begun;
  }

  /** Goes on with an average that the network has already. */
  resume(): void {
    this.#begun = true;
  }

  /** Takes the present weights into the average; must be awaited after every optimizer step. */
  async update(): Promise<void> {
    if (this.decay === null) return;
    await this.#network.average('update', this.decay);
    this.#begun = true;
  }

  /** Does `work` with the averaged weights in place; the trained ones are back however it ends. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#begun) return await work();
    await this.#network.average('swap');
    let result: T;
    try {
      result = await work();
    } catch (error) {
      await this.#network.average('swap').catch(() => undefined); // must not hide the first failure
      throw error;
    }
    await this.#network.average('swap');
    return result;
  }

  /** Leaves the averaged weights in the network for good. */
  async adopt(): Promise<void> {
    if (this.#begun) await this.#network.average('swap');
    await this.close();
  }

  /** Forgets the average. */
  async close(): Promise<void> {
    if (!this.#begun) return;
    this.#begun = false;
    await this.#network.average('drop');
  }
}

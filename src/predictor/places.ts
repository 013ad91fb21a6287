/** Who is in a predictor, and how much more may come in. */
import type { Item } from './item';
import type { Limits } from './options';
import { closing, queueFull } from './refusals';

/** The images that have a place, and the bytes of their inputs. */
export class Places {
  readonly #limits: Pick<Limits, 'maxQueue' | 'maxQueueBytes'>;
  readonly #items = new Set<Item>();
  #bytes = 0;
  #closed = false;
  #whenEmpty: (() => void)[] = [];

  constructor(limits: Pick<Limits, 'maxQueue' | 'maxQueueBytes'>) {
    this.#limits = limits;
  }

  get used(): number {
    return this.#items.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get all(): readonly Item[] {
    return [...this.#items];
  }

  /** Lets nobody in any more. */
  close(): void {
    this.#closed = true;
  }

  /** Throws QueueFullError or CovidCtError ERR_CLOSING where images of so many bytes each may not come in together. */
  require(bytes: readonly number[]): void {
    const { maxQueue, maxQueueBytes } = this.#limits;
    const asked = bytes.reduce((sum, each) => sum + each, 0);
    if (this.#closed) throw closing();
    if (this.used + bytes.length > maxQueue) throw queueFull('items', this.used, bytes.length, maxQueue);
    if (this.#bytes + asked > maxQueueBytes) throw queueFull('bytes', this.#bytes, asked, maxQueueBytes);
  }

  take(item: Item): void {
    this.#items.add(item);
    this.#bytes += item.bytes;
  }

  /** The input is not needed any more; the image keeps its place. */
  giveBytesBack(item: Item): void {
    this.#bytes -= item.bytes;
    item.bytes = 0;
  }

  giveBack(item: Item): void {
    this.giveBytesBack(item);
    this.#items.delete(item);
    if (this.#items.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /** Resolves when nobody is in it. */
  async empty(): Promise<void> {
    if (this.#items.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }
}

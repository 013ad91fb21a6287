/** Images that wait to be decoded, in two priorities. */
import { Fifo } from './fifo';
import type { Item } from './item';

/** Of so many images that are taken while low ones wait, one at least is a low one. */
const SHARE_OF_LOW = 8;

/** First in, first out within each priority. */
export class WaitingLine {
  readonly #lines = { normal: new Fifo<Item>(), low: new Fifo<Item>() };
  #sinceLow = 0;

  get size(): number {
    return this.#lines.normal.size + this.#lines.low.size;
  }

  add(item: Item): void {
    item.entry = this.#lines[item.request.priority].push(item);
  }

  /** The next one; undefined where none waits. */
  take(): Item | undefined {
    const { normal, low } = this.#lines;
    const lowFirst = low.size > 0 && (normal.size === 0 || this.#sinceLow >= SHARE_OF_LOW - 1);
    this.#sinceLow = lowFirst || low.size === 0 ? 0 : this.#sinceLow + 1;
    const item = (lowFirst ? low : normal).shift();
    if (item !== undefined) item.entry = null;
    return item;
  }
}

/** Decoded images in the order in which they are computed, and the memory that decoded pixels take. */
import type { Item } from './item';

/** Few at any time: no more than the next batches need. */
export class DecodedImages {
  #items: Item[] = [];
  #bytes = 0;

  get size(): number {
    return this.#items.length;
  }

  /** Of all images that have been decoded and not been released, those that compute included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts the pixels of an image. */
  hold(item: Item): void {
    this.#bytes += pixelBytes(item);
  }

  /** Puts it behind all that come before it; decoding may have ended in another order. */
  add(item: Item): void {
    let place = this.#items.length;
    while (place > 0 && comesBefore(item, this.#items[place - 1]!)) place -= 1;
    this.#items.splice(place, 0, item);
  }

  remove(item: Item): void {
    this.#items = this.#items.filter((each) => each !== item);
  }

  /** Frees the pixels of an image. */
  release(item: Item): void {
    this.#bytes -= pixelBytes(item);
    item.pixels = item.original = null;
  }

  /** The images of the next batch, which stay: of one model, `most` of them. */
  next(most: number): readonly Item[] {
    const model = this.#items[0]?.model;
    return this.#items.filter((item) => item.model === model).slice(0, most);
  }
}

function pixelBytes({ pixels, original }: Item): number {
  const own = pixels?.data.byteLength ?? 0;
  return original === null || original === pixels ? own : own + original.data.byteLength;
}

function comesBefore(a: Item, b: Item): boolean {
  const [low, otherLow] = [a.request.priority === 'low', b.request.priority === 'low'];
  return low === otherLow ? a.number < b.number : otherLow;
}

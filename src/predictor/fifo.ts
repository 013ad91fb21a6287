/** A first-in-first-out queue from which any entry can be taken out: every operation takes constant time. */

/** A place in a {@link Fifo}. */
export interface FifoEntry<T> {
  readonly value: T;
  /** Takes it out; true the first time. */
  remove(): boolean;
}

interface Node<T> {
  readonly value: T;
  before: Node<T> | null;
  behind: Node<T> | null;
  there: boolean;
}

/** The queue; a list linked in both directions, for an array shifts all that is behind an entry. */
export class Fifo<T> {
  #first: Node<T> | null = null;
  #last: Node<T> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): FifoEntry<T> {
    const node: Node<T> = { value, before: this.#last, behind: null, there: true };
    if (this.#last === null) this.#first = node;
    else this.#last.behind = node;
    this.#last = node;
    this.#size += 1;
    return { value, remove: () => this.#remove(node) };
  }

  /** Takes the entry that came first; undefined where there is none. */
  shift(): T | undefined {
    const node = this.#first;
    if (node === null) return undefined;
    this.#remove(node);
    return node.value;
  }

  #remove(node: Node<T>): boolean {
    if (!node.there) return false;
    node.there = false;
    if (node.before === null) this.#first = node.behind;
    else node.before.behind = node.behind;
    if (node.behind === null) this.#last = node.before;
    else node.behind.before = node.before;
    this.#size -= 1;
    return true;
  }
}

/**
 * The stack machine that reads a pickle: input, stack and memo, with limits on their size. An operation on an empty
 * stack or a missing memo entry throws CovidCtError ERR_WEIGHTS.
 */
import { Inert, refuse, storageOf } from './pickle-values';
import type { StorageRef } from './pickle-values';

/** The marker that `(` pushes, where the items of the next tuple, list or dictionary begin. */
export const MARK = Symbol('mark');
/**
 * Maximum number of values. A DenseNet201 checkpoint has 40 000; a pickle that creates more than this is made to
 * exhaust the memory.
 */
const MAX_VALUES = 4_000_000;
const MAX_OBJECTS = 1_000_000;

/** Stack, memo and input of one pickle that is being read; the opcodes are in pickle.ts. */
export class PickleMachine {
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #storages = new Map<string, StorageRef>();
  #at: number;
  readonly #input: Buffer;
  #values = 0;
  #objects = 0;

  constructor(bytes: Buffer, start: number) {
    this.#input = bytes;
    this.#at = start;
  }

  /** Position of the next byte of the input. */
  get position(): number {
    return this.#at;
  }

  /** The storages named so far, by key. */
  get storages(): ReadonlyMap<string, StorageRef> {
    return this.#storages;
  }

  /** Number of entries in the memo: the index that MEMOIZE assigns next. */
  get memoSize(): number {
    return this.#memo.size;
  }

  /** Reads the next bytes of the input. */
  take(count: number): Buffer {
    if (count > this.#input.length - this.#at) throw refuse('the pickle is cut off');
    this.#at += count;
    return this.#input.subarray(this.#at - count, this.#at);
  }

  /** Reads a line of the input and skips the line break. */
  line(): string {
    const end = this.#input.indexOf(0x0a, this.#at);
    if (end < 0) throw refuse('the pickle is cut off');
    const text = this.#input.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  push(value: unknown): void {
    this.#values += 1;
    if (typeof value === 'object') this.#objects += 1;
    this.#checkAmount();
    this.#stack.push(value);
  }

  /** Pushes the result of a call. A dictionary counts with its entries, because a call may have copied them. */
  pushMade(value: unknown): void {
    if (value instanceof Map) this.#values += value.size;
    this.push(value);
  }

  #checkAmount(): void {
    if (this.#values > MAX_VALUES || this.#objects > MAX_OBJECTS)
      throw refuse(`the pickle makes more than ${MAX_VALUES} values or ${MAX_OBJECTS} objects; it is not a state dict`);
  }

  pop(): unknown {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw refuse('the pickle takes from an empty stack');
    return value;
  }

  /** Pops everything above the topmost mark, and the mark. */
  popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw refuse('the pickle has no mark to go back to');
    const items = this.#stack.splice(at);
    return items.slice(1);
  }

  top(): unknown {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw refuse('the pickle looks at an empty stack');
    return value;
  }

  /** Stores the top of the stack in the memo. */
  remember(index: number): void {
    this.#memo.set(index, this.top());
  }

  /** Pushes a memo entry. */
  recall(index: number): void {
    if (!this.#memo.has(index)) throw refuse(`the pickle recalls entry ${index}, which it has not remembered`);
    this.push(this.#memo.get(index));
  }

  /** Pushes the storage that a persistent id describes. */
  storage(id: unknown): void {
    const storage = storageOf(id);
    const known = this.#storages.get(storage.key);
    if (known !== undefined && (known.type !== storage.type || known.count !== storage.count))
      throw refuse(`the pickle describes the storage '${storage.key}' in two ways`);
    this.#storages.set(storage.key, storage);
    this.push(storage);
  }

  /** Sets keys of the dictionary on top of the stack. */
  set(pairs: readonly [unknown, unknown][]): void {
    const target = this.top();
    if (target instanceof Inert) return;
    if (!(target instanceof Map)) throw refuse('the pickle sets a key of something that is not a dictionary');
    for (const [key, value] of pairs) target.set(key, value);
  }

  /** Appends to the list on top of the stack. */
  append(items: readonly unknown[]): void {
    const target = this.top();
    if (target instanceof Inert) return;
    if (!Array.isArray(target)) throw refuse('the pickle appends to something that is not a list');
    for (const item of items) target.push(item);
  }

  #counted(lengthBytes: 1 | 4 | 8): Buffer {
    const prefix = this.take(lengthBytes);
    return this.take(lengthBytes === 8 ? Number(prefix.readBigUInt64LE()) : prefix.readUIntLE(0, lengthBytes));
  }

  /** Reads a length-prefixed UTF-8 string. */
  text(lengthBytes: 1 | 4 | 8): string {
    return this.#counted(lengthBytes).toString('utf8');
  }

  /** Skips length-prefixed bytes, whose content no state dict needs. */
  bytes(lengthBytes: 1 | 4 | 8): Inert {
    this.#counted(lengthBytes);
    return new Inert('bytes');
  }

  /** Pops `count` values and returns them in the order in which they were pushed. */
  pops(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }
}

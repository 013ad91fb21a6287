/**
 * Reads the pickles that torch.save writes, without running anything: a stack machine over plain data in which the only
 * calls are those of pickle-globals.ts, and each becomes plain data. Opcodes: CPython's pickletools.
 */
import { call, globalOf, Inert, keyValues, refuse, storageOf, Tuple } from './pickle-values';
import type { StorageRef } from './pickle-values';

const MARK = Symbol('mark');
/** More than any checkpoint needs (a DenseNet201 has 40 000 values); a pickle that makes more is a trap for the memory. */
const MAX_VALUES = 4_000_000;
const MAX_OBJECTS = 1_000_000;

/** The longest whole number that is read; the state of a random generator has 17 bytes. */
const MAX_LONG_BYTES = 1024;

/** Little-endian two's complement of any length: a number where one holds it exactly, else a bigint. */
function longOf(bytes: Buffer): number | bigint {
  if (bytes.length > MAX_LONG_BYTES) throw refuse(`the pickle has a whole number of ${bytes.length} bytes`);
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i);
  if (bytes.length > 0 && (bytes.at(-1)! & 0x80) !== 0) value -= 1n << BigInt(8 * bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** What {@link readPickle} found. */
export interface Pickle {
  /** Map, Array, Tuple, TensorRef, Inert, Global, text, number, bigint, boolean or null. */
  readonly value: unknown;
  /** Where the next byte after it is. */
  readonly end: number;
  /** Every storage it names, by key. */
  readonly storages: ReadonlyMap<string, StorageRef>;
}

/** One pickle's machine. */
class Machine {
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

  run(): Pickle {
    for (;;) {
      const opcode = String.fromCharCode(this.#take(1)[0]!);
      if (opcode === '.') return { value: this.#pop(), end: this.#at, storages: this.#storages };
      this.#step(opcode);
    }
  }

  #take(count: number): Buffer {
    if (count > this.#input.length - this.#at) throw refuse('the pickle is cut off');
    this.#at += count;
    return this.#input.subarray(this.#at - count, this.#at);
  }

  #line(): string {
    const end = this.#input.indexOf(0x0a, this.#at);
    if (end < 0) throw refuse('the pickle is cut off');
    const text = this.#input.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #push(value: unknown): void {
    this.#values += 1;
    if (typeof value === 'object') this.#objects += 1;
    this.#checkAmount();
    this.#stack.push(value);
  }

  /** What a call makes. A dictionary of a dictionary is a copy, and counts as all that is in it. */
  #pushMade(value: unknown): void {
    if (value instanceof Map) this.#values += value.size;
    this.#push(value);
  }

  #checkAmount(): void {
    if (this.#values > MAX_VALUES || this.#objects > MAX_OBJECTS)
      throw refuse(`the pickle makes more than ${MAX_VALUES} values or ${MAX_OBJECTS} objects; it is no state dict`);
  }

  #pop(): unknown {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw refuse('the pickle takes from an empty stack');
    return value;
  }

  #popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw refuse('the pickle has no mark to go back to');
    const items = this.#stack.splice(at);
    return items.slice(1);
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw refuse('the pickle looks at an empty stack');
    return value;
  }

  #remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw refuse(`the pickle recalls entry ${index}, which it has not remembered`);
    this.#push(this.#memo.get(index));
  }

  #storage(id: unknown): void {
    const storage = storageOf(id);
    const known = this.#storages.get(storage.key);
    if (known !== undefined && (known.type !== storage.type || known.count !== storage.count))
      throw refuse(`the pickle describes the storage '${storage.key}' in two ways`);
    this.#storages.set(storage.key, storage);
    this.#push(storage);
  }

  #set(pairs: readonly [unknown, unknown][]): void {
    const target = this.#top();
    if (target instanceof Inert) return;
    if (!(target instanceof Map)) throw refuse('the pickle sets a key of something that is no dictionary');
    for (const [key, value] of pairs) target.set(key, value);
  }

  #append(items: readonly unknown[]): void {
    const target = this.#top();
    if (target instanceof Inert) return;
    if (!Array.isArray(target)) throw refuse('the pickle appends to something that is no list');
    for (const item of items) target.push(item);
  }

  #counted(lengthBytes: 1 | 4 | 8): Buffer {
    const prefix = this.#take(lengthBytes);
    return this.#take(lengthBytes === 8 ? Number(prefix.readBigUInt64LE()) : prefix.readUIntLE(0, lengthBytes));
  }

  #bytes(lengthBytes: 1 | 4 | 8): Inert {
    this.#counted(lengthBytes);
    return new Inert('bytes');
  }

  #pops(count: number): unknown[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #step(opcode: string): void {
    const action = OPCODES[opcode];
    if (action === undefined)
      throw refuse(`the pickle has the opcode 0x${opcode.charCodeAt(0).toString(16)}, which no state dict needs`);
    action({
      push: (value) => this.#push(value),
      pushMade: (value) => this.#pushMade(value),
      pop: () => this.#pop(),
      pops: (count) => this.#pops(count),
      popToMark: () => this.#popToMark(),
      top: () => this.#top(),
      take: (count) => this.#take(count),
      line: () => this.#line(),
      text: (size) => this.#counted(size).toString('utf8'),
      bytes: (size) => this.#bytes(size),
      remember: (index) => this.#remember(index),
      recall: (index) => this.#recall(index),
      storage: (id) => this.#storage(id),
      set: (pairs) => this.#set(pairs),
      append: (items) => this.#append(items),
      memoSize: () => this.#memo.size,
    });
  }
}

interface Hands {
  push(value: unknown): void;
  pushMade(value: unknown): void;
  pop(): unknown;
  pops(count: number): unknown[];
  popToMark(): unknown[];
  top(): unknown;
  take(count: number): Buffer;
  line(): string;
  text(lengthBytes: 1 | 4 | 8): string;
  bytes(lengthBytes: 1 | 4 | 8): Inert;
  remember(index: number): void;
  recall(index: number): void;
  storage(id: unknown): void;
  set(pairs: readonly [unknown, unknown][]): void;
  append(items: readonly unknown[]): void;
  memoSize(): number;
}

/** Every opcode that state dicts of protocols 2 to 5 are made of. */
const OPCODES: Readonly<Record<string, (m: Hands) => void>> = {
  '\x80': (m) => {
    const [protocol] = m.take(1);
    if (protocol! > 5) throw refuse(`the pickle has the protocol ${protocol}; 5 is the newest known`);
  },
  '\x95': (m) => void m.take(8), // frame
  '(': (m) => m.push(MARK),
  '0': (m) => void m.pop(),
  '1': (m) => void m.popToMark(),
  '2': (m) => m.push(m.top()),
  N: (m) => m.push(null),
  '\x88': (m) => m.push(true),
  '\x89': (m) => m.push(false),
  K: (m) => m.push(m.take(1)[0]),
  M: (m) => m.push(m.take(2).readUInt16LE()),
  J: (m) => m.push(m.take(4).readInt32LE()),
  G: (m) => m.push(m.take(8).readDoubleBE()),
  '\x8a': (m) => m.push(longOf(m.take(m.take(1)[0]!))),
  '\x8b': (m) => m.push(longOf(m.take(Math.max(0, m.take(4).readInt32LE())))),
  X: (m) => m.push(m.text(4)),
  '\x8c': (m) => m.push(m.text(1)),
  '\x8d': (m) => m.push(m.text(8)),
  U: (m) => m.push(m.text(1)),
  T: (m) => m.push(m.text(4)),
  C: (m) => m.push(m.bytes(1)),
  B: (m) => m.push(m.bytes(4)),
  '\x8e': (m) => m.push(m.bytes(8)),
  '\x96': (m) => m.push(m.bytes(8)),
  '\x8f': (m) => m.push(new Inert('a set')),
  '\x90': (m) => {
    const items = m.popToMark();
    m.append(items);
  },
  '\x91': (m) => {
    m.popToMark();
    m.push(new Inert('a set'));
  },
  '}': (m) => m.push(new Map()),
  ']': (m) => m.push([]),
  ')': (m) => m.push(new Tuple([])),
  '\x85': (m) => m.push(new Tuple(m.pops(1))),
  '\x86': (m) => m.push(new Tuple(m.pops(2))),
  '\x87': (m) => m.push(new Tuple(m.pops(3))),
  t: (m) => m.push(new Tuple(m.popToMark())),
  l: (m) => m.push(m.popToMark()),
  d: (m) => m.push(new Map(keyValues(m.popToMark()))),
  a: (m) => {
    const item = m.pop();
    m.append([item]);
  },
  e: (m) => {
    const items = m.popToMark();
    m.append(items);
  },
  s: (m) => {
    const [key, value] = m.pops(2);
    m.set([[key, value]]);
  },
  u: (m) => {
    const items = m.popToMark();
    m.set(keyValues(items));
  },
  q: (m) => m.remember(m.take(1)[0]!),
  r: (m) => m.remember(m.take(4).readUInt32LE()),
  '\x94': (m) => m.remember(m.memoSize()),
  h: (m) => m.recall(m.take(1)[0]!),
  j: (m) => m.recall(m.take(4).readUInt32LE()),
  c: (m) => {
    const module = m.line();
    m.push(globalOf(module, m.line()));
  },
  '\x93': (m) => {
    const [module, name] = m.pops(2);
    m.push(globalOf(module, name));
  },
  R: (m) => {
    const [target, args] = m.pops(2);
    m.pushMade(call(target, args));
  },
  '\x81': (m) => {
    const [target, args] = m.pops(2);
    m.pushMade(call(target, args));
  },
  // The attributes of a state dict (its _metadata) are of no effect here.
  b: (m) => {
    m.pop();
    const target = m.top();
    if (!(target instanceof Map) && !(target instanceof Inert)) {
      throw refuse('the pickle sets the state of an object that is no dictionary; it was not executed');
    }
  },
  Q: (m) => m.storage(m.pop()),
};

/**
 * Reads one pickle.
 *
 * @param bytes the file, or a part of it
 * @param start where the pickle begins
 * @returns its value, where it ends, and the storages it names
 * @throws CovidCtError ERR_WEIGHTS for a pickle that is damaged, or asks for a global that tensors do not need
 */
export function readPickle(bytes: Buffer, start = 0): Pickle {
  return new Machine(bytes, start).run();
}

/**
 * Reads the pickles that torch.save writes without executing anything. Only the calls listed in pickle-globals.ts are
 * accepted, and each is converted to plain data. The opcodes are documented in CPython's pickletools.
 */
import { MARK, PickleMachine } from './pickle-machine';
import { call, globalOf, Inert, keyValues, refuse, Tuple } from './pickle-values';
import type { StorageRef } from './pickle-values';

/** Maximum length of an integer in bytes; the state of a random generator has 17. */
const MAX_LONG_BYTES = 1024;

/** Decodes a little-endian two's complement integer: as a number when it is exact, otherwise as a bigint. */
function longOf(bytes: Buffer): number | bigint {
  if (bytes.length > MAX_LONG_BYTES) throw refuse(`the pickle has a whole number of ${bytes.length} bytes`);
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i);
  if (bytes.length > 0 && (bytes.at(-1)! & 0x80) !== 0) value -= 1n << BigInt(8 * bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The result of {@link readPickle}. */
export interface Pickle {
  /** Map, Array, Tuple, TensorRef, Inert, Global, string, number, bigint, boolean or null. */
  readonly value: unknown;
  /** Offset of the first byte after the pickle. */
  readonly end: number;
  /** The storages that the pickle names, by key. */
  readonly storages: ReadonlyMap<string, StorageRef>;
}

/** The opcodes that state dicts of protocols 2 to 5 use. */
const OPCODES: Readonly<Record<string, (m: PickleMachine) => void>> = {
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
  '\x94': (m) => m.remember(m.memoSize),
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
  // BUILD sets attributes; those of a state dict (its _metadata) are ignored.
  b: (m) => {
    m.pop();
    const target = m.top();
    if (!(target instanceof Map) && !(target instanceof Inert)) {
      throw refuse('the pickle sets the state of an object that is not a dictionary; it was not executed');
    }
  },
  Q: (m) => m.storage(m.pop()),
};

/**
 * Reads one pickle.
 *
 * @param bytes the file, or a part of it
 * @param start offset of the pickle
 * @returns its value, the offset of its end, and the storages it names
 * @throws CovidCtError ERR_WEIGHTS for a pickle that is damaged or names a global that is not allowed
 */
export function readPickle(bytes: Buffer, start = 0): Pickle {
  const machine = new PickleMachine(bytes, start);
  for (;;) {
    const opcode = String.fromCharCode(machine.take(1)[0]!);
    if (opcode === '.') return { value: machine.pop(), end: machine.position, storages: machine.storages };
    const action = OPCODES[opcode];
    if (action === undefined)
      throw refuse(`the pickle has the opcode 0x${opcode.charCodeAt(0).toString(16)}, which no state dict needs`);
    action(machine);
  }
}

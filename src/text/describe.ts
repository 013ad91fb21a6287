/**
 * What a value of any kind is, in a few words for an error message; never throws, and looks at a bounded part of it.
 */
import { inspect, types } from 'node:util';

/** Characters of a description. */
const MOST = 80;
/** Entries that are looked at of an object or a list. */
const ENTRIES = 4;

const LOOK = {
  depth: 0,
  maxArrayLength: ENTRIES,
  maxStringLength: MOST,
  breakLength: Infinity,
  compact: true,
  customInspect: false,
  getters: false,
  showProxy: true,
} as const;

function shortened(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST - 3)}...` : text;
}

/** The bytes of buffers say nothing to a reader, and thousands of keys take time to sort through. */
function describeObject(value: object): string {
  if (types.isProxy(value)) return 'a Proxy'; // whatever is asked of it runs the caller's code
  if (ArrayBuffer.isView(value)) return `${viewName(value)} of ${value.byteLength} bytes`;
  if (types.isSharedArrayBuffer(value)) return `a SharedArrayBuffer of ${value.byteLength} bytes`;
  if (types.isAnyArrayBuffer(value)) return `an ArrayBuffer of ${value.byteLength} bytes`;
  if (Array.isArray(value) && value.length > ENTRIES) return `a list of ${value.length}`;
  if (types.isPromise(value)) return 'a Promise (await it)';
  if (value instanceof Error) return 'an Error';
  if (types.isMap(value) || types.isSet(value)) return `a ${types.isMap(value) ? 'Map' : 'Set'} of ${value.size}`;
  const own = ownClass(value);
  if (own !== null) return `an object of class ${own}`;
  return inspect(fewKeys(value), LOOK);
}

function viewName(value: ArrayBufferView): string {
  const name = types.isTypedArray(value) ? (Object.getPrototypeOf(Uint8Array.prototype) as object) : null;
  const tag = name === null ? undefined : (Reflect.get(name, Symbol.toStringTag, value) as string | undefined);
  const word = Buffer.isBuffer(value) ? 'Buffer' : (tag ?? 'DataView');
  return `${word.startsWith('I') ? 'an' : 'a'} ${word}`;
}

/** Name of the class of an object that is neither plain nor a list; null for those. */
function ownClass(value: object): string | null {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype || types.isProxy(prototype))
    return null;
  const name = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  const text =
    typeof name === 'function' && !types.isProxy(name)
      ? (Object.getOwnPropertyDescriptor(name, 'name')?.value as unknown)
      : null;
  return typeof text === 'string' && text !== '' && text !== 'Object' && text !== 'Array' ? inspectWord(text) : null;
}

function inspectWord(text: string): string {
  return /^[\w$]+$/.test(text) ? shortened(text) : JSON.stringify(shortened(text));
}

/** The first few properties, of an object that may have millions; getters are named and not asked. */
function fewKeys(value: object): object {
  if (Array.isArray(value)) return value as object;
  const few: Record<string, unknown> = {};
  let count = 0;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    count += 1;
    if (count > ENTRIES) break;
    Object.defineProperty(few, key, Object.getOwnPropertyDescriptor(value, key) ?? {});
  }
  return few;
}

/**
 * Describes a value for "expected ...; got ...".
 *
 * @returns at most 80 characters, on one line, without control characters; `nothing` for undefined
 */
export function describeValue(value: unknown): string {
  try {
    switch (typeof value) {
      case 'undefined':
        return 'nothing';
      case 'function':
        return 'a function';
      case 'string':
        return shortened(JSON.stringify(value.slice(0, MOST)));
      case 'bigint':
        return value > -(10n ** 30n) && value < 10n ** 30n ? `${value}n` : 'a bigint of more than 30 digits';
      case 'object':
        return value === null ? 'null' : shortened(describeObject(value).replace(/\s+/g, ' '));
      default:
        return shortened(inspect(value, LOOK).replace(/\s+/g, ' ')); // numbers with -0, booleans, symbols
    }
  } catch {
    return `a value of type ${typeof value} that cannot be looked at`;
  }
}

/**
 * Describes what lies at `path` in a value.
 *
 * @param path keys from the outside inwards, as zod's issues have them
 */
export function describeAt(value: unknown, path: readonly PropertyKey[]): string {
  let current = value;
  try {
    for (const part of path) current = (current as Record<PropertyKey, unknown> | null | undefined)?.[part];
  } catch {
    return 'a value that cannot be looked at';
  }
  return describeValue(current);
}

/** A path as code has it: `groups[1].match`; keys that are no names stand in quotes. */
export function describePath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (typeof part === 'string' && /^[\p{L}\p{N}_$ -]{1,60}$/u.test(part))
      text += text === '' ? part : `.${part}`;
    else text += `[${describeValue(part)}]`;
  }
  return text;
}

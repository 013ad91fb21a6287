/**
 * What arguments of many functions are made of: paths, data sets, pixels,
 * loggers, networks. They look, and change nothing.
 */
import { types } from 'node:util';
import { z } from 'zod';

/** What is wrong with a value, and where in it. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A schema of a search for the first fault: for lists of a length at which a list of all faults would be of no use. */
export function faultless<T>(find: (value: unknown) => Fault | null): z.ZodType<T, T> {
  return z.unknown().superRefine((value, context) => {
    const fault = find(value);
    if (fault !== null) context.addIssue({ code: 'custom', path: [...fault.path], message: fault.message });
  }) as unknown as z.ZodType<T, T>;
}

/** A fault of the value itself, or at `path` in it. */
export const wrong = (message: string, ...path: PropertyKey[]): Fault => ({ path, message });

/** Whether it has properties to be asked for. */
export function isObject(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** The first fault of a list's entries; `what` is in the plural. */
export function listFault(value: unknown, what: string, find: (entry: unknown) => Fault | null): Fault | null {
  if (!Array.isArray(value)) return wrong(`expected a list of ${what}`);
  for (let index = 0; index < value.length; index += 1) {
    const fault = find(value[index]);
    if (fault !== null) return { path: [index, ...fault.path], message: fault.message };
  }
  return null;
}

/** The fault of an entry as one of what holds it. */
export function within(key: PropertyKey, fault: Fault | null): Fault | null {
  return fault === null ? null : { path: [key, ...fault.path], message: fault.message };
}

/** What is wrong with a text that must not be empty. */
export const textFault = (value: unknown): Fault | null =>
  typeof value === 'string' && value !== '' ? null : wrong('expected a text that is not empty');

/** Longer than any system's longest path. */
const MOST_PATH = 32_767;

/** What is wrong with the path of a file or a folder; the file itself is not looked at. */
export function pathFault(value: unknown): Fault | null {
  if (typeof value !== 'string' || value === '') return wrong('expected a path');
  if (value.length > MOST_PATH) return wrong(`expected a path of at most ${MOST_PATH} characters`);
  return value.includes('\0') ? wrong('expected a path without a NUL character') : null;
}

/** Path of a file or a folder. */
export const pathSchema = faultless<string>(pathFault);

/** Seeds are integers in [0, 2^53). */
export const seedSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** An unsigned integer of 32 bits. */
export const uint32Schema = z.int().min(0).max(0xffff_ffff);

/** A text that is not empty: a name, an id. */
export const nameSchema = faultless<string>(textFault);

/** Any text. */
export const textSchema = z.string('expected a text');

/** Names and texts, as the metadata of a weight file has them. */
export const metadataSchema = z.record(z.string(), z.string(), 'expected an object of texts');

/**
 * Bytes, whatever realm has made them: in a vm context, as test runners
 * use, `Uint8Array` is another class than that of a Buffer.
 */
export function bytesSchema(expected: string): z.ZodType<Uint8Array, Uint8Array> {
  return z.custom<Uint8Array>((value) => types.isUint8Array(value), expected);
}

/** A regular expression, of whatever realm. */
export function regExpSchema(expected: string) {
  return z.custom<RegExp>((value) => types.isRegExp(value), expected);
}

/** A function, called by the library. */
export function callbackSchema<F extends (...args: never[]) => unknown>() {
  return z.custom<F>((value) => typeof value === 'function', 'expected a function');
}

/** A schema of an object that must have these methods. */
export function methodsSchema<T>(expected: string, methods: readonly string[]): z.ZodType<T, T> {
  return faultless<T>((value) => {
    if (!isObject(value) && typeof value !== 'function') return wrong(expected);
    const missing = methods.find((name) => typeof (value as Readonly<Record<string, unknown>>)[name] !== 'function');
    return missing === undefined ? null : wrong(`${expected}; it has no ${missing}()`);
  });
}

/** A stream that can be written to. */
export const writableSchema = methodsSchema<NodeJS.WritableStream>('expected a stream to write to', [
  'write',
  'on',
  'removeListener',
]);

/** Entries of a plain object that are looked at; configurations have dozens. */
const MOST_PLAIN = 10_000;

/** What is wrong with plain data, as JSON has it: what can be shown and stored, within bounds. */
export function plainFault(value: unknown): Fault | null {
  if (!isObject(value) || Array.isArray(value)) return wrong('expected an object of plain values');
  let seen = 0;
  const walk = (entry: unknown, path: readonly PropertyKey[]): Fault | null => {
    seen += 1;
    if (seen > MOST_PLAIN || path.length > 20)
      return wrong(`expected at most ${MOST_PLAIN} values, 20 levels deep, and no circle`);
    if (entry === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof entry)) return null;
    if (
      !isObject(entry) ||
      (!Array.isArray(entry) && ![Object.prototype, null].includes(Object.getPrototypeOf(entry) as object | null))
    )
      return { path, message: 'expected a plain value: text, number, boolean, null, list or object' };
    for (const key of Object.keys(entry)) {
      const fault = walk(entry[key], [...path, Array.isArray(entry) ? Number(key) : key]);
      if (fault !== null) return fault;
    }
    return null;
  };
  return walk(value, []);
}

/** Options and facts by name, of any plain kind. */
export const plainSchema = faultless<Readonly<Record<string, unknown>>>(plainFault);

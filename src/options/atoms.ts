/** What arguments of many functions are made of: paths, data sets, pixels, loggers, networks. They look, and change nothing. */
import { types } from 'node:util';
import { z } from 'zod';
import { LEFT_OUT_REASONS } from '../files/left-out';
import type { Dataset, DatasetSplits, Pixels } from '../data/types';
import type { TrainLogger } from '../log/types';

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

const wrong = (message: string, ...path: PropertyKey[]): Fault => ({ path, message });

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

function within(key: PropertyKey, fault: Fault | null): Fault | null {
  return fault === null ? null : { path: [key, ...fault.path], message: fault.message };
}

const textFault = (value: unknown): Fault | null =>
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

/** A text that is not empty: a name, an id. */
export const nameSchema = faultless<string>(textFault);

/** Any text. */
export const textSchema = z.string('expected a text');

/** Names and texts, as the metadata of a weight file has them. */
export const metadataSchema = z.record(z.string(), z.string(), 'expected an object of texts');

/** Bytes, whatever realm has made them: in a vm context, as test runners use, `Uint8Array` is another class than that of a Buffer. */
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

/** What is wrong with decoded pixels. */
export function pixelsFault(value: unknown): Fault | null {
  if (!isObject(value)) return wrong('expected pixels: { data, width, height } of RGB');
  const { data, width, height } = value;
  for (const [key, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isSafeInteger(side) || (side as number) < 1)
      return wrong('expected a whole number of pixels, at least 1', key);
  }
  const wanted = (width as number) * (height as number) * 3;
  if (types.isUint8Array(data) && data.length === wanted) return null;
  return wrong(`expected a Uint8Array of height x width x 3 bytes, ${String(wanted)}`, 'data');
}

/** Decoded pixels, RGB. */
export const pixelsSchema = faultless<Pixels>(pixelsFault);

/** What may be the source of a sample; everything else is made one of these before. */
export function isSampleSource(value: unknown): boolean {
  return (
    pathFault(value) === null ||
    types.isUint8Array(value) ||
    (isObject(value) && typeof value['readPixels'] === 'function')
  );
}

function sampleFault(value: unknown): Fault | null {
  if (!isObject(value)) return wrong('expected a sample: { id, source, label }');
  if (typeof value['id'] !== 'string') return wrong('expected a text', 'id');
  if (typeof value['label'] !== 'number') return wrong('expected the index of a class', 'label');
  if (value['origin'] !== undefined && typeof value['origin'] !== 'string') return wrong('expected a text', 'origin');
  if (value['group'] !== undefined && typeof value['group'] !== 'string') return wrong('expected a text', 'group');
  return isSampleSource(value['source'])
    ? null
    : wrong('expected a path, bytes of an encoded image, or an image of a packed data set', 'source');
}

/** What is wrong with a list of what was left out; nothing where there is none. */
function leftOutFault(value: unknown): Fault | null {
  if (value === undefined) return null;
  return listFault(value, 'what was left out', (entry) => {
    if (
      !isObject(entry) ||
      !(LEFT_OUT_REASONS as readonly unknown[]).includes(entry['reason']) ||
      !Number.isSafeInteger(entry['count'])
    )
      return wrong('expected { reason, count, examples }');
    return within(
      'examples',
      listFault(entry['examples'], 'texts', (text) => (typeof text === 'string' ? null : wrong('expected a text'))),
    );
  });
}

/** What is wrong with one split of a data set; whether its labels are in range is for {@link DatasetError} to say. */
export function datasetFault(value: unknown): Fault | null {
  const advice = 'expected a data set with classes and samples, e.g. (await openDataset(dir)).train';
  if (!isObject(value)) return wrong(advice);
  if (value['samples'] === undefined && isObject(value['train']))
    return wrong('expected one split of the data set: its train, validation or test');
  if (!Array.isArray(value['samples']) || !Array.isArray(value['classes'])) return wrong(advice);
  if (typeof value['name'] !== 'string') return wrong('expected a text', 'name');
  return (
    within('leftOut', leftOutFault(value['leftOut'])) ??
    within('classes', listFault(value['classes'], 'class names', textFault)) ??
    within('samples', listFault(value['samples'], 'samples', sampleFault))
  );
}

/** One split of a data set. */
export const datasetSchema = faultless<Dataset>(datasetFault);

/** A data set in its parts. */
export const splitsSchema = faultless<DatasetSplits>((value) => {
  const advice = 'expected a data set with its splits, e.g. await openDataset(dir)';
  if (!isObject(value)) return wrong(advice);
  if (value['train'] === undefined || value['train'] === null) return wrong(advice);
  if (typeof value['name'] !== 'string') return wrong('expected a text', 'name');
  const classes = within('classes', listFault(value['classes'], 'class names', textFault));
  if (classes !== null) return classes;
  const told =
    within('leftOut', leftOutFault(value['leftOut'])) ??
    (value['notes'] === undefined ? null : within('notes', listFault(value['notes'], 'texts', textFault)));
  if (told !== null) return told;
  for (const split of ['train', 'validation', 'test']) {
    const part = value[split];
    const fault = part === null || part === undefined ? null : datasetFault(part);
    if (fault !== null) return within(split, fault);
  }
  return null;
});

/** A schema of an object that must have these methods. */
export function methodsSchema<T>(expected: string, methods: readonly string[]): z.ZodType<T, T> {
  return faultless<T>((value) => {
    if (!isObject(value) && typeof value !== 'function') return wrong(expected);
    const missing = methods.find((name) => typeof (value as Readonly<Record<string, unknown>>)[name] !== 'function');
    return missing === undefined ? null : wrong(`${expected}; it has no ${missing}()`);
  });
}

/** Writes events down. */
export const loggerSchema = methodsSchema<TrainLogger>('expected a logger with log() and close()', ['log', 'close']);

/** Some loggers. */
export const loggersSchema = faultless<readonly TrainLogger[]>((value) =>
  listFault(value, 'loggers', (entry) => {
    const result = loggerSchema.safeParse(entry);
    return result.success ? null : wrong(result.error.issues[0]?.message ?? 'expected a logger');
  }),
);

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

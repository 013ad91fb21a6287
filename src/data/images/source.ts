/**
 * Converts every kind of image input to a source for the decoder: a path, bytes, or an object with pixels.
 */
import { types } from 'node:util';
import { fileURLToPath } from 'node:url';
import { describeValue } from '../../text/describe';
import { InvalidOptionError, messageOf } from '../../errors';
import { isObject, pathFault } from '../../options/atoms';
import { decodeImage } from './decode';
import { isByteStream, StreamSource } from './stream-source';
import type { ByteStream } from './stream-source';
import { BlobSource, isRawPixels, RawSource } from './memory-source';
import type { RawPixels } from './memory-source';
import type { ImageSource, Pixels, PixelSource } from '../types';
import type { DecodeOptions } from './options';

export type { ByteStream } from './stream-source';
export type { RawPixels } from './memory-source';

/**
 * An image as `predict`, `explain` and `decodeImage` take it: a path or `file:` URL; the bytes of an encoded file in a
 * Buffer, any typed array, DataView, ArrayBuffer or SharedArrayBuffer, a Blob or File, or a stream that is read once;
 * decoded pixels; or an image of a data set.
 */
export type ImageInput =
  string | URL | ArrayBufferView | ArrayBuffer | SharedArrayBuffer | Blob | ByteStream | RawPixels | PixelSource;

const EXPECTED =
  'expected a path, a file: URL, bytes of an encoded image, a ' +
  'Blob, a stream of bytes, or pixels { data, width, height }';

/** URLs that have to be fetched or decoded by the application. */
const ELSEWHERE = /^(https?|ftps?|s3|gs|blob|data):/i;

function refuse(where: string, name: string, message: string): never {
  throw new InvalidOptionError(`${where}: ${name}: ${message}`, [{ path: name, message }]);
}

function pathOfUrl(url: string | URL, where: string, name: string): string {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (error) {
    return refuse(
      where,
      name,
      `expected a file: URL of this machine; got ${describeValue(String(url))}: ${messageOf(error)}`,
    );
  }
  const fault = pathFault(path);
  return fault === null ? path : refuse(where, name, `${fault.message}; got ${describeValue(path)}`);
}

function fromText(text: string, where: string, name: string): string {
  const elsewhere = ELSEWHERE.exec(text)?.[1]?.toLowerCase();
  if (elsewhere === 'data')
    refuse(
      where,
      name,
      "data: URLs are not read; decode the part after the comma, e.g. Buffer.from(text, 'base64'), and give the bytes",
    );
  if (elsewhere !== undefined)
    refuse(
      where,
      name,
      `${elsewhere}: URLs are not fetched, since which addresses may be reached is for the ` +
        'application to decide; fetch it and give its body, e.g. (await fetch(url)).body',
    );
  if (/^file:/i.test(text)) return pathOfUrl(text, where, name);
  const fault = pathFault(text);
  return fault === null ? text : refuse(where, name, `${fault.message}; got ${describeValue(text)}`);
}

/** Returns the bytes; shared memory is copied because another thread may write to it during decoding. */
function fromMemory(value: ArrayBufferView | ArrayBuffer | SharedArrayBuffer): Uint8Array {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  if (types.isSharedArrayBuffer(bytes.buffer)) return Uint8Array.from(bytes);
  return Buffer.isBuffer(value) ? value : bytes;
}

function fromObject(value: object, where: string, name: string): ImageSource {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return fromMemory(value);
  if (value instanceof URL)
    return value.protocol === 'file:' ? pathOfUrl(value, where, name) : fromText(value.href, where, name);
  if (value instanceof Blob) return new BlobSource(value);
  if (typeof Response === 'function' && value instanceof Response)
    return refuse(where, name, `${EXPECTED}; got a Response: give its body`);
  const given = value as Readonly<Record<string, unknown>>;
  if (typeof given['readPixels'] === 'function') return value as PixelSource;
  if (isByteStream(value)) return new StreamSource(value, (message) => refuse(where, name, message));
  if (isRawPixels(value)) return new RawSource(value, (message) => refuse(where, name, message));
  return refuse(where, name, `${EXPECTED}; got ${describeValue(value)}`);
}

/**
 * Converts an input to a source for the decoder.
 *
 * @param where name of the function, for messages
 * @param name name of the argument, e.g. `sources[3]`
 * @throws InvalidOptionError for a value that is not an image input
 */
export function toSource(value: unknown, where: string, name: string): ImageSource {
  if (typeof value === 'string') return fromText(value, where, name);
  if (!isObject(value) || types.isPromise(value))
    return refuse(where, name, `${EXPECTED}; got ${describeValue(value)}`);
  try {
    return fromObject(value, where, name);
  } catch (error) {
    if (error instanceof InvalidOptionError) throw error;
    // A getter or a Proxy in the caller's value threw.
    return refuse(where, name, `${EXPECTED}; got ${describeValue(value)}, which cannot be read`);
  }
}

/** Like {@link toSource}, for inputs that can be read repeatedly, as a training does; streams are refused. */
export function toLastingSource(value: unknown, where: string, name: string): ImageSource {
  const source = toSource(value, where, name);
  if (!(source instanceof StreamSource)) return source;
  source.release();
  return refuse(where, name, 'a stream can be read once only; read it into a Buffer, or give the path of its file');
}

/**
 * Like {@link toSource}, for one input or a list; a typed array is one input. If an entry is invalid, all streams of
 * the list are released.
 */
export function toSources(inputs: unknown, where: string): readonly ImageSource[] {
  let isList = false;
  try {
    isList = Array.isArray(inputs);
  } catch {
    // a Proxy that has been revoked: toSource says so
  }
  if (!isList) return [toSource(inputs, where, 'sources')];
  const list = inputs as readonly unknown[];
  const sources: ImageSource[] = [];
  try {
    for (let index = 0; index < list.length; index += 1)
      sources.push(toSource(list[index], where, `sources[${index}]`));
    return sources;
  } catch (error) {
    releaseSources(sources);
    throw error instanceof InvalidOptionError
      ? error
      : new InvalidOptionError(`${where}: sources: expected a list that can be read; got ${describeValue(inputs)}`, [
          { path: 'sources', message: 'it cannot be read' },
        ]);
  }
}

/** Releases streams that were not read: they are destroyed, because their errors would have no listener. */
export function releaseSources(sources: readonly ImageSource[]): void {
  for (const source of sources) if (source instanceof StreamSource) source.release();
}

/**
 * Decodes an image.
 *
 * @param input see {@link ImageInput}; a file's name says nothing about its format. A stream is read once, to its end
 * @param options
 *   - `signal`: stops waiting at once (a decode under way runs out in the background)
 *   - `maxPixels`: largest width x height
 *   - `maxFileBytes`: maximum bytes of an encoded file; reading a stream stops as soon as it has more
 *   - `origin`: the data set's line that names the file, for the message
 * @returns RGB, uint8, height x width x 3
 * @throws InvalidOptionError for a value that is not an image input; BadImageError naming file, reason and line;
 *   AbortedError; of a packed image also CovidCtError ERR_PACKED_DATA
 * @example
 * ```ts
 * import { decodeImage } from 'covidct-torch';
 *
 * const { data, width, height } = await decodeImage('slice.png');
 * console.log(data.length === width * height * 3); // true: RGB, one byte each
 * ```
 */
export async function decodeInput(input: ImageInput, options: DecodeOptions = {}): Promise<Pixels> {
  const source = toSource(input, 'decodeImage', 'input');
  try {
    return await decodeImage(source, options);
  } finally {
    releaseSources([source]);
  }
}

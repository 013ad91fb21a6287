/** File names as the bytes they are: a name that is no valid UTF-8 cannot be a string, yet the file can be opened. */
import { checkArgument } from '../../options/check';
import { decodeWithin } from './decode';
import type { ImageSource, Pixels, PixelSource } from '../types';
import { bytesSchema } from '../../options/atoms';
import type { DecodeOptions } from './options';

/** A path in bytes, which no NUL can be in. */
const BYTE_PATH = 'expected the bytes of a path, a Buffer or Uint8Array without a zero';
export const bytePathSchema = bytesSchema(BYTE_PATH).refine(
  (value) => value.length > 0 && !value.includes(0),
  BYTE_PATH,
);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name as a string, or null where its bytes are no UTF-8. */
export function nameOfBytes(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Bytes as text that can be read, stored and told from every other name: what is no UTF-8 becomes `\xE9`, and a
 * backslash two.
 */
export function showBytes(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find(
      (size) => at + size <= bytes.length && nameOfBytes(bytes.subarray(at, at + size)) !== null,
    );
    if (length === undefined) text += `\\x${bytes[at]!.toString(16).toUpperCase().padStart(2, '0')}`;
    else text += nameOfBytes(bytes.subarray(at, at + length))!.replace('\\', '\\\\');
    at += length ?? 1;
  }
  return text;
}

/** Name for people of a path given as bytes: the string it is, or its bytes shown. */
export function textOfBytes(bytes: Uint8Array): string {
  return nameOfBytes(bytes) ?? showBytes(bytes);
}

/** An image file whose path is no string. */
class BytePathFile implements PixelSource {
  readonly name: string;
  readonly path: string;
  readonly resize = null;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.name = showBytes(bytes);
    this.path = this.name;
  }

  readPixels(signal?: AbortSignal, options: DecodeOptions = {}): Promise<Pixels> {
    return decodeWithin({ path: this.#bytes }, { ...options, signal });
  }
}

/**
 * The source of an image file by its path in bytes, as `find -print0` or `readdir` with buffers give it: a string
 * wherever it can be one, and otherwise something that `predict`, `explain` and data sets open all the same.
 *
 * @throws InvalidOptionError when the bytes are no path
 */
export function sourceOfBytes(path: Uint8Array): ImageSource {
  const bytes = Buffer.from(checkArgument(bytePathSchema, path, 'sourceOfBytes', 'path'));
  return nameOfBytes(bytes) ?? new BytePathFile(bytes);
}

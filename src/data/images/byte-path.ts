/** File names as bytes: a name that is not valid UTF-8 cannot be a string, but its file can be opened. */
import { checkArgument } from '../../options/check';
import { decodeWithin } from './decode';
import type { ImageSource, Pixels, PixelSource } from '../types';
import { bytesSchema } from '../../options/atoms';
import type { DecodeOptions } from './options';

/** The message for a path in bytes that is not valid. */
const BYTE_PATH = 'expected the bytes of a path, a Buffer or Uint8Array without a zero';
export const bytePathSchema = bytesSchema(BYTE_PATH).refine(
  (value) => value.length > 0 && !value.includes(0),
  BYTE_PATH,
);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Returns the name as a string, or null when its bytes are not UTF-8. */
export function nameOfBytes(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Converts bytes to a unique printable text: bytes that are not UTF-8 become `\xE9`, and a backslash is doubled.
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

/** Returns a path in bytes as text for messages: as a string, or with escaped bytes. */
export function textOfBytes(bytes: Uint8Array): string {
  return nameOfBytes(bytes) ?? showBytes(bytes);
}

/** An image file whose path cannot be a string. */
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
 * Returns the source of an image file by its path in bytes, as from `find -print0` or `readdir` with buffers: a string
 * if possible, otherwise an object that `predict`, `explain` and data sets accept as well.
 *
 * @throws InvalidOptionError when the bytes are not a path
 */
export function sourceOfBytes(path: Uint8Array): ImageSource {
  const bytes = Buffer.from(checkArgument(bytePathSchema, path, 'sourceOfBytes', 'path'));
  return nameOfBytes(bytes) ?? new BytePathFile(bytes);
}

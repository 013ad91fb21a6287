/**
 * Decodes image files to RGB bytes by their content, equal to PIL's `Image.open(path).convert('RGB')`; docs/guide.md
 * has a table of the bounds for each format, which test/parity/decoding verifies.
 *
 * Alpha is dropped, not composited; gray becomes RGB; embedded ICC profiles are ignored, and so are EXIF orientations
 * except that of TIFF; only the first of several frames is decoded; CMYK is converted by Pillow's formula. One
 * difference is on purpose: 16-bit samples are scaled (see `sixteenBit`), where PIL clips 16-bit gray at 255.
 */
import { open, stat } from 'node:fs/promises';
import { AbortedError, BadImageError, messageOf, throwIfAborted } from '../../errors';
import { pixelsFault } from '../schemas';
import { checkOptions } from '../../options/check';
import { raceAbort } from '../abort';
import { decodeBmp } from './bmp';
import { FIRST_BYTES, imageFormatOf, whyNotRead } from './format';
import type { ImageFormat } from './format';
import { checkSize } from './size';
import type { SizeCheck } from './size';
import { decodeWithLibvips } from './libvips';
import { decodePnm } from './pnm';
import { Refusal } from './refusal';
import type { ImageSource, PixelSource, Pixels } from '../types';
import { decodeOptionsSchema } from './options';
import type { DecodeOptions, ResolvedDecodeOptions } from './options';

export { encodePng, imageLibraryVersions, letterbox } from './libvips';

/** Returns the name of a source for messages. */
export function nameOfSource(source: ImageSource): string {
  if (typeof source === 'string') return source;
  return isPixelSource(source) ? source.name : `(${source.byteLength} bytes in memory)`;
}

/** Whether a source is a PixelSource. */
export function isPixelSource(source: ImageSource): source is PixelSource {
  return typeof (source as PixelSource | null | undefined)?.readPixels === 'function';
}

/** Returns the path of an image, for the results; null for bytes and images of a packed data set. */
export function pathOfSource(source: ImageSource): string | null {
  if (typeof source === 'string') return source;
  return isPixelSource(source) ? (source.path ?? null) : null;
}

/** The bytes of an encoded image and the format that its first bytes show. */
interface Encoded {
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
}

function checkBytes(bytes: number, maxFileBytes: number): void {
  if (bytes === 0) throw new Refusal('it is empty');
  if (bytes > maxFileBytes) throw new Refusal(`the file has ${bytes} bytes, more than maxFileBytes ${maxFileBytes}`);
}

function formatOf(first: Uint8Array): ImageFormat {
  const format = imageFormatOf(first);
  if (format === null) throw new Refusal(whyNotRead(first));
  return format;
}

/** A path that cannot be a string because its bytes are not UTF-8. */
export interface BytePath {
  readonly path: Buffer;
}

/** Reads the first bytes of a file, and the rest only if it is an image of a supported format. */
async function readEncoded(
  source: string | Uint8Array | BytePath,
  maxFileBytes: number,
  signal: AbortSignal | undefined,
): Promise<Encoded> {
  if (typeof source !== 'string' && !('path' in source)) {
    checkBytes(source.byteLength, maxFileBytes);
    // sharp accepts Uint8Array itself, but not its subclasses.
    const bytes = Buffer.isBuffer(source)
      ? source
      : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    return { bytes, format: formatOf(bytes) };
  }
  const path = typeof source === 'string' ? source : source.path;
  const { size, isFile } = await stat(path).then((info) => ({ size: info.size, isFile: info.isFile() }));
  if (!isFile) throw new Refusal('it is not a file'); // checked before opening, because opening a pipe blocks
  checkBytes(size, maxFileBytes);
  const file = await open(path, 'r');
  try {
    const first = Buffer.alloc(Math.min(FIRST_BYTES, size));
    const { bytesRead } = await file.read(first, 0, first.length, 0);
    const format = formatOf(first.subarray(0, bytesRead));
    const bytes = await file.readFile({ signal });
    checkBytes(bytes.byteLength, maxFileBytes); // it may have grown
    return { bytes, format };
  } finally {
    await file.close();
  }
}

async function decodeEncoded(
  { bytes, format }: Encoded,
  options: ResolvedDecodeOptions,
  sizeCheck: SizeCheck | undefined,
): Promise<Pixels> {
  const { sixteenBit, origin, signal, ...limits } = options;
  void [origin, signal];
  const request = { format, limits, sixteenBit, sizeCheck };
  if (format === 'bmp') return decodeBmp(bytes, request);
  return format === 'pnm' ? decodePnm(bytes, request) : decodeWithLibvips(bytes, request);
}

/** Returns the decoder's message on one line, without repetitions. */
function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT') return 'no such file';
  const message = messageOf(error);
  if (message.includes('timeout: ')) return 'its decoding took longer than decodeTimeoutMs';
  const lines = message
    .split('\n')
    .map((line) => line.trim().replace(/[\s:;,.]+$/, ''))
    .filter((line) => line !== '');
  // Lines that differ only in numbers (offsets in the file) are the same message.
  const told = new Map(lines.toReversed().map((line) => [line.replace(/\d+/g, '#'), line]));
  return [...told.values()].toReversed().join('; ') || 'unknown reason';
}

/**
 * Decodes the bytes or the file of a PixelSource.
 *
 * @throws Refusal, to which {@link decodeChecked} adds the name of the source; AbortedError
 */
export async function decodeWithin(source: Uint8Array | BytePath, options: DecodeOptions): Promise<Pixels> {
  const resolved = checkOptions(decodeOptionsSchema, options, 'decodeImage');
  try {
    return await decodeEncoded(await readEncoded(source, resolved.maxFileBytes, resolved.signal), resolved, undefined);
  } catch (error) {
    if (resolved.signal?.aborted) throw new AbortedError();
    throw error instanceof Refusal ? error : new Refusal(reasonOf(error), { cause: error });
  }
}

/** Creates a BadImageError for this source, or an AbortedError when the signal has fired. */
export function badImage(
  source: ImageSource,
  reason: string,
  { origin, cause }: { readonly origin?: string; readonly cause?: unknown } = {},
): BadImageError {
  const name = nameOfSource(source);
  const listed = origin === undefined ? '' : ` (listed in ${origin})`;
  // Bytes from a caller have neither a file nor a list.
  const advice =
    pathOfSource(source) !== null || origin !== undefined
      ? "Replace the file, take it off the list, or leave bad files out with onBadFile: 'skip'"
      : 'Give another image';
  return new BadImageError(`cannot decode ${name}${listed}: ${reason}. ${advice}`, { source: name, reason, cause });
}

/**
 * Like {@link decodeImage}, with options that have been checked.
 *
 * @param sizeCheck refuses a size before the pixels are decoded
 */
export async function decodeChecked(
  source: ImageSource,
  options: ResolvedDecodeOptions,
  sizeCheck?: SizeCheck,
): Promise<Pixels> {
  const { signal, origin, maxFileBytes } = options;
  throwIfAborted(signal);
  try {
    if (isPixelSource(source)) {
      const pixels = await raceAbort(Promise.resolve(source.readPixels(signal, options)), signal);
      const fault = pixelsFault(pixels); // the application may have implemented the source
      if (fault !== null)
        throw new Refusal(`what its readPixels gave is no image: ${[...fault.path, fault.message].join(': ')}`);
      checkSize(pixels, options, sizeCheck);
      return pixels;
    }
    const pixels = await decodeEncoded(await readEncoded(source, maxFileBytes, signal), options, sizeCheck);
    throwIfAborted(signal);
    return pixels;
  } catch (error) {
    if (signal?.aborted) throw new AbortedError();
    if (isPixelSource(source) && !(error instanceof Refusal)) throw error;
    throw badImage(source, reasonOf(error), { origin, cause: error });
  }
}

/**
 * Decodes an image: PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PBM, PGM, PPM or PAM, detected by its first bytes. Any other
 * file is refused before a decoder sees it, and the error names its format.
 *
 * @param source a path, or the bytes of an encoded file; the file's name says nothing about its format
 * @param options
 *   - `signal`: stops waiting at once (a decode under way runs out in the background)
 *   - `maxPixels`: largest width x height, default 50 million
 *   - `maxSide`: longest side in pixels, default 16,384
 *   - `maxFileBytes`: largest encoded file, default 128 MiB
 *   - `decodeTimeoutMs`: longest decoding, in whole seconds, default 20,000
 *   - `sixteenBit`: `{ low, high }`: of 16-bit images, the values that become 0 and 255; without it all 16 bits
 *     count, and an image that uses less than an eighth of them is refused
 *   - `origin`: the data set's line that names the file, for the message
 * @returns RGB, uint8, height x width x 3, in the orientation the pixels are stored in (of TIFF: in the one it names)
 * @throws BadImageError naming file, reason and line; AbortedError; of a packed image also CovidCtError ERR_PACKED_DATA
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<Pixels> {
  return decodeChecked(source, checkOptions(decodeOptionsSchema, options, 'decodeImage'));
}

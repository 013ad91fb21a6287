/**
 * Decodes image files to RGB bytes by their content, equal to PIL's `Image.open(path).convert('RGB')`, and encodes PNG.
 * One of the two files that may import sharp.
 *
 * Alpha is dropped, not composited; grey becomes RGB; an EXIF orientation and an embedded ICC profile are ignored; of
 * several frames the first is taken; CMYK is converted by Pillow's formula. One difference is on purpose: 16-bit
 * samples are scaled by their high byte (v >> 8), where PIL clips 16-bit grey at 255.
 */
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import type { Metadata, Sharp } from 'sharp';
import { AbortedError, BadImageError, messageOf, throwIfAborted } from '../errors';
import { pixelsSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { decodeOptionsSchema } from '../options/data';
import type { DecodeOptions } from '../options/data';
import { orAborted } from './abortable';
import type { ImageSource, PixelSource, Pixels } from './types';

/** The formats that are read. SVG and PDF are drawings without pixels of their own. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif', 'heif']);

/** How messages name a source. */
export function nameOfSource(source: ImageSource): string {
  if (typeof source === 'string') return source;
  return isPixelSource(source) ? source.name : `(${source.byteLength} bytes in memory)`;
}

/** Whether a source is pixels already. */
export function isPixelSource(source: ImageSource): source is PixelSource {
  return typeof (source as PixelSource | null | undefined)?.readPixels === 'function';
}

/** Where an image lies, for who reads the answers; null for bytes and images of a packed data set. */
export function pathOfSource(source: ImageSource): string | null {
  if (typeof source === 'string') return source;
  return isPixelSource(source) ? (source.path ?? null) : null;
}

/** An error for which there is a plain reason; `decodeImage` puts file and data set line around it. */
class Refusal extends Error {}

async function readBytes(source: string | Uint8Array, maxFileBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (typeof source !== 'string') return source;
  const info = await stat(source);
  if (!info.isFile()) throw new Refusal('it is not a file');
  if (info.size > maxFileBytes) throw new Refusal(`the file has ${info.size} bytes, more than maxFileBytes ${maxFileBytes}`);
  return readFile(source, { signal });
}

/** Pillow's cmyk2rgb: each colour is what K leaves, less the ink's share of it. */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const left = 255 - cmyk[from + 3]!;
    for (let channel = 0; channel < 3; channel += 1) {
      const product = cmyk[from + channel]! * left + 128;
      rgb[to + channel] = Math.max(0, left - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

function checkHeader(header: Metadata, maxPixels: number): void {
  const { format, width, height, depth } = header;
  if (!FORMATS.has(format)) throw new Refusal(`the format ${format} is not one of ${[...FORMATS].join(', ')}`);
  if (width * height > maxPixels) throw new Refusal(`it has ${width} x ${height} pixels, more than maxPixels ${maxPixels}`);
  if (depth !== 'uchar' && depth !== 'ushort') throw new Refusal(`its samples are ${depth}, whose black and white are not known; store 8 or 16 bits`);
}

async function toRgb(bytes: Uint8Array, maxPixels: number): Promise<Pixels> {
  // ignoreIcc: PIL does not apply profiles. failOn: warnings are forgiven as PIL forgives them, truncation is not.
  const image: Sharp = sharp(bytes, { failOn: 'error', ignoreIcc: true, autoOrient: false, limitInputPixels: false, pages: 1 });
  const header = await image.metadata();
  checkHeader(header, maxPixels);
  const cmyk = header.space === 'cmyk';
  const ready = cmyk ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.removeAlpha().toColourspace('srgb');
  const { data, info } = await ready.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const wanted = cmyk ? 4 : 3;
  if (info.channels !== wanted) throw new Refusal(`it decodes to ${info.channels} channels where ${wanted} were expected`);
  return { data: cmyk ? cmykToRgb(data) : data, width: info.width, height: info.height };
}

/** One line of the decoder's own words, without its repetition. */
function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT') return 'no such file';
  const lines = messageOf(error).split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return [...new Set(lines)].join('; ') || 'unknown reason';
}

/**
 * Decodes an image.
 *
 * @param source a path, or the bytes of an encoded file; the file's name says nothing about its format
 * @param options.signal stops waiting at once (a decode under way runs out in the background)
 * @param options.maxPixels largest width x height, default 100 million
 * @param options.origin the data set's line that names the file, for the message
 * @returns RGB, uint8, height x width x 3, in the orientation the pixels are stored in
 * @throws BadImageError naming file, reason and line; AbortedError; of a packed image also CovidCtError ERR_PACKED_DATA
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<Pixels> {
  const checked = checkOptions(decodeOptionsSchema, options, 'decodeImage');
  const { signal, maxPixels, maxFileBytes, origin } = checked;
  throwIfAborted(signal);
  if (isPixelSource(source)) return orAborted(source.readPixels(signal, checked), signal);
  try {
    const bytes = await readBytes(source, maxFileBytes, signal);
    if (bytes.byteLength === 0) throw new Refusal('it is empty');
    const pixels = await toRgb(bytes, maxPixels);
    throwIfAborted(signal);
    return pixels;
  } catch (error) {
    if (signal?.aborted) throw new AbortedError();
    const reason = reasonOf(error);
    const name = nameOfSource(source);
    const listed = origin === undefined ? '' : ` (listed in ${origin})`;
    throw new BadImageError(`cannot decode ${name}${listed}: ${reason}. Replace the file, take it off the list, or leave bad files out with onBadFile: 'skip'`, { source: name, reason, cause: error });
  }
}

/** Encodes RGB pixels as PNG, losslessly. */
export async function encodePng(pixels: Pixels): Promise<Buffer> {
  const { data, width, height } = checkArgument(pixelsSchema, pixels, 'encodePng', 'pixels');
  return sharp(data, { raw: { width, height, channels: 3 } }).png({ compressionLevel: 6 }).toBuffer();
}

/**
 * Fits an image into a square tile without distorting it; what is left is filled. For montages, not for the network.
 *
 * @param tile side in pixels
 * @param fill grey level of the margin, in [0, 255]
 */
export async function letterbox({ data, width, height }: Pixels, tile: number, fill = 0): Promise<Pixels> {
  const background = { r: fill, g: fill, b: fill };
  const resized = await sharp(data, { raw: { width, height, channels: 3 } }).resize(tile, tile, { fit: 'contain', background }).raw().toBuffer();
  return { data: resized, width: tile, height: tile };
}

/** Versions of the image libraries, for `covidct doctor` and reports. */
export function imageLibraryVersions(): Readonly<Record<string, string>> {
  const versions = sharp.versions as unknown as Readonly<Record<string, string | undefined>>;
  const names = ['sharp', 'vips', 'mozjpeg', 'jpeg', 'png', 'webp', 'tiff'];
  return Object.fromEntries(names.flatMap((name) => (versions[name] === undefined ? [] : [[name, versions[name]]])));
}

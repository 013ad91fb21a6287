/**
 * Decodes PNG, JPEG, WebP, GIF, TIFF and AVIF, and encodes PNG, with libvips (through sharp). This is one of the two
 * files that may import sharp. The format has been detected before (format.ts), so libvips never chooses it.
 */
import sharp from 'sharp';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { pixelsSchema } from '../schemas';
import { checkArgument } from '../../options/check';
import type { ImageLimits, SixteenBit } from './options';
import { checkSize } from './size';
import type { SizeCheck } from './size';
import type { ImageFormat } from './format';
import { asPillowReads, paintAround } from './pillow-bytes';
import { Refusal } from './refusal';
import { inSlices, toEightBits } from './sixteen-bit';
import type { Pixels } from '../types';

/** sharp's names of the formats, when they differ. */
const SHARP_NAMES: Readonly<Partial<Record<ImageFormat, string>>> = { avif: 'heif' };
/** Color spaces whose conversion to RGB equals Pillow's. */
const SPACES = new Set(['srgb', 'b-w', 'rgb', 'rgb16', 'grey16', 'cmyk']);

/**
 * libvips loaders of unsupported formats. The check of the first bytes keeps most files from them; blocking is for
 * formats that share their first bytes with a supported one (a JPEG with a gain map, a raw photograph in a TIFF). The
 * SVG loader stays enabled because reports use it. Blocking affects the whole process: `sharp.unblock` re-enables a
 * loader for other code.
 */
const BLOCKED = [
  'Analyze',
  'Csv',
  'Dcraw',
  'Fits',
  'Jp2k',
  'Jxl',
  'Magick',
  'Magick7',
  'Mat',
  'Matrix',
  'Nifti',
  'Openexr',
  'Openslide',
  'Pdf',
  'Ppm',
  'Rad',
  'Uhdr',
  'Vips',
].map((name) => `VipsForeignLoad${name}`);
let blocked = false;

function blockOtherLoaders(): void {
  if (!blocked) sharp.block({ operation: BLOCKED });
  blocked = true;
}

/** The input and the limits of a decoding by libvips. */
export interface LibvipsRequest {
  readonly format: ImageFormat;
  readonly limits: ImageLimits;
  readonly sixteenBit: SixteenBit | undefined;
  readonly sizeCheck: SizeCheck | undefined;
}

/** Converts CMYK like Pillow's cmyk2rgb: each channel is (255 - K) minus the ink's share of it. */
async function cmykToRgb(cmyk: Uint8Array): Promise<Uint8Array> {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  await inSlices(cmyk.length / 4, (first, end) => {
    for (let from = first * 4, to = first * 3; from < end * 4; from += 4, to += 3) {
      const left = 255 - cmyk[from + 3]!;
      for (let channel = 0; channel < 3; channel += 1) {
        const product = cmyk[from + channel]! * left + 128;
        rgb[to + channel] = Math.max(0, left - (((product >> 8) + product) >> 8));
      }
    }
  });
  return rgb;
}

function checkHeader({ format, depth, space, width, height }: Metadata, request: LibvipsRequest): void {
  if (format !== (SHARP_NAMES[request.format] ?? request.format))
    throw new Refusal(`its first bytes are those of ${request.format}, but it was about to be decoded as ${format}`);
  if (depth !== 'uchar' && depth !== 'ushort')
    throw new Refusal(`its samples are ${depth}, whose black and white are not known; store 8 or 16 bits`);
  if (!SPACES.has(space))
    throw new Refusal(`its colors are in the space ${space}, which has no agreed conversion; store gray or RGB`);
  checkSize({ width, height }, request.limits, request.sizeCheck);
}

/**
 * Decodes an image whose format is known.
 *
 * @throws Refusal; libvips's own errors
 */
export async function decodeWithLibvips(bytes: Uint8Array, request: LibvipsRequest): Promise<Pixels> {
  blockOtherLoaders();
  const { format, limits } = request;
  const { bytes: input, frame } = asPillowReads(bytes, format);
  // ignoreIcc: PIL does not apply profiles. failOn: as in PIL, warnings are ignored but truncation is an error.
  const options: SharpOptions = {
    failOn: 'error',
    ignoreIcc: true,
    unlimited: false,
    pages: 1,
    autoOrient: format === 'tiff',
  };
  // sharp's own limit is off, so that checkSize can say what is too large and which option allows it.
  const header = await sharp(input, { ...options, limitInputPixels: false }).metadata();
  checkHeader(header, request);
  const timeout = { seconds: Math.ceil(limits.decodeTimeoutMs / 1000) };
  const image = sharp(input, { ...options, limitInputPixels: limits.maxPixels }).timeout(timeout);
  if (header.space === 'cmyk') return cmykPixels(image, header);
  const opaque = image.removeAlpha();
  if (header.depth === 'ushort' && format !== 'avif') return deepPixels(opaque, request.sixteenBit);
  const { data, info } = await opaque
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  checkChannels(info.channels, 3);
  const pixels = { data, width: info.width, height: info.height };
  if (frame !== null) paintAround(pixels, frame);
  return pixels;
}

function checkChannels(channels: number, wanted: number): void {
  if (channels !== wanted) throw new Refusal(`it decodes to ${channels} channels where ${wanted} were expected`);
}

async function cmykPixels(image: Sharp, { depth }: Metadata): Promise<Pixels> {
  if (depth !== 'uchar') throw new Refusal('it has CMYK samples of 16 bits; store 8 bits, or RGB or gray');
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  checkChannels(info.channels, 4);
  return { data: await cmykToRgb(data), width: info.width, height: info.height };
}

async function deepPixels(image: Sharp, sixteenBit: SixteenBit | undefined): Promise<Pixels> {
  const { data, info } = await image
    .toColourspace('rgb16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  checkChannels(info.channels, 3);
  const aligned = data.byteOffset % 2 === 0 ? data : Buffer.from(data);
  const samples = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  return { data: await toEightBits(samples, 0xffff, sixteenBit), width: info.width, height: info.height };
}

/** Encodes RGB pixels as PNG (lossless). */
export async function encodePng(pixels: Pixels): Promise<Buffer> {
  const { data, width, height } = checkArgument(pixelsSchema, pixels, 'encodePng', 'pixels');
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
}

/**
 * Fits an image into a square tile, keeping its aspect ratio and filling the margin. For montages, not for the network.
 *
 * @param tile side in pixels
 * @param fill gray level of the margin, in [0, 255]
 */
export async function letterbox({ data, width, height }: Pixels, tile: number, fill = 0): Promise<Pixels> {
  const background = { r: fill, g: fill, b: fill };
  const resized = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(tile, tile, { fit: 'contain', background })
    .raw()
    .toBuffer();
  return { data: resized, width: tile, height: tile };
}

/** Versions of the image libraries, for `covidct doctor` and reports. */
export function imageLibraryVersions(): Readonly<Record<string, string>> {
  const versions = sharp.versions as unknown as Readonly<Record<string, string | undefined>>;
  const names = ['sharp', 'vips', 'mozjpeg', 'jpeg', 'png', 'webp', 'tiff'];
  return Object.fromEntries(names.flatMap((name) => (versions[name] === undefined ? [] : [[name, versions[name]]])));
}

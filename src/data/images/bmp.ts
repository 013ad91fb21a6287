/**
 * Decodes BMP images: 1, 4, 8, 16, 24 and 32 bits, bottom-up or top-down, RLE4 and RLE8, and the bit fields that Pillow
 * supports. It exists because fast-bmp supports neither 4 nor 16 bits nor RLE, and both fast-bmp and bmp-ts allocate
 * whatever a header declares. Here nothing is allocated before the file is known to contain it.
 */
import type { ImageLimits } from './options';
import { expandRuns } from './bmp-runs';
import { checkSize } from './size';
import type { SizeCheck } from './size';
import { Refusal } from './refusal';
import { inSlices } from './sixteen-bit';
import type { Pixels } from '../types';

const COMPRESSIONS = ['none', 'RLE8', 'RLE4', 'bit fields', 'JPEG', 'PNG', 'bit fields with alpha'];
const [NONE, RLE8, RLE4, BIT_FIELDS] = [0, 1, 2, 3];
const FILE_HEADER = 14;
/** Pixels that are decoded before the event loop gets a turn. */
const SLICE_PIXELS = 1_000_000;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Offset of the pixels. */
  readonly offset: number;
  readonly palette: { readonly at: number; readonly colors: number; readonly bytesEach: number };
  /** Bits of red, green and blue in a pixel, of 16 bits and more. */
  readonly masks: readonly [red: number, green: number, blue: number];
}

const DEFAULT_MASKS = [0xff0000, 0xff00, 0xff] as const;
const MASKS_16 = [
  [0x7c00, 0x3e0, 0x1f],
  [0xf800, 0x7e0, 0x1f],
] as const;

function readHeader(file: DataView): Header {
  const size = file.getUint32(FILE_HEADER, true);
  if (file.byteLength < FILE_HEADER + size) throw new Refusal('its header was cut off');
  const old = size === 12;
  const signedHeight = old ? file.getUint16(20, true) : file.getInt32(22, true);
  const bits = file.getUint16(old ? 24 : 28, true);
  const compression = old ? NONE : file.getUint32(30, true);
  const bytesEach = old ? 3 : 4;
  const colors = (old ? 0 : file.getUint32(46, true)) || 2 ** Math.min(bits, 8);
  const stated = file.getUint32(10, true);
  const palette = { at: FILE_HEADER + size, colors, bytesEach };
  const behind = palette.at + (bits <= 8 ? colors * bytesEach : size === 40 && compression === BIT_FIELDS ? 12 : 0);
  const offset = stated === 0 || (bits <= 8 && stated === palette.at) ? behind : stated;
  const header = {
    width: old ? file.getUint16(18, true) : file.getInt32(18, true),
    height: Math.abs(signedHeight),
    topDown: signedHeight < 0,
    bits,
    compression,
    offset,
    palette,
  };
  checkKind(header);
  return { ...header, masks: masksOf(file, header) };
}

function checkKind({ bits, compression, topDown, palette }: Omit<Header, 'masks'>): void {
  if (![1, 4, 8, 16, 24, 32].includes(bits))
    throw new Refusal(`it is a BMP of ${bits} bits per pixel; read are 1, 4, 8, 16, 24 and 32`);
  const fits = { [NONE]: true, [RLE8]: bits === 8, [RLE4]: bits === 4, [BIT_FIELDS]: bits >= 16 }[compression];
  if (fits !== true)
    throw new Refusal(
      `it is a BMP of ${bits} bits per pixel with the ` +
        `compression ${COMPRESSIONS[compression] ?? compression}, which is not read; save it uncompressed`,
    );
  if (topDown && compression !== NONE && compression !== BIT_FIELDS)
    throw new Refusal('it is a BMP with runs from the top, which the format does not allow');
  if (bits <= 8 && palette.colors > 256) throw new Refusal(`its palette claims ${palette.colors} colors`);
}

function masksOf(file: DataView, { bits, compression }: Omit<Header, 'masks'>): Header['masks'] {
  if (compression !== BIT_FIELDS) return bits === 16 ? MASKS_16[0] : DEFAULT_MASKS;
  if (file.byteLength < 66) throw new Refusal('its header was cut off');
  const masks = [file.getUint32(54, true), file.getUint32(58, true), file.getUint32(62, true)] as const;
  if (bits === 32 && masks.every((mask) => mask === 0)) return DEFAULT_MASKS;
  const wholeBytes =
    masks.every((mask) => [0xff, 0xff00, 0xff0000, 0xff000000].includes(mask)) && new Set(masks).size === 3;
  const known = bits === 16 ? MASKS_16.some((each) => each.every((mask, i) => mask === masks[i])) : wholeBytes;
  if (!known)
    throw new Refusal(
      `it is a BMP with the bit fields ${masks.map((mask) => mask.toString(16)).join(', ')}, ` +
        'which are not read; save it with 24 bits',
    );
  return masks;
}

/** Returns red, green and blue of every index in the palette. */
function paletteOf(bytes: Uint8Array, { palette: { at, colors, bytesEach } }: Header): Uint8Array {
  if (at + colors * bytesEach > bytes.byteLength) throw new Refusal('its palette was cut off');
  const rgb = new Uint8Array(colors * 3);
  for (let i = 0; i < colors; i += 1) {
    const from = at + i * bytesEach;
    rgb.set([bytes[from + 2]!, bytes[from + 1]!, bytes[from]!], i * 3);
  }
  return rgb;
}

/** Writes the pixel of a line and a column as three bytes. */
type Write = (line: number, column: number, data: Uint8Array, to: number) => void;

function indexed(pixels: Uint8Array, bits: number, stride: number, palette: Uint8Array): Write {
  const perByte = 8 / bits;
  const most = 2 ** bits - 1;
  return (line, column, data, to) => {
    const shift = 8 - bits * ((column % perByte) + 1);
    const from = 3 * ((pixels[line * stride + Math.floor(column / perByte)]! >> shift) & most);
    if (from >= palette.length)
      throw new Refusal(`a pixel has the color ${from / 3} of a palette of ${palette.length / 3}`);
    data[to] = palette[from]!;
    data[to + 1] = palette[from + 1]!;
    data[to + 2] = palette[from + 2]!;
  };
}

function masked(pixels: Uint8Array, bits: number, stride: number, masks: Header['masks']): Write {
  const bytesEach = bits / 8;
  const channels = masks.map((mask) => {
    const shift = 31 - Math.clz32(mask & -mask);
    return { shift, most: mask >>> shift };
  });
  return (line, column, data, to) => {
    const from = line * stride + column * bytesEach;
    let pixel = 0;
    for (let i = bytesEach - 1; i >= 0; i -= 1) pixel = (pixel << 8) | pixels[from + i]!;
    for (let channel = 0; channel < 3; channel += 1) {
      const { shift, most } = channels[channel]!;
      // As Pillow scales: rounded down.
      data[to + channel] = Math.floor((((pixel >>> shift) & most) * 255) / most);
    }
  };
}

/**
 * Decodes a BMP image.
 *
 * @returns RGB, uint8, height x width x 3; alpha is dropped
 * @throws Refusal saying what is wrong or not supported
 */
export async function decodeBmp(
  bytes: Uint8Array,
  { limits, sizeCheck }: { readonly limits: ImageLimits; readonly sizeCheck?: SizeCheck | undefined },
): Promise<Pixels> {
  const header = readHeader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const { width, height, compression, offset, topDown } = header;
  checkSize(header, limits, sizeCheck);
  const runs = compression === RLE8 || compression === RLE4;
  const bits = runs ? 8 : header.bits;
  const stride = runs ? width : Math.ceil((width * bits) / 32) * 4;
  const palette = bits <= 8 ? paletteOf(bytes, header) : null;
  const body = bytes.subarray(offset);
  const needed = (height - 1) * stride + Math.ceil((width * bits) / 8); // the last line may lack its padding
  if (!runs && body.byteLength < needed)
    throw new Refusal(
      `it was cut off: its ${width} x ${height} pixels of ${bits} bits ` +
        `take ${needed} bytes, and ${body.byteLength} are there`,
    );
  const pixels = runs ? expandRuns(body, { width, height, nibbles: compression === RLE4 }) : body;
  const write = palette === null ? masked(pixels, bits, stride, header.masks) : indexed(pixels, bits, stride, palette);
  const data = new Uint8Array(width * height * 3);
  await inSlices(
    height,
    (first, end) => {
      for (let row = first; row < end; row += 1) {
        const line = topDown ? row : height - 1 - row;
        for (let column = 0; column < width; column += 1) write(line, column, data, (row * width + column) * 3);
      }
    },
    Math.max(1, Math.floor(SLICE_PIXELS / width)),
  );
  return { data, width, height };
}

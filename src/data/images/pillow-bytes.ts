/**
 * Changes some bytes of a copy of the file before libvips decodes it, so that the result equals Pillow's: chunks of a
 * PNG that do not affect pixels are dropped, a GIF's transparent index is made opaque, and an AVIF is not rotated.
 */
import type { ImageFormat } from './format';
import { Refusal } from './refusal';
import type { Pixels } from '../types';

/** A first frame that does not cover its image, and the color of the rest: red, green, blue. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly around: readonly [number, number, number];
}

/** The bytes to decode, and the first frame; null when it covers the image. */
export interface Changed {
  readonly bytes: Uint8Array;
  readonly frame: Frame | null;
}

/** Reads bytes; those beyond the end are zero. */
class Reader {
  constructor(readonly bytes: Uint8Array) {}

  byte(at: number): number {
    return this.bytes[at] ?? 0;
  }

  uint16le(at: number): number {
    return this.byte(at) | (this.byte(at + 1) << 8);
  }

  uint32(at: number): number {
    return ((this.byte(at) << 24) | (this.byte(at + 1) << 16) | (this.byte(at + 2) << 8) | this.byte(at + 3)) >>> 0;
  }

  letters(at: number): string {
    return String.fromCharCode(this.byte(at), this.byte(at + 1), this.byte(at + 2), this.byte(at + 3));
  }
}

/**
 * Makes a GIF opaque: Pillow shows the color of the transparent index, also outside the first frame; without one it
 * shows the first color there.
 */
function opaqueGif(bytes: Uint8Array): Changed {
  const gif = new Reader(bytes);
  const tableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1));
  const screen = 13;
  let table = { at: screen, bytes: tableBytes(gif.byte(10)) };
  let control: number | null = null;
  let at = screen + table.bytes;
  while (at < bytes.length && gif.byte(at) !== 0x2c) {
    if (gif.byte(at) !== 0x21) {
      at += 1;
      continue;
    }
    if (gif.byte(at + 1) === 0xf9 && gif.byte(at + 2) >= 4) control = at + 3;
    for (at += 2; at < bytes.length && gif.byte(at) !== 0; at += gif.byte(at) + 1);
    at += 1;
  }
  const own = tableBytes(gif.byte(at + 9));
  if (own > 0) table = { at: at + 10, bytes: own };
  const transparent = control !== null && (gif.byte(control) & 1) === 1 ? gif.byte(control + 3) : null;
  const frame = frameOf(gif, at, { at: table.at + 3 * (transparent ?? 0), end: table.at + table.bytes });
  if (control === null || transparent === null) return { bytes, frame };
  const copy = Uint8Array.from(bytes);
  copy[control] = copy[control]! & ~1;
  return { bytes: copy, frame };
}

/**
 * @param at where the first frame is described; @param color where the color around it stands, if before the table's
 * end
 */
function frameOf(gif: Reader, at: number, color: { readonly at: number; readonly end: number }): Frame | null {
  const [width, height] = [gif.uint16le(6), gif.uint16le(8)];
  const [left, top] = [gif.uint16le(at + 1), gif.uint16le(at + 3)];
  const [right, bottom] = [left + gif.uint16le(at + 5), top + gif.uint16le(at + 7)];
  if (at >= gif.bytes.length || (left === 0 && top === 0 && right === width && bottom === height)) return null;
  if (right > width || bottom > height)
    throw new Refusal(`its first frame ends at ${right} x ${bottom} pixels, outside of its ${width} x ${height}`);
  const inside = color.at + 3 <= color.end;
  return {
    left,
    top,
    right,
    bottom,
    around: inside ? [gif.byte(color.at), gif.byte(color.at + 1), gif.byte(color.at + 2)] : [0, 0, 0],
  };
}

/** Fills the area that the frame does not cover. */
export function paintAround({ data, width, height }: Pixels, { left, top, right, bottom, around }: Frame): void {
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      if (row >= top && row < bottom && column >= left && column < right) column = right - 1;
      else data.set(around, (row * width + column) * 3);
    }
  }
}

/** Iterates over the boxes between two offsets of an ISO media file: type, start and end of the content. */
function* boxes(
  file: Reader,
  from: number,
  to: number,
): Generator<{ type: string; at: number; begin: number; end: number }> {
  for (let at = from; at + 8 <= to;) {
    const size = file.uint32(at);
    const large = size === 1 ? file.uint32(at + 8) * 2 ** 32 + file.uint32(at + 12) : size;
    const header = size === 1 ? 16 : 8;
    const end = size === 0 ? to : at + large;
    if (end < at + header || end > to) return;
    yield { type: file.letters(at + 4), at, begin: at + header, end };
    at = end;
  }
}

/**
 * Removes the rotation and mirroring of an AVIF: their properties have one byte each and become a rotation by 0. The
 * brand of a sequence is changed to that of an image, so that libvips reads its first image.
 */
function unturnedAvif(bytes: Uint8Array): Changed {
  const file = new Reader(bytes);
  const turns: number[] = [];
  for (const meta of boxes(file, 0, bytes.length)) {
    if (meta.type !== 'meta') continue;
    for (const properties of boxes(file, meta.begin + 4, meta.end)) {
      if (properties.type !== 'iprp') continue;
      for (const container of boxes(file, properties.begin, properties.end)) {
        if (container.type !== 'ipco') continue;
        for (const { type, at, begin, end } of boxes(file, container.begin, container.end)) {
          if ((type === 'irot' || type === 'imir') && end === begin + 1 && begin === at + 8) turns.push(at);
        }
      }
    }
  }
  const isSequence = file.letters(8) === 'avis';
  if (turns.length === 0 && !isSequence) return { bytes, frame: null };
  const copy = Uint8Array.from(bytes);
  if (isSequence) copy[11] = 0x66; // avif
  for (const at of turns) copy.set([0x69, 0x72, 0x6f, 0x74, 0], at + 4); // irot, 0
  return { bytes: copy, frame: null };
}

/** The PNG chunks that affect pixels. */
const PIXEL_CHUNKS = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/**
 * Drops texts, profiles and other chunks that do not affect pixels: libvips would decompress them all, and a small file
 * can contain gigabytes of them. From the first invalid chunk on, the file is left unchanged, so that libvips refuses
 * it.
 */
function barePng(bytes: Uint8Array): Uint8Array {
  const file = new Reader(bytes);
  const kept: Uint8Array[] = [];
  let [from, at] = [0, 8];
  while (at + 12 <= bytes.length) {
    const end = at + 12 + file.uint32(at);
    if (end > bytes.length) break;
    if (!PIXEL_CHUNKS.has(file.letters(at + 4))) {
      kept.push(bytes.subarray(from, at));
      from = end;
    }
    at = end;
  }
  return from === 0 ? bytes : Buffer.concat([...kept, bytes.subarray(from)]);
}

/** Returns the bytes to decode instead of the original ones. */
export function asPillowReads(bytes: Uint8Array, format: ImageFormat): Changed {
  if (format === 'png') return { bytes: barePng(bytes), frame: null };
  if (format === 'gif') return opaqueGif(bytes);
  return format === 'avif' ? unturnedAvif(bytes) : { bytes, frame: null };
}

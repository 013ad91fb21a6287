/**
 * Decodes the PNM family: PBM (P1, P4), PGM (P2, P5), PPM (P3, P6) and PAM (P7), plain and raw, 8 and 16 bits. It
 * exists because the prebuilt libvips does not support them. Nothing is allocated before the file is known to contain
 * it.
 */
import type { ImageLimits, SixteenBit } from './options';
import { checkSize } from './size';
import type { SizeCheck } from './size';
import { roundHalfEven } from '../round';
import { Refusal } from './refusal';
import { inSlices, toEightBits } from './sixteen-bit';
import type { Pixels } from '../types';

interface Header {
  readonly width: number;
  readonly height: number;
  /** Samples per pixel; the last may be alpha, which is dropped. */
  readonly depth: 1 | 2 | 3 | 4;
  /** The sample value of white. */
  readonly maxval: number;
  readonly kind: 'plain' | 'raw' | 'bits';
  /** A bitmap: 1 is black. */
  readonly inverted: boolean;
  /** Offset of the samples. */
  readonly offset: number;
}

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** Reads words separated by white space; `#` begins a comment up to the end of the line. */
class Words {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** Reads the next word, of at most 10 characters, and the white space character after it. */
  next(what: string): string {
    let word = '';
    for (; this.at < this.bytes.length; this.at += 1) {
      const byte = this.bytes[this.at]!;
      if (byte === 0x23) {
        while (this.at < this.bytes.length && this.bytes[this.at] !== 0x0a && this.bytes[this.at] !== 0x0d)
          this.at += 1;
      } else if (!isSpace(byte)) {
        word += String.fromCharCode(byte);
        if (word.length > 10) throw new Refusal(`its ${what} is longer than any number: ${JSON.stringify(word)}`);
      } else if (word !== '') break;
    }
    if (word === '') throw new Refusal(`it was cut off before its ${what}`);
    this.at += 1;
    return word;
  }

  number(what: string, least: number, most: number): number {
    const word = this.next(what);
    const value = Number(word);
    if (/^\d+$/.test(word) && value >= least && value <= most) return value;
    throw new Refusal(`expected its ${what} as a whole number from ${least} to ${most}; it is ${JSON.stringify(word)}`);
  }
}

/** Reads the next digit of a plain bitmap, whose digits may be without white space between them. */
function nextBit(words: Words): number {
  const { bytes } = words;
  for (; words.at < bytes.length; words.at += 1) {
    const byte = bytes[words.at]!;
    if (byte === 0x23) {
      while (words.at < bytes.length && bytes[words.at] !== 0x0a && bytes[words.at] !== 0x0d) words.at += 1;
    } else if (byte === 0x30 || byte === 0x31) {
      words.at += 1;
      return byte - 0x30;
    } else if (!isSpace(byte))
      throw new Refusal(`expected 0 or 1 for a pixel; it is ${JSON.stringify(String.fromCharCode(byte))}`);
  }
  throw new Refusal('its pixels were cut off');
}

const MOST_SIDE = 2 ** 31 - 1;

function readHeader(bytes: Uint8Array): Header {
  const number = bytes[1]! - 0x30;
  const words = new Words(bytes, 2);
  if (number === 7) return readPam(bytes);
  const [width, height] = [words.number('width', 0, MOST_SIDE), words.number('height', 0, MOST_SIDE)];
  const bitmap = number === 1 || number === 4;
  const maxval = bitmap ? 1 : words.number('maxval', 1, 0xffff);
  const kind = number <= 3 ? 'plain' : bitmap ? 'bits' : 'raw';
  return { width, height, depth: number % 3 === 0 ? 3 : 1, maxval, kind, inverted: bitmap, offset: words.at };
}

/** Reads the header of a PAM: lines with a name and a value up to ENDHDR. */
function readPam(bytes: Uint8Array): Header {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4096)).toString('latin1');
  const end = /\nENDHDR[^\n]*\n/.exec(text);
  if (end === null) throw new Refusal('its header has no ENDHDR');
  const fields = new Map<string, string>();
  for (const line of text.slice(2, end.index).split('\n')) {
    const [, name, value] = /^\s*([A-Z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && !line.startsWith('#')) fields.set(name, value!);
  }
  const field = (name: string, least: number, most: number): number =>
    new Words(Buffer.from(fields.get(name) ?? ''), 0).number(name, least, most);
  const type = fields.get('TUPLTYPE') ?? '';
  return {
    width: field('WIDTH', 0, MOST_SIDE),
    height: field('HEIGHT', 0, MOST_SIDE),
    depth: field('DEPTH', 1, 4) as Header['depth'],
    maxval: field('MAXVAL', 1, 0xffff),
    kind: 'raw',
    inverted: false,
    offset: end.index + end[0].length,
    ...checkTuples(type, field('DEPTH', 1, 4)),
  };
}

function checkTuples(type: string, depth: number): Record<string, never> {
  const expected = { BLACKANDWHITE: 1, GRAYSCALE: 1, BLACKANDWHITE_ALPHA: 2, GRAYSCALE_ALPHA: 2, RGB: 3, RGB_ALPHA: 4 }[
    type
  ];
  if (type !== '' && expected === undefined)
    throw new Refusal(`it is a PAM of the tuple type ${JSON.stringify(type)}, which is not read`);
  if (expected !== undefined && expected !== depth)
    throw new Refusal(`it is a PAM of the tuple type ${type} with the depth ${depth}; expected ${expected}`);
  return {};
}

/** Reads the gray or color samples of the pixels, without alpha. */
async function readSamples(bytes: Uint8Array, header: Header, channels: 1 | 3): Promise<Uint16Array> {
  const { width, height, depth, maxval, kind, offset, inverted } = header;
  const pixels = width * height;
  const rowBytes = Math.ceil(width / 8);
  const needed = {
    plain: inverted ? pixels : 2 * pixels * depth - 1,
    raw: pixels * depth * (maxval > 255 ? 2 : 1),
    bits: rowBytes * height,
  }[kind];
  const there = Math.max(0, bytes.byteLength - offset);
  if (there < needed)
    throw new Refusal(
      `it was cut off: its ${width} x ${height} pixels take at least ${needed} bytes, and ${there} are there`,
    );
  const samples = new Uint16Array(pixels * channels);
  const words = new Words(bytes, offset);
  const read = {
    plain: () => (inverted ? 1 - nextBit(words) : words.number('sample', 0, maxval)),
    bits: (pixel: number) =>
      1 -
      ((bytes[offset + Math.floor(pixel / width) * rowBytes + ((pixel % width) >> 3)]! >> (7 - ((pixel % width) & 7))) &
        1),
    raw: (pixel: number, channel: number) => {
      const i = pixel * depth + channel;
      return maxval > 255 ? (bytes[offset + 2 * i]! << 8) | bytes[offset + 2 * i + 1]! : bytes[offset + i]!;
    },
  }[kind];
  await inSlices(
    pixels,
    (from, to) => {
      for (let i = from; i < to; i += 1) {
        for (let channel = 0; channel < channels; channel += 1) samples[i * channels + channel] = read(i, channel);
      }
    },
    kind === 'plain' ? 200_000 : 1_000_000,
  );
  return samples;
}

/** Scales like Pillow: rounded half to even; values above `maxval` are white. */
function scaled(samples: Uint16Array, maxval: number): Uint8Array {
  const levels = Uint8Array.from({ length: 256 }, (_, value) => Math.min(255, roundHalfEven((value / maxval) * 255)));
  return Uint8Array.from(samples, (value) => levels[value]!);
}

/**
 * Decodes a PBM, PGM, PPM or PAM image. Samples of 8 bits are scaled as Pillow scales them, of 16 as `sixteenBit` says.
 *
 * @returns RGB, uint8, height x width x 3; alpha is dropped
 * @throws Refusal saying what is wrong or not supported
 */
export async function decodePnm(
  bytes: Uint8Array,
  request: {
    readonly limits: ImageLimits;
    readonly sixteenBit: SixteenBit | undefined;
    readonly sizeCheck?: SizeCheck | undefined;
  },
): Promise<Pixels> {
  const header = readHeader(bytes);
  const { width, height, depth, maxval } = header;
  checkSize(header, request.limits, request.sizeCheck);
  const channels = depth < 3 ? 1 : 3;
  const samples = await readSamples(bytes, header, channels);
  const levels = maxval > 255 ? await toEightBits(samples, maxval, request.sixteenBit) : scaled(samples, maxval);
  const data = new Uint8Array(width * height * 3);
  await inSlices(width * height, (from, to) => {
    for (let i = from; i < to; i += 1) {
      for (let channel = 0; channel < 3; channel += 1)
        data[3 * i + channel] = levels[channels * i + (channels === 1 ? 0 : channel)]!;
    }
  });
  return { data, width, height };
}

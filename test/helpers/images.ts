/** Synthetic images for every test: flat, patterned, colored or random pixels, and PNG files of them. */
import { encodePng } from '../../src/data/images/decode';
import { phantomPixels } from '../../src/data/phantoms/phantoms';
import type { Pixels } from '../../src/data/types';

/** Interleaved RGB of height × width; `level(i)` is the i-th of its bytes, modulo 256. */
export function makePixels(height: number, width: number, level: (index: number) => number): Pixels {
  return { data: Uint8Array.from({ length: height * width * 3 }, (_, index) => level(index)), height, width };
}

/** One color, or one gray level, everywhere. */
export function flatPixels(color: number | readonly number[], height: number, width = height): Pixels {
  const channels = typeof color === 'number' ? [color] : color;
  return makePixels(height, width, (index) => channels[index % channels.length]!);
}

/** Flat gray with one white pixel, the first. */
export function grayPixels(level: number, height = 6, width = 8): Pixels {
  return makePixels(height, width, (index) => (index < 3 ? 255 : level));
}

/** {@link grayPixels} as a PNG file. */
export async function grayPng(level: number, height = 6, width = 8): Promise<Buffer> {
  return encodePng(grayPixels(level, height, width));
}

/** A square pattern that differs by number, the same as in test/parity/network/reference.py. */
export function patternPixels(number: number, side: number): Pixels {
  const step = 7 + 2 * (number % 5);
  const bend = 1 + (number % 2);
  return makePixels(side, side, (k) => (k * step + number * 31 + Math.floor((k * k) / 128) * bend) % 256);
}

/** A square phantom whose three channels differ. */
export function coloredPhantom(number: number, side: number): Pixels {
  const { data, height, width } = phantomPixels({ positive: false, index: number, size: side });
  return makePixels(height, width, (index) => data[index]! + 50 * (index % 3));
}

/** Each byte drawn evenly from 0 to 255. */
export function noisePixels(height: number, width: number, draw: () => number): Pixels {
  return makePixels(height, width, () => Math.floor(draw() * 256));
}

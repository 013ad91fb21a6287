/**
 * What decodeImage makes of every kind of file, beside what Pillow's convert('RGB') made of it (reference.py); the
 * table of docs/guide.md says the same.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { decodeImage } from '../../../src/data/images/decode';
import { imageFormatOf } from '../../../src/data/images/format';
import { BadImageError } from '../../../src/errors';

interface Reference {
  readonly pillow: string;
  readonly files: readonly {
    readonly format: string;
    readonly name: string;
    readonly bytes: string;
    readonly height: number;
    readonly width: number;
    readonly rgb: string;
  }[];
}

const { files } = JSON.parse(readFileSync(path.join(__dirname, 'reference.json'), 'utf8')) as Reference;
const bytesOf = (name: string): Buffer => Buffer.from(files.find((entry) => entry.name === name)!.bytes, 'base64');

/** Levels that a pixel may differ by; 0 where nothing is said. */
const ALLOWED: Readonly<Record<string, number>> = { avif: 1, 'avif: limited-range': 3 };
/** Color whose chroma is kept at half the resolution: Pillow smooths it, libvips repeats it. Brightness stays near. */
const SUBSAMPLED = ['avif: rgb-420', 'avif: rgb-422'];
/** What Pillow reads and this refuses. */
const REFUSED: Readonly<Record<string, string>> = {
  'tiff: lab': 'corrupt header',
  'tiff: rgb-zstd': 'ZSTD compression',
};

const luma = (rgb: Uint8Array, at: number): number => 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!;
const decoded = new Map(files.map((entry) => [entry.name, inflateSync(Buffer.from(entry.rgb, 'base64'))]));
const equal = files.filter(({ name }) => !SUBSAMPLED.includes(name) && REFUSED[name] === undefined);

test('every format has its files', () => {
  const count = (format: string): number => equal.filter((entry) => entry.format === format).length;
  expect(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif', 'bmp', 'pnm'].map((format) => count(format) >= 6)).toEqual(
    Array(8).fill(true),
  );
});

test.each(equal.map((entry) => [entry.name, entry] as const))('%s', async (name, { format, height, width }) => {
  expect(imageFormatOf(bytesOf(name))).toBe(format);
  const pixels = await decodeImage(bytesOf(name));
  expect([pixels.height, pixels.width]).toEqual([height, width]);
  const expected = decoded.get(name)!;
  const most = expected.reduce((largest, value, at) => Math.max(largest, Math.abs(value - pixels.data[at]!)), 0);
  expect(most).toBeLessThanOrEqual(ALLOWED[name] ?? ALLOWED[format] ?? 0);
});

test.each(SUBSAMPLED)(
  '%s has the brightness of Pillow within half a level on average, not its colors',
  async (name) => {
    const [pixels, expected] = [await decodeImage(bytesOf(name)), decoded.get(name)!];
    const differences = Array.from({ length: expected.length / 3 }, (_, i) =>
      Math.abs(luma(pixels.data, 3 * i) - luma(expected, 3 * i)),
    );
    expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThan(0.5);
  },
);

test.each(Object.entries(REFUSED))('%s is refused: %s', async (name, reason) => {
  const error: unknown = await decodeImage(bytesOf(name)).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(BadImageError);
  expect((error as BadImageError).reason).toContain(reason);
});

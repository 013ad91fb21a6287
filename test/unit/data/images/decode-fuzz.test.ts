/**
 * Mutated files of every format: an image, or a BadImageError; never anything else, and never more memory than is
 * claimed.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeImage } from '../../../../src/data/images/decode';
import { BadImageError } from '../../../../src/errors';

const ROUNDS = Number(process.env['COVIDCT_FUZZ_ROUNDS'] ?? 12);

const { files } = JSON.parse(
  readFileSync(path.resolve(__dirname, '../../../parity/decoding/reference.json'), 'utf8'),
) as {
  files: { name: string; format: string; bytes: string }[];
};
const limits = { maxPixels: 2_000_000, maxSide: 4096, maxFileBytes: 100_000, decodeTimeoutMs: 5000 };

/** A small multiplicative generator; the same numbers every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

function mutated(bytes: Buffer, draw: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const kind = draw(5);
  if (kind === 0) return copy.subarray(0, draw(copy.length));
  if (kind === 1) return Buffer.concat([copy.subarray(0, draw(copy.length)), copy.subarray(draw(copy.length))]);
  const near = kind === 2 ? Math.min(64, copy.length) : copy.length; // headers have the lengths
  for (let change = 0; change <= draw(6); change += 1) {
    const at = draw(near);
    if (draw(3) === 0 && at + 4 <= copy.length)
      copy.writeUInt32LE([0, 1, 0x7fffffff, 0xffffffff, 0x80000000][draw(5)]!, at);
    else copy[at] = draw(256);
  }
  return copy;
}

const formats = [...new Set(files.map(({ format }) => format))];
let [images, refusals] = [0, 0];

test.each(formats)(
  `${ROUNDS} mutations of every %s file`,
  async (format) => {
    for (const [index, { name, bytes }] of files.filter((file) => file.format === format).entries()) {
      const draw = numbers(1 + 977 * index + format.length);
      const original = Buffer.from(bytes, 'base64');
      for (let round = 0; round < ROUNDS; round += 1) {
        const outcome: unknown = await decodeImage(mutated(original, draw), limits).catch((error: unknown) => error);
        if (outcome instanceof BadImageError) refusals += 1;
        else {
          const { data, width, height } = outcome as Awaited<ReturnType<typeof decodeImage>>;
          expect([name, round, data?.length]).toEqual([name, round, width * height * 3]);
          expect(width * height).toBeLessThanOrEqual(limits.maxPixels);
          images += 1;
        }
      }
    }
  },
  120_000,
);

test('both outcomes were met, often', () => {
  expect(images).toBeGreaterThan(100);
  expect(refusals).toBeGreaterThan(100);
});

import { imageBytes, normalized, readImages } from '../../../src/bench/images';
import { repeat } from '../../../src/bench/repeat';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

test('the first call is not timed, and no fewer repeats are made than asked for', async () => {
  const calls: number[] = [];
  const wait = async (call: number): Promise<number> => {
    calls.push(call);
    if (call === 0) await new Promise((done) => setTimeout(done, 200));
    return call;
  };
  const { results, milliseconds } = await repeat({ minRepeats: 3, maxRepeats: 20, minSeconds: 0 }, wait);
  expect(calls).toEqual([0, 1, 2, 3]);
  expect(results).toEqual(calls);
  expect(milliseconds).toBeLessThan(150);
});

test('what is short is repeated, up to the limit', async () => {
  const { results } = await repeat({ minRepeats: 3, maxRepeats: 7, minSeconds: 1000 }, async (call) =>
    Promise.resolve(call),
  );
  expect(results).toHaveLength(8);
});

describe('images', () => {
  test('are the same every time, and use the whole range', () => {
    const bytes = imageBytes(2, 32);
    expect(bytes).toHaveLength(2 * 32 * 32 * 3);
    expect(imageBytes(2, 32)).toEqual(bytes);
    expect(new Set(bytes).size).toBeGreaterThan(250);
  });

  test('one after another in the file; as planes of channels, normalized', () => {
    const dir = mkdtempSync(join(tmpdir(), 'covidct-images-'));
    try {
      const file = join(dir, 'images.bin');
      writeFileSync(
        file,
        Uint8Array.from({ length: 36 }, (_, index) => index),
      );
      const images = readImages({ images: file, batchSize: 2, imageSize: 2 });
      expect(images.map((each) => each[0])).toEqual([0, 12]);
      const input = normalized(images);
      expect(input).toHaveLength(24);
      // Second image, green, last pixel: byte 12 + 3 * 3 + 1.
      expect(input[12 + 4 + 3]).toBeCloseTo((22 / 255 - 0.456) / 0.224, 5);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

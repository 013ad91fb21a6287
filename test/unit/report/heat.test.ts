/** Grad-CAM over an image: the image's geometry, the map's maximum, no NaN. */
import { blendHeat, resizeMap } from '../../../src/report/heat';
import { flatPixels } from '../../helpers/images';
import type { Pixels } from '../../../src/data/types';

const gray = (width: number, height: number, value = 100): Pixels => flatPixels(value, height, width);
const whole = (pixels: Pixels) => ({ left: 0, top: 0, width: pixels.width, height: pixels.height });

test('a map as large as the image is only divided by its maximum', () => {
  const pixels = gray(3, 2);
  expect([
    ...resizeMap({ pixels, map: Float32Array.of(0, 1, 2, 3, 4, 8), mapHeight: 2, mapWidth: 3, region: whole(pixels) }),
  ]).toEqual([0, 0.125, 0.25, 0.375, 0.5, 1]);
});

test('enlarging is bilinear with the centers of pixels and edges held', () => {
  const pixels = gray(4, 1);
  expect([
    ...resizeMap({ pixels, map: Float32Array.of(0, 1), mapHeight: 1, mapWidth: 2, region: whole(pixels) }),
  ]).toEqual([0, 0.25, 0.75, 1]);
});

test('outside the region nothing is laid over the image; fractions and overhang are allowed', () => {
  const pixels = gray(10, 4);
  const heat = resizeMap({
    pixels,
    map: Float32Array.of(1),
    mapHeight: 1,
    mapWidth: 1,
    region: { left: 2.5, top: -3, width: 5, height: 20 },
  });
  const row = [0, 0, 1, 1, 1, 1, 1, 0, 0, 0];
  expect([...heat]).toEqual([...row, ...row, ...row, ...row]);
  const blended = blendHeat({
    pixels,
    map: Float32Array.of(1),
    mapHeight: 1,
    mapWidth: 1,
    region: { left: 2.5, top: -3, width: 5, height: 20 },
    alpha: 1,
    colormap: 'jet',
  });
  expect([...blended.data.subarray(0, 12)]).toEqual([100, 100, 100, 100, 100, 100, 128, 0, 0, 128, 0, 0]);
  expect([blended.width, blended.height]).toEqual([10, 4]);
});

test('a map of zeros leaves the image as it is, and the image itself is never written to', () => {
  const pixels = gray(5, 5);
  const input = { pixels, mapHeight: 2, mapWidth: 2, region: whole(pixels) };
  expect(blendHeat({ ...input, map: new Float32Array(4) }).data).toEqual(pixels.data);
  expect(blendHeat({ ...input, map: Float32Array.of(1, 1, 1, 1) }).data).not.toEqual(pixels.data);
  expect([...new Set(pixels.data)]).toEqual([100]);
});

test('very small and very large maps are scaled without overflow', () => {
  const pixels = gray(2, 1);
  for (const top of [1e-38, 3e38]) {
    expect([
      ...resizeMap({ pixels, map: Float32Array.of(0, top), mapHeight: 1, mapWidth: 2, region: whole(pixels) }),
    ]).toEqual([0, 1]);
  }
});

test.each([
  ['a map of the wrong length', { map: new Float32Array(3) }, /3 values; 2 × 2/],
  ['an image of the wrong length', { pixels: { data: new Uint8Array(5), width: 2, height: 2 } }, /5 bytes; 2 × 2 × 3/],
  ['NaN in the map', { map: Float32Array.of(0, Number.NaN, 0, 0) }, /value 1 of the map is NaN/],
  ['a negative value', { map: Float32Array.of(0, 0, -1, 0) }, /value 2 of the map is -1/],
  ['an empty region', { region: { left: 0, top: 0, width: 0, height: 1 } }, /region \[0, 0, 0, 1\]/],
  ['a region that is not finite', { region: { left: Number.NaN, top: 0, width: 1, height: 1 } }, /must be finite/],
])('refuses %s', (_, wrong, message) => {
  const pixels = gray(2, 2);
  expect(() =>
    blendHeat({ pixels, map: new Float32Array(4), mapHeight: 2, mapWidth: 2, region: whole(pixels), ...wrong }),
  ).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_BATCH', message: expect.stringMatching(message) as string }) as Error,
  );
});

test('refuses an alpha and a color map that do not exist', () => {
  const pixels = gray(2, 2);
  const input = { pixels, map: new Float32Array(4), mapHeight: 2, mapWidth: 2, region: whole(pixels) };
  expect(() => blendHeat({ ...input, alpha: 2 })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION' }) as Error,
  );
  expect(() => blendHeat({ ...input, colormap: 'pink' as 'jet' })).toThrow(/colormap/);
});

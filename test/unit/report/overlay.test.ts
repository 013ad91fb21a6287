/** PNG out of SVG and pixels, and montages with captions. */
import { PNG_SIGNATURE, pngSize } from '../../helpers/png';
import { encodeImage, heatOverlay, montage, svgToPng, textIsDrawn } from '../../../src/report/overlay';
import { lossCurve } from '../../../src/report/charts';
import type { Pixels } from '../../../src/data/types';
import { flatPixels, makePixels, patternPixels } from '../../helpers/images';
import { madeUpHistory } from '../../helpers/report-data';

const pixel = ({ data, width }: Pixels, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const dark = ({ data, width }: Pixels, top: number, bottom: number): number => {
  let count = 0;
  for (let at = top * width * 3; at < bottom * width * 3; at += 3)
    count += Number(data[at]! + data[at + 1]! + data[at + 2]! < 300);
  return count;
};

test('encodeImage gives a PNG of the right size and refuses bytes that do not fit', async () => {
  const png = await encodeImage(makePixels(17, 31, (index) => index));
  expect([...png.subarray(0, 8)]).toEqual(PNG_SIGNATURE);
  expect(pngSize(png)).toEqual({ width: 31, height: 17 });
  await expect(encodeImage({ data: new Uint8Array(5), width: 31, height: 17 })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
});

test('svgToPng draws at the width that is asked for and refuses what is no SVG', async () => {
  const chart = lossCurve(madeUpHistory(4));
  const { png, width, height } = await svgToPng(chart.svg, { width: 1280 });
  expect({ width, height }).toEqual({ width: 1280, height: 840 });
  expect(pngSize(png)).toEqual({ width, height });
  await expect(svgToPng('<svg', { width: 100 })).rejects.toMatchObject({ code: 'ERR_BAD_IMAGE' });
});

test('a montage keeps order, proportions and colors', async () => {
  const tiles = [flatPixels([200, 0, 0], 30, 60), flatPixels([0, 200, 0], 60, 30), flatPixels([0, 0, 200], 9, 9)].map(
    (pixels) => ({
      pixels,
    }),
  );
  const sheet = await montage(tiles, { columns: 2, tileSize: 60 });
  expect([sheet.width, sheet.height, sheet.data.length]).toEqual([6 + 2 * 66, 6 + 2 * 66, 138 * 138 * 3]);
  expect(pixel(sheet, 6 + 30, 6 + 30)).toEqual([200, 0, 0]);
  expect(pixel(sheet, 6 + 30, 6 + 5)).toEqual([0, 0, 0]);
  expect(pixel(sheet, 72 + 30, 6 + 30)).toEqual([0, 200, 0]);
  expect(pixel(sheet, 72 + 5, 6 + 30)).toEqual([0, 0, 0]);
  expect(pixel(sheet, 6 + 30, 72 + 30)).toEqual([0, 0, 200]);
  expect(pixel(sheet, 72 + 30, 72 + 30)).toEqual([255, 255, 255]);
});

test('captions stand under their tiles; markup in them is text', async () => {
  const pixels = flatPixels([255, 255, 255], 64, 64);
  const plain = await montage([{ pixels }], { tileSize: 128 });
  const worded = await montage([{ pixels, caption: '<b>&"\u0000\ud800\nCOVID 0.97' }], { tileSize: 128 });
  expect(plain.height).toBe(140);
  expect(worded.height).toBe(140 + 36);
  expect(dark(worded, 0, 134)).toBe(0);
  if (await textIsDrawn()) {
    expect(dark(worded, 134, 152)).toBeGreaterThan(20);
    expect(dark(worded, 152, 170)).toBeGreaterThan(20);
  } else {
    expect(dark(worded, 134, 176)).toBe(0);
  }
});

test('a montage of nothing, and options that do not exist, are refused', async () => {
  await expect(montage([])).rejects.toMatchObject({
    code: 'ERR_BAD_IMAGE',
    message: expect.stringContaining('at least one tile') as string,
  });
  await expect(montage([], { columns: 0 })).rejects.toThrow(/columns/);
});

test('heatOverlay rejects where its input is wrong', async () => {
  const pixels = patternPixels(1, 8);
  await expect(
    heatOverlay({
      pixels,
      map: new Float32Array(1),
      mapHeight: 2,
      mapWidth: 2,
      region: { left: 0, top: 0, width: 8, height: 8 },
    }),
  ).rejects.toMatchObject({ code: 'ERR_BAD_BATCH' });
});

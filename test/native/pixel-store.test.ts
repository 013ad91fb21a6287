/**
 * Images kept on the device: cropped, resized and flipped there, to the
 * bit as LibTorch's kernel for bytes does it on the CPU.
 */
import { makeBatch } from '../../src/data/batch';
import { makeDraw } from '../../src/data/random';
import { centerCrop } from '../../src/data/transforms/steps/center-crop';
import { compose } from '../../src/data/transforms/transform';
import { randomHorizontalFlip } from '../../src/data/transforms/steps/random-horizontal-flip';
import { resize } from '../../src/data/transforms/steps/resize';
import { toTensor } from '../../src/data/transforms/steps/to-tensor';
import type { Pixels, Transform } from '../../src/data/types';
import { PIXEL_OP } from '../../src/addon/batch';
import type { NativeBatch } from '../../src/addon/batch';
import { coloredPhantom } from '../helpers/images';
import { SIZE, TRANSFORMS, raw } from './inputs';
import { stepOptions } from './tiny';
import { noisePixels } from '../helpers/images';

const MIB = 2 ** 20;
const images = Array.from({ length: 6 }, (_, index) => keyed(coloredPhantom(index, 33 + 17 * index), index + 1));
const BYTES = images.reduce((sum, { data }) => sum + data.length, 0);
const draws = (seed = 1) => images.map((_, sample) => makeDraw({ seed, sample }));

/** With a key, and less high than wide: rows and columns must not be taken for one another. */
function keyed({ data, width, height }: Pixels, key: number): Pixels {
  return { key, width, height: height - 3, data: data.subarray(0, (height - 3) * width * 3) };
}

const MORE_TRANSFORMS: Readonly<Record<string, Transform>> = {
  ...TRANSFORMS,
  'crop after crop, flip after flip': compose([
    centerCrop([90, 30]),
    centerCrop([20, 70]),
    randomHorizontalFlip(0.5),
    resize([SIZE, SIZE]),
    randomHorizontalFlip(0.5),
    randomHorizontalFlip(0.5),
    toTensor(),
  ]),
  'much smaller': compose([resize([SIZE, 3]), resize([5, SIZE]), resize([SIZE, SIZE]), toTensor()]),
};

describe.each(Object.entries(MORE_TRANSFORMS))('%s', (_name, transform) => {
  test.each([1, 3] as const)(
    '%i channels: the same bits, sent, kept and beside images that are not',
    async (channels) => {
      const handle = await raw({ channels });
      const expected = await handle.input(makeBatch(images, null, transform, draws()));
      await handle.keepPixels(MIB);
      const some = images.map(({ key, ...rest }, i) => (i % 2 === 0 ? { ...rest, key } : rest)) as Pixels[];
      expect(await handle.input(makeBatch(some, null, transform, draws()))).toEqual(expected);
      for (const channelsLast of [false, true, false])
        expect(await handle.input(makeBatch(images, null, transform, draws()), { channelsLast })).toEqual(expected);
    },
  );
});

test('any box, resized up and down by anything', async () => {
  const handle = await raw();
  const sides = [1, 2, 3, 7, 8, 29, 64, 113];
  let number = 0;
  for (const [toHeight, toWidth] of [
    [1, 1],
    [3, 50],
    [64, 64],
    [113, 2],
    [200, 37],
  ] as const) {
    const draw = makeDraw({ seed: number, sample: 1 });
    const cases = sides.flatMap((height) => sides.map((width) => ({ height, width })));
    const batch: NativeBatch = {
      images: cases.map(({ height, width }) => noisePixels(height, width, draw).data),
      sizes: Int32Array.from(cases.flatMap(({ height, width }) => [height, width])),
      programs: Int32Array.from(
        cases.flatMap(({ height, width }) => {
          const [top, left] = [Math.floor(draw() * height), Math.floor(draw() * width)];
          return [
            PIXEL_OP.CROP,
            top,
            left,
            1 + Math.floor(draw() * (height - top)),
            1 + Math.floor(draw() * (width - left)),
            PIXEL_OP.RESIZE,
            toHeight,
            toWidth,
            0,
            0,
          ];
        }),
      ),
      programOffsets: Int32Array.from({ length: cases.length + 1 }, (_, i) => 2 * i),
      height: toHeight,
      width: toWidth,
      mean: new Float64Array(3),
      std: new Float64Array(3).fill(1),
    };
    await handle.keepPixels(0);
    const expected = await handle.input(batch);
    await handle.keepPixels(MIB);
    expect(await handle.input({ ...batch, keys: Int32Array.from(cases, () => (number += 1)) })).toEqual(expected);
  }
});

test('what is kept is not looked at again, within the budget, until it is let go', async () => {
  const handle = await raw();
  const transform = TRANSFORMS['train']!;
  const expected = await handle.input(makeBatch(images, null, transform, draws()));
  const before = handle.bytes();
  const blank = images.map((image) => ({ ...image, data: new Uint8Array(image.data.length) }));
  const without = (pixels: readonly Pixels[]): Pixels[] =>
    pixels.map(({ data, width, height }) => ({ data, width, height }));
  const nothing = await handle.input(makeBatch(without(blank), null, transform, draws()));

  await handle.keepPixels(MIB);
  expect(await handle.input(makeBatch(images, null, transform, draws()))).toEqual(expected);
  expect(handle.bytes()).toBe(before + BYTES);
  expect(await handle.input(makeBatch(blank, null, transform, draws()))).toEqual(expected);
  expect(await handle.input(makeBatch(without(blank), null, transform, draws()))).toEqual(nothing);

  await handle.keepPixels(0);
  expect(await handle.input(makeBatch(blank, null, transform, draws()))).toEqual(nothing);
  expect(handle.bytes()).toBe(before);

  // Room for all but the last byte: the last image is sent each time.
  await handle.keepPixels(BYTES - 1);
  expect(await handle.input(makeBatch(images, null, transform, draws()))).toEqual(expected);
  expect(handle.bytes()).toBe(before + BYTES - images[5]!.data.length);
  const last = await handle.input(makeBatch(blank, null, transform, draws()));
  const cut = (5 * last.length) / 6;
  expect([last.slice(0, cut), last.slice(cut)]).toEqual([expected.slice(0, cut), nothing.slice(cut)]);
});

test('training, prediction and features see the same pixels; a batch that is queued outlives what it refers to', async () => {
  const [plain, keeping] = [await raw(), await raw()];
  await keeping.keepPixels(MIB);
  for (const epoch of [1, 2]) {
    const batch = makeBatch(
      images,
      images.map((_, i) => i % 2),
      TRANSFORMS['train']!,
      draws(epoch),
    );
    const steps = [plain, keeping].map((each) => each.trainStep(batch, stepOptions(6)));
    const features = [plain, keeping].map((each) => each.features(batch));
    const gone = keeping.keepPixels(0);
    for (const work of [steps, features] as const) {
      const [ours, theirs] = await Promise.all<unknown>(work);
      expect(ours).toEqual(theirs);
    }
    const [ours, theirs] = await Promise.all([plain, keeping].map((each) => each.predict(batch)));
    expect(ours).toEqual(theirs);
    await gone;
    await keeping.keepPixels(MIB);
  }
});

test('keys that do not fit are refused', async () => {
  const handle = await raw();
  const batch = makeBatch(images.slice(0, 2), null, TRANSFORMS['evaluation']!);
  const refused = (keys: unknown) =>
    expect((async () => handle.input({ ...batch, keys: keys as Int32Array }))()).rejects.toMatchObject({
      code: 'ERR_BAD_BATCH',
    });
  await refused(Int32Array.of(1));
  await refused(Int32Array.of(1, -1));
  await refused([1, 2]);
  await handle.keepPixels(MIB);
  await handle.input(batch);
  await expect((async () => handle.input({ ...batch, keys: Int32Array.of(2, 1) }))()).rejects.toThrow(
    /the key 2 was given to an image of 29 x 46 pixels before, now to one of 20 x 30/,
  );
  await expect((async () => handle.keepPixels(-1))()).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

/** Pixel programs, input regions and batches. */
import { makeBatch } from '../../../../src/data/batch';
import { aspectEval, tutorialEval, tutorialTrain } from '../../../../src/data/transforms/presets';
import { inputRegion, planTransform } from '../../../../src/data/transforms/program';
import { randomCropBox } from '../../../../src/data/transforms/steps/random-resized-crop';
import { roundHalfEven } from '../../../../src/data/round';
import { makeDraw } from '../../../../src/data/random';
import { centerCrop } from '../../../../src/data/transforms/steps/center-crop';
import { compose } from '../../../../src/data/transforms/transform';
import { normalize } from '../../../../src/data/transforms/steps/normalize';
import { randomHorizontalFlip } from '../../../../src/data/transforms/steps/random-horizontal-flip';
import { randomResizedCrop } from '../../../../src/data/transforms/steps/random-resized-crop';
import { resize } from '../../../../src/data/transforms/steps/resize';
import { toTensor } from '../../../../src/data/transforms/steps/to-tensor';
import { CovidCtError, InvalidOptionError } from '../../../../src/errors';
import { PIXEL_OP } from '../../../../src/addon/batch';
import { grayPixels } from '../../../helpers/images';

const { RESIZE, CROP, FLIP } = PIXEL_OP;

test('halves round to even, as in Python', () => {
  expect([-1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([-2, 0, 0, 2, 2, 2, 3]);
});

describe('planTransform', () => {
  test('evaluation is one resize, and none for an image of the right size', () => {
    expect(planTransform(tutorialEval(), { height: 300, width: 407 })).toEqual([[RESIZE, 224, 224]]);
    expect(planTransform(tutorialEval(), { height: 224, width: 224 })).toEqual([]);
  });

  test('the aspect ratio is kept before the crop', () => {
    expect(planTransform(aspectEval(), { height: 300, width: 407 })).toEqual([
      [RESIZE, 256, 347],
      [CROP, 16, 62, 224, 224],
    ]);
  });

  test('a crop that pads starts outside', () => {
    expect(planTransform(compose([centerCrop([10, 9]), toTensor()]), { height: 7, width: 20 })).toEqual([
      [CROP, -1, 6, 10, 9],
    ]);
  });

  test('training: resize, a box inside, resize, perhaps a flip', () => {
    const transform = tutorialTrain();
    for (let sample = 0; sample < 200; sample += 1) {
      const [whole, crop, last, flip] = planTransform(
        transform,
        { height: 300, width: 407 },
        makeDraw({ seed: 1, sample }),
      );
      expect(whole).toEqual([RESIZE, 256, 347]);
      const [, top, left, height, width] = crop as [number, number, number, number, number];
      expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
      expect(top + height).toBeLessThanOrEqual(256);
      expect(left + width).toBeLessThanOrEqual(347);
      expect(last).toEqual([RESIZE, 224, 224]);
      if (flip !== undefined) expect(flip).toEqual([FLIP]);
    }
  });

  test('without a generator a random transform is refused', () => {
    expect(() => planTransform(tutorialTrain(), { height: 30, width: 40 })).toThrow(InvalidOptionError);
    expect(() =>
      planTransform(compose([resize([4, 4]), randomHorizontalFlip(), toTensor()]), { height: 30, width: 40 }),
    ).toThrow(/draws at random/);
  });

  test('an image one pixel high', () => {
    const box = randomCropBox({ height: 1, width: 400 }, [0.5, 1], [3 / 4, 4 / 3], makeDraw({ seed: 0 }));
    expect(box).toEqual({ top: 0, left: 199, height: 1, width: 1 });
    expect(planTransform(tutorialEval(), { height: 1, width: 1 })).toEqual([[RESIZE, 224, 224]]);
  });
});

describe('inputRegion', () => {
  test('the whole image for a plain resize', () => {
    expect(inputRegion(tutorialEval(), { height: 301, width: 407 })).toEqual({
      top: 0,
      left: 0,
      height: 301,
      width: 407,
    });
  });

  test('the middle for a crop, in the original pixels', () => {
    const region = inputRegion(aspectEval(), { height: 512, width: 1024 }); // resized to 256 x 512
    expect(region).toEqual({ top: 32, left: 288, height: 448, width: 448 });
  });

  test('crops of crops, and padding outside the image', () => {
    const transform = compose([resize([100, 100]), centerCrop(50), resize([200, 200]), centerCrop(100), toTensor()]);
    expect(inputRegion(transform, { height: 400, width: 200 })).toEqual({ top: 150, left: 75, height: 100, width: 50 });
    expect(inputRegion(compose([centerCrop(12), toTensor()]), { height: 10, width: 10 })).toEqual({
      top: -1,
      left: -1,
      height: 12,
      width: 12,
    });
    expect(() => inputRegion(tutorialTrain(), { height: 10, width: 10 })).toThrow(InvalidOptionError);
  });
});

describe('makeBatch', () => {
  const transform = compose([resize([4, 6]), toTensor(), normalize({ mean: [0.1, 0.2, 0.3], std: [1, 2, 3] })]);

  test('packs images of different sizes, programs, labels and normalization', () => {
    const images = [grayPixels(1, 5, 7), grayPixels(2, 4, 6), grayPixels(3, 9, 2)];
    const batch = makeBatch(images, [1, 0, 1], transform);
    expect(batch.images).toEqual(images.map(({ data }) => data));
    expect(batch.sizes).toEqual(Int32Array.of(5, 7, 4, 6, 9, 2));
    expect(batch.programs).toEqual(Int32Array.of(RESIZE, 4, 6, 0, 0, RESIZE, 4, 6, 0, 0));
    expect(batch.programOffsets).toEqual(Int32Array.of(0, 1, 1, 2));
    expect([batch.height, batch.width]).toEqual([4, 6]);
    expect(batch.mean).toEqual(Float64Array.of(0.1, 0.2, 0.3));
    expect(batch.std).toEqual(Float64Array.of(1, 2, 3));
    expect(batch.labels).toEqual(Int32Array.of(1, 0, 1));
    expect(makeBatch(images.slice(0, 1), null, transform)).not.toHaveProperty('labels');
  });

  test('each image has its own draws', () => {
    const random = compose([randomResizedCrop(4), toTensor()]);
    const image = grayPixels(1, 50, 70);
    const draws = [makeDraw({ seed: 0, sample: 0 }), makeDraw({ seed: 0, sample: 1 })];
    const both = makeBatch([image, image], [0, 0], random, draws);
    const second = makeBatch([image], [0], random, [makeDraw({ seed: 0, sample: 1 })]);
    expect(both.programs.slice(10)).toEqual(second.programs);
    expect(both.programs.slice(0, 10)).not.toEqual(second.programs);
  });

  test('what does not fit together is refused', () => {
    const image = grayPixels(1);
    const cases = [
      () => makeBatch([], null, transform),
      () => makeBatch([image], [1, 2], transform),
      () => makeBatch([{ ...image, height: 99 }], null, transform),
      () => makeBatch([image], null, transform, []),
    ];
    for (const make of cases) {
      expect(make).toThrow(CovidCtError);
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_BAD_BATCH' }));
    }
  });
});

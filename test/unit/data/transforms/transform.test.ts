/** Transforms as descriptions: what is accepted, stored and read back, and the presets. */
import {
  aspectEval,
  IMAGENET_MEAN,
  IMAGENET_STD,
  tutorialEval,
  tutorialTrain,
} from '../../../../src/data/transforms/presets';
import { centerCrop } from '../../../../src/data/transforms/steps/center-crop';
import {
  compose,
  describe as describeTransform,
  inputSize,
  isRandom,
  normalizationOf,
  parseTransform,
} from '../../../../src/data/transforms/transform';
import { normalize } from '../../../../src/data/transforms/steps/normalize';
import { randomHorizontalFlip } from '../../../../src/data/transforms/steps/random-horizontal-flip';
import { randomResizedCrop } from '../../../../src/data/transforms/steps/random-resized-crop';
import { resize } from '../../../../src/data/transforms/steps/resize';
import { toTensor } from '../../../../src/data/transforms/steps/to-tensor';
import { InvalidOptionError } from '../../../../src/errors';

const identity = normalize({ mean: [0, 0, 0], std: [1, 1, 1] });

describe('presets', () => {
  test('tutorialTrain is the tutorial with ImageNet normalization', () => {
    expect(tutorialTrain().steps).toEqual([
      { type: 'resize', size: 256 },
      { type: 'randomResizedCrop', size: [224, 224], scale: [0.5, 1], ratio: [3 / 4, 4 / 3] },
      { type: 'randomHorizontalFlip', p: 0.5 },
      { type: 'toTensor' },
      { type: 'normalize', mean: [...IMAGENET_MEAN], std: [...IMAGENET_STD] },
    ]);
    expect(isRandom(tutorialTrain())).toBe(true);
  });

  test('sizes scale and the normalization can be chosen', () => {
    expect(tutorialTrain({ size: 64, normalization: 'none' }).steps[0]).toEqual({ type: 'resize', size: 73 });
    expect(normalizationOf(tutorialEval({ normalization: 'none' }))).toEqual({ mean: [0, 0, 0], std: [1, 1, 1] });
    expect(
      normalizationOf(tutorialEval({ normalization: { mean: [0.6, 0.6, 0.6], std: [0.3, 0.3, 0.3] } })).mean,
    ).toEqual([0.6, 0.6, 0.6]);
    expect(tutorialEval({ size: 96 }).steps[0]).toEqual({ type: 'resize', size: [96, 96] });
    expect(aspectEval().steps.slice(0, 2)).toEqual([
      { type: 'resize', size: 256 },
      { type: 'centerCrop', size: [224, 224] },
    ]);
    for (const transform of [tutorialEval(), aspectEval()]) expect(isRandom(transform)).toBe(false);
    expect(inputSize(aspectEval({ size: 128 }))).toEqual({ height: 128, width: 128 });
    expect(() => tutorialEval({ size: 0 })).toThrow(InvalidOptionError);
    expect(() => tutorialEval({ sise: 5 } as object)).toThrow(/tutorialEval.*\n.*sise/);
  });
});

test('a transform survives JSON and is frozen', () => {
  const transform = tutorialTrain({ size: 96 });
  const read = parseTransform(JSON.parse(JSON.stringify(transform)));
  expect(read).toEqual(transform);
  expect(
    Object.isFrozen(read) && Object.isFrozen(read.steps) && read.steps.every((step) => Object.isFrozen(step)),
  ).toBe(true);
  expect(Object.isFrozen((read.steps[1] as { scale: object }).scale)).toBe(true);
});

test('describe says every number', () => {
  expect(describeTransform(tutorialTrain())).toBe(
    'resize(shorter side 256) > randomResizedCrop(224 x 224, scale 0.5-1, ratio 0.750-1.333) > ' +
      'randomHorizontalFlip(0.5) > toTensor > normalize(mean 0.485, 0.456, 0.406; std 0.229, 0.224, 0.225)',
  );
  expect(describeTransform(compose([resize([10, 20]), centerCrop([8, 4]), toTensor()]))).toBe(
    'resize(10 x 20) > centerCrop(8 x 4) > toTensor',
  );
});

test('sizes: the last sized step counts; a flip of probability 0 is not random', () => {
  expect(inputSize(compose([centerCrop(50), resize([20, 30]), randomHorizontalFlip(0), toTensor()]))).toEqual({
    height: 20,
    width: 30,
  });
  expect(isRandom(compose([resize([20, 30]), randomHorizontalFlip(0), toTensor()]))).toBe(false);
  expect(isRandom(compose([randomResizedCrop([20, 30]), toTensor()]))).toBe(true);
});

test.each([
  ['no toTensor', () => compose([resize([8, 8])]), 'toTensor() is missing'],
  [
    'normalize before toTensor',
    () => compose([resize([8, 8]), identity, toTensor()]),
    'normalize() must come after toTensor()',
  ],
  ['a crop after toTensor', () => compose([toTensor(), centerCrop(8)]), 'centerCrop must come before toTensor()'],
  ['two normalize', () => compose([resize([8, 8]), toTensor(), identity, identity]), 'only one normalize()'],
  ['two toTensor', () => compose([resize([8, 8]), toTensor(), toTensor()]), 'toTensor must come before toTensor()'],
  [
    'a size that depends on the image',
    () => compose([centerCrop(8), resize(8), toTensor()]),
    'output size would depend on the image',
  ],
  ['no size', () => compose([toTensor()]), 'output size would depend on the image'],
  ['no steps', () => compose([]), 'steps'],
  ['not a transform', () => parseTransform('x'), 'transform'],
  ['an unknown step', () => parseTransform({ steps: [{ type: 'rotate' }] }), 'steps[0]'],
  ['an unknown field', () => parseTransform({ steps: [{ type: 'toTensor', color: 1 }] }), 'color'],
  ['a size of 0', () => resize(0), 'size'],
  ['a fraction of a pixel', () => centerCrop(7.5), 'size'],
  ['a probability over 1', () => randomHorizontalFlip(1.5), 'p'],
  ['a scale the wrong way round', () => randomResizedCrop(8, { scale: [1, 0.5] }), 'low <= high'],
  ['a ratio of 0', () => randomResizedCrop(8, { ratio: [0, 1] }), 'ratio'],
  ['a std of 0', () => normalize({ mean: [0, 0, 0], std: [1, 0, 1] }), 'std[1]'],
  ['a mean that is no number', () => normalize({ mean: [0, NaN, 0], std: [1, 1, 1] }), 'mean[1]'],
])('refused: %s', (_what, make, message) => {
  expect(make).toThrow(InvalidOptionError);
  expect(make).toThrow(message);
});

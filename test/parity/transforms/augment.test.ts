/** The random pixel steps against torchvision on the same drawn numbers, and their distributions. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { makeBatch } from '../../../src/data/batch';
import { makeDraw } from '../../../src/data/random';
import type { Draw } from '../../../src/data/random';
import { transformProblem } from '../../../src/data/transforms/limits';
import { planTransform } from '../../../src/data/transforms/program';
import { centerCrop } from '../../../src/data/transforms/steps/center-crop';
import { colorJitter } from '../../../src/data/transforms/steps/color-jitter';
import { gaussianBlur } from '../../../src/data/transforms/steps/gaussian-blur';
import { normalize } from '../../../src/data/transforms/steps/normalize';
import { randomErasing } from '../../../src/data/transforms/steps/random-erasing';
import { randomRotation } from '../../../src/data/transforms/steps/random-rotation';
import { toTensor } from '../../../src/data/transforms/steps/to-tensor';
import { compose, describe as words, parseTransform } from '../../../src/data/transforms/transform';
import type { Size } from '../../../src/data/transforms/step';
import type { Transform } from '../../../src/data/types';
import { InvalidOptionError } from '../../../src/errors';
import { raw } from '../../native/inputs';
import { makePixels } from '../../helpers/images';

type Options = Record<string, unknown>;
interface PixelCase {
  kind: 'randomRotation' | 'colorJitter' | 'gaussianBlur';
  options: Options;
  channels: 1 | 3;
  uniforms: number[];
  height: number;
  width: number;
  bytes: string;
}
interface Reference {
  height: number;
  width: number;
  pixels: PixelCase[];
  large: { height: number; width: number; sparse: number; pixels: PixelCase[] };
  erasings: { options: Options; box: number[] | null; uniforms: number[] }[];
  draws: { angle: number[]; contrast: number[]; sigma: number[]; boxes: number[][] };
}

const reference = JSON.parse(readFileSync(path.join(__dirname, 'fixtures', 'augment.json'), 'utf8')) as Reference;
const { height, width } = reference;
const half = normalize({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });

/** The picture of augment_reference.py; for one channel all three are the first. */
function picture(channels: 1 | 3, { height, width }: Size = reference) {
  return makePixels(height, width, (index) => {
    const [c, x, y] = [channels === 1 ? 0 : index % 3, Math.floor(index / 3) % width, Math.floor(index / 3 / width)];
    return x * x * 3 + y * 29 + x * y + c * 71;
  });
}

const MAKERS = {
  randomRotation: ({ degrees, ...rest }: Options) => randomRotation(degrees as number, rest),
  colorJitter: (options: Options) => colorJitter(options),
  gaussianBlur: ({ kernelSize, sigma }: Options) => gaussianBlur(kernelSize as number, sigma as number),
};

function replay(numbers: readonly number[]): Draw {
  let used = 0;
  return () => numbers[used++]!;
}

const erasing = ({ p, ...rest }: Options): Transform =>
  compose([centerCrop([height, width]), toTensor(), half, randomErasing(p as number, rest)]);

/** How far each byte of the reference, the first and then every `sparse`-th, is from ours, in levels. */
async function differences({ kind, options, channels, uniforms, bytes, ...size }: PixelCase, from: Size, sparse = 1) {
  const transform = compose([MAKERS[kind](options), centerCrop([size.height, size.width]), toTensor()]);
  const handle = await raw({ channels });
  const values = await handle.input(makeBatch([picture(channels, from)], null, transform, [replay(uniforms)]));
  const expected = Buffer.from(bytes, 'base64');
  const plane = size.height * size.width;
  expect(expected).toHaveLength(Math.ceil(values.length / sparse));
  return Array.from(expected, (value, index) => {
    const [channel, place] = [(index * sparse) % channels, Math.floor((index * sparse) / channels)];
    return Math.abs(Math.round(values[channel * plane + place]! * 255) - value);
  });
}

const nameOf = ({ kind, options, channels }: PixelCase): string =>
  `${kind} ${JSON.stringify(options)} ${channels} channels`;

/** Rotation to the nearest pixel copies levels; the others compute them, and the last bit may round the other way. */
const levelsApart = ({ kind, options }: PixelCase): number =>
  kind === 'randomRotation' && options['interpolation'] === undefined ? 0 : 1;

test.each(reference.pixels.map((each) => [nameOf(each), each] as const))(
  '%s: the pixels of torchvision',
  async (_name, each) => {
    const found = await differences(each, reference);
    expect(found.filter((levels) => levels > levelsApart(each))).toEqual([]);
    expect(found.filter((levels) => levels > 0).length).toBeLessThanOrEqual(found.length / 200);
  },
);

test.each(reference.large.pixels.map((each) => [nameOf(each), each] as const))(
  '%s: the pixels of torchvision on an image of the size of a slice',
  async (_name, each) => {
    const found = await differences(each, reference.large, reference.large.sparse);
    // A place halfway between two pixels, to the last bit of a float, belongs to either of them.
    expect(found.filter((levels) => levels > levelsApart(each)).length).toBeLessThanOrEqual(1);
    expect(found.filter((levels) => levels > 0).length).toBeLessThanOrEqual(found.length / 200);
  },
);

test.each(reference.erasings.map((each, i) => [i, each] as const))(
  'erasing %i: the box of torchvision',
  async (_i, { options, box, uniforms }) => {
    const handle = await raw();
    const batch = (transform: Transform) => makeBatch([picture(3)], null, transform, [replay(uniforms)]);
    const before = await handle.input(batch(erasing({ p: 0 })));
    const expected = before.map((value, index) => {
      if (box === null) return value;
      const [c, y, x] = [Math.floor(index / height / width), Math.floor(index / width) % height, index % width];
      const inside = y >= box[0]! && y < box[0]! + box[2]! && x >= box[1]! && x < box[1]! + box[3]!;
      return inside ? box[4 + c]! : value;
    });
    expect(await handle.input(batch(erasing(options)))).toEqual(expected);
  },
);

describe('draws', () => {
  const n = 2400;
  const drawn = (transform: Transform, size = { height: 60, width: 80 }) =>
    Array.from({ length: n }, (_, sample) => planTransform(transform, size, makeDraw({ seed: 3, sample })));
  const one = (step: Parameters<typeof compose>[0][number]) => drawn(compose([step, centerCrop([60, 80]), toTensor()]));
  const share = (values: readonly number[], limit: number): number =>
    values.filter((value) => value <= limit).length / values.length;
  function expectAlike(ours: readonly number[], theirs: readonly number[]): void {
    const distance = Math.max(
      ...[...new Set(theirs)].map((limit) => Math.abs(share(ours, limit) - share(theirs, limit))),
    );
    // Two-sided level 0.001.
    expect(distance).toBeLessThan(1.95 * Math.sqrt((ours.length + theirs.length) / (ours.length * theirs.length)));
  }

  test('angle, factor and sigma are distributed as torchvision draws them', () => {
    const { angle, contrast, sigma } = reference.draws;
    expectAlike(
      one(randomRotation([-30, 10])).map(([row]) => row![5]!),
      angle,
    );
    expectAlike(
      one(colorJitter({ contrast: [0.5, 1.7] })).map(([row]) => row![5]!),
      contrast,
    );
    expectAlike(
      one(gaussianBlur(3)).map(([row]) => row![5]!),
      sigma,
    );
  });

  test('so are the boxes that are erased', () => {
    const erase = compose([centerCrop([60, 80]), toTensor(), randomErasing(1)]);
    const boxes = drawn(erase).flatMap(([row]) => (row === undefined ? [] : [row.slice(1, 5)]));
    for (const i of [0, 1, 2, 3])
      expectAlike(
        boxes.map((box) => box[i]!),
        reference.draws.boxes.map((box) => box[i]!),
      );
  });

  test('erasing has its probability; contrast comes first half of the time', () => {
    const erased = drawn(compose([centerCrop([60, 80]), toTensor(), randomErasing(0.3)])).filter(
      (rows) => rows.length > 0,
    );
    expect(Math.abs(erased.length / n - 0.3)).toBeLessThan(3.3 * Math.sqrt((0.3 * 0.7) / n));
    const first = one(colorJitter({ brightness: 0.2, contrast: 0.2 })).filter(([a, b]) => a![0] > b![0]);
    expect(Math.abs(first.length / n - 0.5)).toBeLessThan(3.3 * Math.sqrt(0.25 / n));
  });

  test('the same seed has the same bits, with any number of threads; random values are standard normal', async () => {
    const transform = compose([
      randomRotation(20, { interpolation: 'bilinear' }),
      colorJitter({ brightness: 0.3, contrast: 0.3 }),
      gaussianBlur(5),
      centerCrop([height, width]),
      toTensor(),
      half,
      randomErasing(1, { scale: [0.5, 0.6], ratio: [1, 1], value: 'random' }),
    ]);
    const batch = (seed: number) =>
      makeBatch(
        Array.from({ length: 40 }, () => picture(3)),
        null,
        transform,
        Array.from({ length: 40 }, (_, sample) => makeDraw({ seed, sample })),
      );
    const [two, alone] = [await raw({ threads: 2 }), await raw({ threads: 1 })];
    const values = await two.input(batch(1));
    expect(await two.input(batch(1))).toEqual(values);
    expect(await alone.input(batch(1))).toEqual(values);
    expect(await alone.input(batch(2))).not.toEqual(values);
    await two.keepPixels(2 ** 20);
    const keyed = { ...batch(1), keys: Int32Array.from({ length: 40 }, (_, i) => i + 1) };
    expect(await two.input(keyed)).toEqual(values);
    // Pixels lie in [-2, 2]; of a standard normal 4.55 % lie beyond.
    const share2 = values.filter((value) => Math.abs(value) > 2).length / values.length;
    expect(share2).toBeGreaterThan(0.0455 * 0.45);
    expect(share2).toBeLessThan(0.0455 * 0.65);
  });
});

test('steps are stored and read again, and described', () => {
  const transform = compose([
    randomRotation(5),
    colorJitter({ brightness: 0.1 }),
    gaussianBlur(3),
    centerCrop(8),
    toTensor(),
    randomErasing(),
  ]);
  expect(parseTransform(JSON.parse(JSON.stringify(transform)))).toEqual(transform);
  expect(words(transform)).toMatch(/randomRotation\(-5 to 5 degrees.*colorJitter.*gaussianBlur.*randomErasing\(0.5/);
  expect(() => planTransform(transform, { height: 8, width: 8 })).toThrow(InvalidOptionError);
});

test('parameters out of range are refused; a kernel too large for an image is its problem', () => {
  for (const make of [
    () => randomRotation(-5),
    () => randomRotation([5, 1]),
    () => randomRotation(NaN),
    () => randomRotation(5, { fill: 256 }),
    () => randomRotation(5, { interpolation: 'bicubic' as 'nearest' }),
    () => colorJitter({ brightness: -0.1 }),
    () => colorJitter({ contrast: [2, 1] }),
    () => colorJitter({ saturation: 1 } as object),
    () => gaussianBlur(4),
    () => gaussianBlur(3, 0),
    () => gaussianBlur([3, -1]),
    () => randomErasing(1.1),
    () => randomErasing(0.5, { scale: [0.5, 1.5] }),
    () => randomErasing(0.5, { ratio: [0, 1] }),
    () => randomErasing(0.5, { value: 'mean' as 'random' }),
    () => compose([randomErasing(), centerCrop(8), toTensor()]),
  ])
    expect(make).toThrow(InvalidOptionError);
  const blur = compose([gaussianBlur(9), centerCrop(8), toTensor()]);
  expect(transformProblem(blur, { height: 5, width: 5 })).toBeNull();
  expect(transformProblem(blur, { height: 4, width: 30 })).toMatch(/take a smaller kernelSize/);
});

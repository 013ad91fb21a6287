/** Erasing a random box of the normalized image, as torchvision's `RandomErasing`. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { checkOptions } from '../../../options/check';
import { drawInteger } from '../../random';
import type { Draw } from '../../random';
import { roundHalfEven } from '../../round';
import { channelsSchema, drawBetween, makeStep, probabilitySchema, rangeSchema, toChannels } from '../step';
import type { Rectangle, Size, StepDefinition } from '../step';

const value = z.number().min(-1e6).max(1e6);
const scaleSchema = z
  .tuple([probabilitySchema, probabilitySchema])
  .refine(([low, high]) => low <= high, 'the scale must be [low, high] with low <= high')
  .readonly();
const optionsSchema = z.strictObject({
  scale: scaleSchema.default([0.02, 0.33]),
  ratio: rangeSchema('ratio').default([0.3, 3.3]),
  value: z.union([value, channelsSchema(value), z.literal('random')]).default(0),
});

const schema = z
  .strictObject({
    type: z.literal('randomErasing'),
    p: probabilitySchema,
    scale: scaleSchema,
    ratio: rangeSchema('ratio'),
    value: z.union([channelsSchema(value), z.literal('random')]),
  })
  .readonly();

/**
 * Draws a box as torchvision's `RandomErasing.get_params`: ten tries at one smaller than the image, whose share of the
 * area is uniform in `scale` and whose log of height / width is uniform in log `ratio`.
 *
 * @param draw consumed in torchvision's order: area, ratio, and for a box that fits top and left
 * @returns null where no try fits: the image stays as it is
 */
export function randomErasingBox(
  { height, width }: Size,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  draw: Draw,
): Rectangle | null {
  const logRatio = [Math.log(ratio[0]), Math.log(ratio[1])] as const;
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const area = height * width * drawBetween(draw, scale);
    const aspect = Math.exp(drawBetween(draw, logRatio));
    const boxHeight = roundHalfEven(Math.sqrt(area * aspect));
    const boxWidth = roundHalfEven(Math.sqrt(area / aspect));
    if (boxHeight >= height || boxWidth >= width) continue;
    const top = drawInteger(draw, height - boxHeight + 1);
    const left = drawInteger(draw, width - boxWidth + 1);
    return { top, left, height: boxHeight, width: boxWidth };
  }
  return null;
}

export const randomErasingStep: StepDefinition<z.output<typeof schema>> = {
  type: 'randomErasing',
  schema,
  stage: 'tensor',
  describe: ({ p, scale, ratio, value: erased }) =>
    `randomErasing(${p}, scale ${scale.join('-')}, ratio ${ratio.join('-')}, ` +
    `value ${erased === 'random' ? erased : erased.join(', ')})`,
  isRandom: ({ p }) => p > 0,
  plan: ({ p, scale, ratio, value: erased }, from, draw) => {
    if (draw() >= p) return [];
    const box = randomErasingBox(from, scale, ratio, draw);
    if (box === null || box.height === 0 || box.width === 0) return [];
    const numbers = erased === 'random' ? [0, 0, 0, 1, drawInteger(draw, 2 ** 32)] : erased;
    return [[PIXEL_OP.ERASE, box.top, box.left, box.height, box.width, ...numbers]];
  },
};

/**
 * Erases a random box of the normalized image with probability `p`, as torchvision's `RandomErasing`. Stands after
 * `toTensor()` and `normalize()`.
 *
 * @param p in [0, 1], default 0.5
 * @param options
 *   - `scale`: share of the image's area the box covers, drawn uniformly, default [0.02, 0.33]
 *   - `ratio`: height / width of the box, drawn log-uniformly, default [0.3, 3.3]
 *   - `value`: what stands there, in the network's numbers: one, one for each channel, or `random` (standard normal for
 *     each pixel and channel); default 0, the mean of what is normalized
 * @throws InvalidOptionError for a probability or a range out of bounds
 * @example
 * ```ts
 * import { compose, normalize, randomErasing, resize, toTensor } from 'covidct-torch';
 *
 * const gray = normalize({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
 * const transform = compose([resize([224, 224]), toTensor(), gray, randomErasing(0.25, { value: 'random' })]);
 * ```
 */
export function randomErasing(
  p = 0.5,
  options: {
    scale?: readonly [number, number];
    ratio?: readonly [number, number];
    value?: number | readonly [number, number, number] | 'random';
  } = {},
) {
  const { value: erased, ...rest } = checkOptions(optionsSchema, options, 'randomErasing');
  return makeStep(randomErasingStep, { p, ...rest, value: erased === 'random' ? erased : toChannels(erased) });
}

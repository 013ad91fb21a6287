/** Rotation by a random angle, as torchvision's `RandomRotation` on a uint8 tensor. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { checkOptions } from '../../../options/check';
import { channelsSchema, drawBetween, makeStep, toChannels } from '../step';
import type { Size, StepDefinition } from '../step';

const INTERPOLATIONS = ['nearest', 'bilinear'] as const;
const angle = z.number().min(-360).max(360);
const level = z.number().min(0).max(255);

const degreesSchema = z
  .tuple([angle, angle])
  .refine(([low, high]) => low <= high, 'the degrees must be [low, high] with low <= high')
  .readonly();
const optionsSchema = z.strictObject({
  interpolation: z.enum(INTERPOLATIONS).default('nearest'),
  expand: z.boolean().default(false),
  center: z.tuple([z.number().finite(), z.number().finite()]).readonly().nullable().default(null),
  fill: z.union([level, channelsSchema(level)]).default(0),
});

const schema = z
  .strictObject({
    type: z.literal('randomRotation'),
    degrees: degreesSchema,
    interpolation: optionsSchema.shape.interpolation.unwrap(),
    expand: optionsSchema.shape.expand.unwrap(),
    center: optionsSchema.shape.center.unwrap(),
    fill: channelsSchema(level),
  })
  .readonly();

/** Sides of the smallest image that holds all of a rotated one: torchvision's `_compute_affine_output_size`. */
export function expandedSize({ height, width }: Size, degrees: number, center: readonly [number, number]): Size {
  const radians = (-degrees * Math.PI) / 180;
  const [cosine, sine] = [Math.cos(radians), Math.sin(radians)];
  const shift = [center[0] - cosine * center[0] - sine * center[1], center[1] + sine * center[0] - cosine * center[1]];
  const corners = [-0.5, 0.5].flatMap((y) => [-0.5, 0.5].map((x) => [x * width, y * height] as const));
  const side = (own: number, length: number, along: number, across: number): number => {
    const places = corners.map(([x, y]) => along * x + across * y + shift[own]! + 0.5 * length);
    // Rounding to four decimals keeps a side of 10.00000001 pixels from becoming eleven.
    const [first, last] = [Math.min(...places), Math.max(...places)].map((at) => Math.trunc(at / 1e-4) * 1e-4);
    return Math.ceil(Math.fround(last!)) - Math.floor(Math.fround(first!));
  };
  return { width: side(0, width, cosine, sine), height: side(1, height, -sine, cosine) };
}

export const randomRotationStep: StepDefinition<z.output<typeof schema>> = {
  type: 'randomRotation',
  schema,
  stage: 'pixels',
  describe: ({ degrees, interpolation, expand, center, fill }) =>
    `randomRotation(${degrees.join(' to ')} degrees, ${interpolation}${expand ? ', expand' : ''}` +
    `${center === null ? '' : `, center ${center.join(', ')}`}, fill ${fill.join(', ')})`,
  // A fixed angle counts as random too, because predictions and Grad-CAM do not support rotated images.
  isRandom: ({ degrees }) => degrees.some((each) => each !== 0),
  plan: ({ degrees, interpolation, expand, center, fill }, from, draw) => {
    const drawn = drawBetween(draw, degrees);
    if (drawn === 0) return [];
    const middle = [
      center === null ? 0 : center[0] - from.width / 2,
      center === null ? 0 : center[1] - from.height / 2,
    ] as const;
    const { height, width } = expand ? expandedSize(from, drawn, middle) : from;
    return [[PIXEL_OP.ROTATE, height, width, INTERPOLATIONS.indexOf(interpolation), 0, drawn, ...middle, ...fill]];
  },
  outputSize: ({ expand }) => (expand ? 'varies' : null),
  largest: ({ expand }, from) => {
    const diagonal = Math.ceil(Math.hypot(from.height, from.width)) + 1;
    const size = expand ? { height: diagonal, width: diagonal } : from;
    return { size, pixels: size.height * size.width };
  },
};

/**
 * Rotates by a random angle, as torchvision's `RandomRotation` on a uint8 tensor. For training only: predictions
 * refuse it.
 *
 * @param degrees `[low, high]` in [-360, 360], counterclockwise, drawn uniformly; a number d >= 0 stands for [-d, d]
 * @param options
 *   - `interpolation`: `nearest` (default) or `bilinear`
 *   - `expand`: whether the image grows to hold all of the rotated one (default false); a step that fixes the size
 *     follows
 *   - `center`: `[x, y]` in pixels from the upper left corner; default null, the middle
 *   - `fill`: level in [0, 255] of what lies outside of the image, or one for each channel; default 0
 * @throws InvalidOptionError for angles or options out of range
 * @example
 * ```ts
 * import { compose, randomRotation, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), randomRotation(10, { interpolation: 'bilinear' }), toTensor()]);
 * ```
 */
export function randomRotation(
  degrees: number | readonly [number, number],
  options: {
    interpolation?: 'nearest' | 'bilinear';
    expand?: boolean;
    center?: readonly [number, number] | null;
    fill?: number | readonly [number, number, number];
  } = {},
) {
  const { fill, ...rest } = checkOptions(optionsSchema, options, 'randomRotation');
  const range = typeof degrees === 'number' ? ([-degrees, degrees] as const) : degrees;
  return makeStep(randomRotationStep, { degrees: range, ...rest, fill: toChannels(fill) });
}

/** Blur by a Gaussian of random width, as torchvision's `GaussianBlur` on a uint8 tensor. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { drawBetween, makeStep, rangeSchema, toPair } from '../step';
import type { SideOrPair, StepDefinition } from '../step';

const kernelSide = z
  .int()
  .min(1)
  .max(8191)
  .refine((side) => side % 2 === 1, 'a side of the kernel must be odd');

const schema = z
  .strictObject({
    type: z.literal('gaussianBlur'),
    kernelSize: z.tuple([kernelSide, kernelSide]).readonly(),
    sigma: rangeSchema('sigma'),
  })
  .readonly();

export const gaussianBlurStep: StepDefinition<z.output<typeof schema>> = {
  type: 'gaussianBlur',
  schema,
  stage: 'pixels',
  describe: ({ kernelSize: [width, height], sigma }) =>
    `gaussianBlur(kernel ${height} x ${width}, sigma ${sigma.join('-')})`,
  isRandom: ({ sigma: [low, high] }) => low < high,
  plan: ({ kernelSize: [width, height], sigma }, _size, draw) => [
    [PIXEL_OP.BLUR, width, height, 0, 0, drawBetween(draw, sigma)],
  ],
  problem: ({ kernelSize: [width, height] }, size) =>
    size.width > (width - 1) / 2 && size.height > (height - 1) / 2
      ? null
      : `gaussianBlur mirrors half of its kernel of ${height} x ${width} pixels at the edges of an image ` +
        `of at most ${size.height} x ${size.width}: take a smaller kernelSize, or resize before it`,
};

/**
 * Blurs with a Gaussian whose sigma is drawn uniformly, as torchvision's `GaussianBlur` on a uint8 tensor.
 *
 * @param kernelSize odd side of the kernel in pixels, or `[width, height]` as torchvision has it; half of it must be
 *   less than the image's side, since the image is mirrored at its edges
 * @param sigma standard deviation in pixels, > 0, or `[low, high]`; default [0.1, 2]
 * @throws InvalidOptionError for an even side or a sigma of 0
 * @example
 * ```ts
 * import { compose, gaussianBlur, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), gaussianBlur(5, [0.1, 1.5]), toTensor()]);
 * ```
 */
export function gaussianBlur(kernelSize: SideOrPair, sigma: number | readonly [number, number] = [0.1, 2]) {
  return makeStep(gaussianBlurStep, { kernelSize: toPair(kernelSize), sigma: toPair(sigma) });
}

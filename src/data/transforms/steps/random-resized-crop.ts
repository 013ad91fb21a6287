/** Random resized crop, as torchvision's `RandomResizedCrop` on a PIL image. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { checkOptions } from '../../../options/check';
import { drawInteger } from '../../random';
import type { Draw } from '../../random';
import { makeStep, rangeSchema, sidePairSchema, toPair } from '../step';
import { roundHalfEven } from '../../round';
import type { Rectangle, SideOrPair, Size, StepDefinition } from '../step';
import { resizeNeeds } from './resize';

const schema = z
  .strictObject({
    type: z.literal('randomResizedCrop'),
    size: sidePairSchema,
    scale: rangeSchema('scale'),
    ratio: rangeSchema('ratio'),
  })
  .readonly();

const optionsSchema = z.strictObject({
  scale: rangeSchema('scale').default([0.08, 1]),
  ratio: rangeSchema('ratio').default([3 / 4, 4 / 3]),
});

/**
 * torchvision's `RandomResizedCrop.get_params`: ten tries at a box whose share of the area is uniform in `scale` and
 * whose log aspect ratio is uniform in log `ratio`; then the largest centered box within `ratio`.
 *
 * @param draw consumed in torchvision's order: area, ratio, and for a box that fits top and left
 */
export function randomCropBox(
  { height, width }: Size,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  draw: Draw,
): Rectangle {
  const logLow = Math.log(ratio[0]);
  const logHigh = Math.log(ratio[1]);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const area = height * width * (scale[0] + (scale[1] - scale[0]) * draw());
    const aspect = Math.exp(logLow + (logHigh - logLow) * draw());
    const boxWidth = roundHalfEven(Math.sqrt(area * aspect));
    const boxHeight = roundHalfEven(Math.sqrt(area / aspect));
    if (boxWidth > 0 && boxWidth <= width && boxHeight > 0 && boxHeight <= height) {
      const top = drawInteger(draw, height - boxHeight + 1);
      const left = drawInteger(draw, width - boxWidth + 1);
      return { top, left, height: boxHeight, width: boxWidth };
    }
  }
  const whole = width / height;
  let box: Size = { height, width };
  if (whole < ratio[0]) box = { height: roundHalfEven(width / ratio[0]), width };
  else if (whole > ratio[1]) box = { height, width: roundHalfEven(height * ratio[1]) };
  return { top: Math.floor((height - box.height) / 2), left: Math.floor((width - box.width) / 2), ...box };
}

export const randomResizedCropStep: StepDefinition<z.output<typeof schema>> = {
  type: 'randomResizedCrop',
  schema,
  stage: 'pixels',
  describe: ({ size, scale, ratio }) =>
    `randomResizedCrop(${size.join(' x ')}, scale ${scale.join('-')}, ` +
    `ratio ${ratio.map((each) => each.toFixed(3)).join('-')})`,
  isRandom: () => true,
  plan: ({ size, scale, ratio }, from, draw) => {
    const { top, left, height, width } = randomCropBox(from, scale, ratio, draw);
    return [
      [PIXEL_OP.CROP, top, left, height, width],
      [PIXEL_OP.RESIZE, size[0], size[1]],
    ];
  },
  outputSize: ({ size: [height, width] }) => ({ height, width }),
  // The box is at most the whole image.
  largest: ({ size: [height, width] }, from) => resizeNeeds(from, { height, width }),
};

/**
 * Crops a random box and resizes it, as torchvision's `RandomResizedCrop`.
 *
 * @param size of the output in pixels: side of a square, or `[height, width]`
 * @param options
 *   - `scale`: share of the image's area the box covers, default [0.08, 1]
 *   - `ratio`: width / height of the box, drawn log-uniformly, default [3/4, 4/3]
 * @example
 * ```ts
 * import { compose, randomResizedCrop, toTensor } from 'covidct-torch';
 *
 * const transform = compose([randomResizedCrop(224, { scale: [0.5, 1] }), toTensor()]);
 * ```
 */
export function randomResizedCrop(
  size: SideOrPair,
  options: { scale?: readonly [number, number]; ratio?: readonly [number, number] } = {},
) {
  const { scale, ratio } = checkOptions(optionsSchema, options, 'randomResizedCrop');
  return makeStep(randomResizedCropStep, { size: toPair(size), scale, ratio });
}

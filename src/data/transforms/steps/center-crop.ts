/** Center crop, as torchvision's `CenterCrop` on a PIL image. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { makeStep, sidePairSchema, toPair } from '../step';
import { roundHalfEven } from '../../round';
import type { Rectangle, SideOrPair, Size, StepDefinition } from '../step';

const schema = z.strictObject({ type: z.literal('centerCrop'), size: sidePairSchema }).readonly();

/** torchvision's `CenterCrop`, which pads an image that is too small (less at the left and top where it is odd). */
export function centerCropBox({ height, width }: Size, [cropHeight, cropWidth]: readonly [number, number]): Rectangle {
  const padTop = Math.max(0, Math.floor((cropHeight - height) / 2));
  const padLeft = Math.max(0, Math.floor((cropWidth - width) / 2));
  const top = roundHalfEven((Math.max(height, cropHeight) - cropHeight) / 2) - padTop;
  const left = roundHalfEven((Math.max(width, cropWidth) - cropWidth) / 2) - padLeft;
  return { top, left, height: cropHeight, width: cropWidth };
}

export const centerCropStep: StepDefinition<z.output<typeof schema>> = {
  type: 'centerCrop',
  schema,
  stage: 'pixels',
  describe: ({ size }) => `centerCrop(${size.join(' x ')})`,
  isRandom: () => false,
  plan: ({ size }, from) => {
    const { top, left, height, width } = centerCropBox(from, size);
    return [[PIXEL_OP.CROP, top, left, height, width]];
  },
  outputSize: ({ size: [height, width] }) => ({ height, width }),
  largest: ({ size: [height, width] }, from) => {
    const inside = height <= from.height && width <= from.width;
    const padded = Math.max(from.height, height) * Math.max(from.width, width);
    return { size: { height, width }, pixels: inside ? height * width : padded };
  },
};

/**
 * Crops the center; a smaller image is padded with black, as by torchvision's `CenterCrop`.
 *
 * @param size side of a square, or `[height, width]`
 * @example
 * ```ts
 * import { centerCrop, compose, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize(256), centerCrop(224), toTensor()]);
 * ```
 */
export function centerCrop(size: SideOrPair) {
  return makeStep(centerCropStep, { size: toPair(size) });
}

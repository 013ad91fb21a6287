/** Resize, as torchvision's `Resize` on a PIL image. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { makeStep, sizeSchema } from '../step';
import type { Largest, SideOrPair, Size, StepDefinition } from '../step';

/**
 * A resize handles the columns first, as Pillow does, while the intermediate image between its two passes has at most
 * this many pixels. Beyond that, the pass that leaves fewer pixels comes first, and a level may differ from Pillow's by
 * one or two. The number must equal that of native/core/input/augment.h.
 */
const PILLOW_ORDER_PIXELS = 2 ** 24;

const schema = z.strictObject({ type: z.literal('resize'), size: sizeSchema }).readonly();

/** torchvision's `Resize`: with one number the shorter side gets it and the longer one `int(size * long / short)`. */
export function resizedSize({ height, width }: Size, size: SideOrPair): Size {
  if (typeof size !== 'number') return { height: size[0], width: size[1] };
  const short = Math.min(height, width);
  const long = Math.floor((size * Math.max(height, width)) / short);
  return width <= height ? { height: long, width: size } : { height: size, width: long };
}

/** Returns the largest images of a resize: its result, and the intermediate image between its two passes. */
export function resizeNeeds(from: Size, to: Size): Largest {
  const columnsFirst = from.height * to.width;
  const between = columnsFirst <= PILLOW_ORDER_PIXELS ? columnsFirst : Math.min(columnsFirst, to.height * from.width);
  return { size: to, pixels: Math.max(between, to.height * to.width) };
}

export const resizeStep: StepDefinition<z.output<typeof schema>> = {
  type: 'resize',
  schema,
  stage: 'pixels',
  describe: ({ size }) => (typeof size === 'number' ? `resize(shorter side ${size})` : `resize(${size.join(' x ')})`),
  isRandom: () => false,
  plan: ({ size }, from) => {
    const { height, width } = resizedSize(from, size);
    return [[PIXEL_OP.RESIZE, height, width]];
  },
  outputSize: ({ size }) => (typeof size === 'number' ? 'varies' : { height: size[0], width: size[1] }),
  largest: ({ size }, from) => resizeNeeds(from, resizedSize(from, size)),
};

/**
 * Antialiased bilinear resize, as torchvision's `Resize` on a PIL image.
 *
 * @param size a number: the shorter side becomes that many pixels and the longer one `int(size * long / short)`;
 *   `[height, width]`: exactly that, whatever the aspect ratio
 * @example
 * ```ts
 * import { compose, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), toTensor()]);
 * ```
 */
export function resize(size: SideOrPair) {
  return makeStep(resizeStep, { size });
}

/** Random horizontal flip, as torchvision's `RandomHorizontalFlip`. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { makeStep, probabilitySchema } from '../step';
import type { StepDefinition } from '../step';

const schema = z.strictObject({ type: z.literal('randomHorizontalFlip'), p: probabilitySchema }).readonly();

export const randomHorizontalFlipStep: StepDefinition<z.output<typeof schema>> = {
  type: 'randomHorizontalFlip',
  schema,
  stage: 'pixels',
  describe: ({ p }) => `randomHorizontalFlip(${p})`,
  isRandom: ({ p }) => p > 0,
  plan: ({ p }, _size, draw) => (draw() < p ? [[PIXEL_OP.FLIP]] : []),
};

/**
 * Flips the image horizontally with probability `p`, as torchvision's `RandomHorizontalFlip`.
 *
 * @param p in [0, 1], default 0.5
 * @example
 * ```ts
 * import { compose, randomHorizontalFlip, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), randomHorizontalFlip(), toTensor()]);
 * ```
 */
export function randomHorizontalFlip(p = 0.5) {
  return makeStep(randomHorizontalFlipStep, { p });
}

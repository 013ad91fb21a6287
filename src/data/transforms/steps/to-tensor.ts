/** Conversion of pixels to a float tensor, as torchvision's `ToTensor`. */
import { z } from 'zod';
import { makeStep } from '../step';
import type { StepDefinition } from '../step';

const schema = z.strictObject({ type: z.literal('toTensor') }).readonly();

export const toTensorStep: StepDefinition<z.output<typeof schema>> = {
  type: 'toTensor',
  schema,
  stage: 'toTensor',
  describe: () => 'toTensor',
  isRandom: () => false,
  // The addon divides every batch by 255 and normalizes it, so this step needs no operation.
  plan: () => [],
};

/**
 * Marks where uint8 pixels in [0, 255] become float32 in [0, 1], channels first, as torchvision's `ToTensor`.
 *
 * @example
 * ```ts
 * import { compose, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), toTensor()]);
 * ```
 */
export function toTensor() {
  return makeStep(toTensorStep, {});
}

/** Normalization by mean and standard deviation, as torchvision's `Normalize`. */
import { z } from 'zod';
import { checkOptions } from '../../../options/check';
import { makeStep } from '../step';
import type { StepDefinition } from '../step';

const channels = z.tuple([z.number().finite(), z.number().finite(), z.number().finite()]).readonly();
const positive = z.number().positive().finite();
const positiveChannels = z.tuple([positive, positive, positive]).readonly();

/** Mean and standard deviation of each channel. */
export const meanAndStdSchema = z.strictObject({ mean: channels, std: positiveChannels });

const schema = z.strictObject({ type: z.literal('normalize'), ...meanAndStdSchema.shape }).readonly();

export const normalizeStep: StepDefinition<z.output<typeof schema>> = {
  type: 'normalize',
  schema,
  stage: 'normalize',
  describe: ({ mean, std }) => `normalize(mean ${mean.join(', ')}; std ${std.join(', ')})`,
  isRandom: () => false,
  // The batch contains mean and standard deviation, so this step needs no operation.
  plan: () => [],
};

/**
 * `(x - mean) / std` for each of the three channels, on values in [0, 1], as torchvision's `Normalize`.
 *
 * @example
 * ```ts
 * import { compose, normalize, resize, toTensor } from 'covidct-torch';
 *
 * const gray = normalize({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
 * const transform = compose([resize([224, 224]), toTensor(), gray]);
 * ```
 */
export function normalize(options: {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}) {
  return makeStep(normalizeStep, checkOptions(meanAndStdSchema, options, 'normalize'));
}

/** Random brightness and contrast, as torchvision's `ColorJitter` on a uint8 tensor. */
import { z } from 'zod';
import { PIXEL_OP } from '../../../addon/batch';
import { checkOptions } from '../../../options/check';
import { drawBetween, makeStep } from '../step';
import type { PixelRow, StepDefinition } from '../step';

const amount = z.number().min(0).finite();
const rangeOfFactors = z
  .tuple([amount, amount])
  .refine(([low, high]) => low <= high, 'the factors must be [low, high] with low <= high')
  .readonly();
const amountOrRange = z.union([amount, rangeOfFactors]).default(0);
const optionsSchema = z.strictObject({ brightness: amountOrRange, contrast: amountOrRange });

const schema = z
  .strictObject({ type: z.literal('colorJitter'), brightness: rangeOfFactors, contrast: rangeOfFactors })
  .readonly();

const changes = ([low, high]: readonly [number, number]): boolean => low !== 1 || high !== 1;
const varies = ([low, high]: readonly [number, number]): boolean => low < high;

/** `[max(0, 1 - amount), 1 + amount]`, as torchvision reads a number. */
function toRange(given: number | readonly [number, number]): readonly [number, number] {
  return typeof given === 'number' ? [Math.max(0, 1 - given), 1 + given] : given;
}

export const colorJitterStep: StepDefinition<z.output<typeof schema>> = {
  type: 'colorJitter',
  schema,
  stage: 'pixels',
  describe: ({ brightness, contrast }) =>
    `colorJitter(brightness ${brightness.join('-')}, contrast ${contrast.join('-')})`,
  isRandom: ({ brightness, contrast }) =>
    varies(brightness) || varies(contrast) || (changes(brightness) && changes(contrast)),
  plan: ({ brightness, contrast }, _size, draw) => {
    const operation = (op: number, range: readonly [number, number]): PixelRow[] =>
      changes(range) ? [[op, 0, 0, 0, 0, drawBetween(draw, range)]] : [];
    const contrastFirst = changes(brightness) && changes(contrast) && draw() < 0.5;
    const rows = [operation(PIXEL_OP.BRIGHTNESS, brightness), operation(PIXEL_OP.CONTRAST, contrast)];
    return (contrastFirst ? rows.reverse() : rows).flat();
  },
};

/**
 * Changes brightness and contrast by random factors, in random order, as torchvision's `ColorJitter` on a uint8 tensor.
 *
 * @param options a number a >= 0 stands for the range [max(0, 1 - a), 1 + a]; factors are drawn uniformly
 *   - `brightness`: factor of every level, default 0 (unchanged)
 *   - `contrast`: factor of every level's distance from the mean gray, default 0 (unchanged)
 * @throws InvalidOptionError for a negative number or a range that is not [low, high]
 * @example
 * ```ts
 * import { colorJitter, compose, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), colorJitter({ brightness: 0.2, contrast: [0.9, 1.5] }), toTensor()]);
 * ```
 */
export function colorJitter(
  options: { brightness?: number | readonly [number, number]; contrast?: number | readonly [number, number] } = {},
) {
  const { brightness, contrast } = checkOptions(optionsSchema, options, 'colorJitter');
  return makeStep(colorJitterStep, { brightness: toRange(brightness), contrast: toRange(contrast) });
}

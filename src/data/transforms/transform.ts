/** Transforms as plain descriptions: composed of steps, checked by zod, stored as JSON beside the weights. */
import { z } from 'zod';
import { checkArgument, checkOptions } from '../../options/check';
import type { Transform } from '../types';
import { definitionOf, transformStepSchema } from './registry';
import type { TransformStep } from './registry';
import { STAGES } from './step';
import type { Size } from './step';

type Refuse = (message: string, index?: number) => void;

const stageOf = (step: TransformStep): number => STAGES.indexOf(definitionOf(step).stage);
const TENSOR_AT = STAGES.indexOf('toTensor');

/** Checks that the steps are in the order of their stages, with one toTensor() and at most one normalize(). */
function checkOrder(steps: readonly TransformStep[], refuse: Refuse): void {
  const tensorAt = steps.findIndex(({ type }) => type === 'toTensor');
  if (tensorAt < 0) return refuse('toTensor() is missing: it marks where pixels become numbers in [0, 1]');
  let normalized = false;
  steps.forEach((step, index) => {
    const stage = stageOf(step);
    if (index < tensorAt && stage > TENSOR_AT) refuse(`${step.type}() must come after toTensor()`, index);
    if (index > tensorAt && stage <= TENSOR_AT)
      refuse(`${step.type} must come before toTensor(); after it only one normalize() may follow`, index);
    if (index > tensorAt && step.type === 'normalize') {
      if (normalized) refuse('only one normalize() may follow toTensor()', index);
      normalized = true;
    }
    const later = steps[index + 1];
    if (stage > TENSOR_AT && later !== undefined && stageOf(later) > TENSOR_AT && stageOf(later) < stage)
      refuse(`${step.type}() must come after ${later.type}()`, index);
  });
}

/** Returns the output size; null when it depends on the input image. */
function fixedSize(steps: readonly TransformStep[]): Size | null {
  for (const step of steps.toReversed()) {
    const size = definitionOf(step).outputSize?.(step) ?? null;
    if (size !== null) return size === 'varies' ? null : size;
  }
  return null;
}

/** A whole transform. */
export const transformSchema = z
  .strictObject({ steps: z.array(transformStepSchema).min(1).readonly() })
  .superRefine(({ steps }, context) => {
    const refuse: Refuse = (message, index) =>
      context.addIssue({ code: 'custom', path: index === undefined ? ['steps'] : ['steps', index], message });
    checkOrder(steps, refuse);
    if (fixedSize(steps) === null) {
      refuse(
        'the output size would depend on the image: ' +
          'let resize([height, width]), centerCrop(n) or randomResizedCrop(n) come last',
      );
    }
  })
  .readonly();

/**
 * Composes steps into a frozen transform.
 *
 * @param steps pixel steps, then `toTensor()`, then at most one `normalize()`, then steps on the normalized numbers;
 *   the last step that has a size must fix height and width, since images of one batch must come out alike
 * @throws InvalidOptionError when the order or a number is wrong
 * @example
 * ```ts
 * import { compose, randomHorizontalFlip, resize, toTensor } from 'covidct-torch';
 *
 * const trainTransform = compose([resize([224, 224]), randomHorizontalFlip(), toTensor()]);
 * console.log(trainTransform.steps.length); // 3
 * ```
 */
export function compose(steps: readonly TransformStep[]): Transform {
  return parseTransform({ steps });
}

/**
 * Validates a transform that was read from JSON, and freezes it.
 *
 * @throws InvalidOptionError naming each invalid value
 * @example
 * ```ts
 * import { parseTransform, tutorialEval } from 'covidct-torch';
 *
 * const text = JSON.stringify(tutorialEval());
 * const transform = parseTransform(JSON.parse(text));
 * ```
 */
export function parseTransform(json: unknown): Transform {
  return checkOptions(transformSchema, json, 'transform');
}

/**
 * Whether the transform is random, so that its output for an image depends on the seed.
 */
export function isRandom(transform: Transform): boolean {
  return checkArgument(transformSchema, transform, 'isRandom', 'transform').steps.some((step) =>
    definitionOf(step).isRandom(step),
  );
}

/** Returns height and width of the transform's output in pixels. */
export function inputSize(transform: Transform): Size {
  const size = fixedSize(transform.steps);
  if (size !== null) return size;
  parseTransform(transform); // names the reason
  throw new TypeError('unreachable: a checked transform has a size');
}

/** Returns mean and standard deviation of the transform's normalize; 0 and 1 without one. */
export function normalizationOf(transform: Transform): {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
} {
  for (const step of transform.steps) if (step.type === 'normalize') return { mean: step.mean, std: step.std };
  return { mean: [0, 0, 0], std: [1, 1, 1] };
}

/**
 * Describes the transform in one line: the steps with their parameters, sizes as height x width.
 */
export function describe(transform: Transform): string {
  return checkArgument(transformSchema, transform, 'describe', 'transform')
    .steps.map((step) => definitionOf(step).describe(step))
    .join(' > ');
}

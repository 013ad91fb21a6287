/** Transforms as plain descriptions: made by small functions, checked by zod, stored as JSON beside the weights. */
import { checkArgument, checkOptions } from '../../options/check';
import { cropOptionsSchema, normalizeOptionsSchema, transformSchema, transformStepSchema } from '../options';
import type { Transform, TransformStep } from '../types';

type Size = number | readonly [number, number];

function freezeStep(step: TransformStep): TransformStep {
  for (const value of Object.values(step)) if (Array.isArray(value)) Object.freeze(value);
  return Object.freeze(step);
}

function makeStep(step: TransformStep, where: string): TransformStep {
  return freezeStep(checkOptions(transformStepSchema, step, where));
}

function pair(size: Size): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/**
 * Antialiased bilinear resize, as torchvision's `Resize` on a PIL image.
 *
 * @param size a number: the shorter side becomes that many pixels and the longer one `int(size * long / short)`;
 *   `[height, width]`: exactly that, whatever the aspect ratio
 */
export function resize(size: Size): TransformStep {
  return makeStep({ type: 'resize', size }, 'resize');
}

/** Cuts the middle out, in pixels; what lies outside a smaller image is black, as torchvision's `CenterCrop`. */
export function centerCrop(size: Size): TransformStep {
  return makeStep({ type: 'centerCrop', size: pair(size) }, 'centerCrop');
}

/**
 * Cuts a random box and resizes it, as torchvision's `RandomResizedCrop`.
 *
 * @param size of the output in pixels
 * @param options.scale share of the image's area the box covers, default [0.08, 1]
 * @param options.ratio width / height of the box, drawn log-uniformly, default [3/4, 4/3]
 */
export function randomResizedCrop(
  size: Size,
  options: { scale?: readonly [number, number]; ratio?: readonly [number, number] } = {},
): TransformStep {
  const { scale, ratio } = checkOptions(cropOptionsSchema, options, 'randomResizedCrop');
  return makeStep({ type: 'randomResizedCrop', size: pair(size), scale, ratio }, 'randomResizedCrop');
}

/** Mirrors left and right with probability `p`. */
export function randomHorizontalFlip(p = 0.5): TransformStep {
  return makeStep({ type: 'randomHorizontalFlip', p }, 'randomHorizontalFlip');
}

/** Marks where uint8 pixels in [0, 255] become float32 in [0, 1], channels first. */
export function toTensor(): TransformStep {
  return freezeStep({ type: 'toTensor' });
}

/** `(x - mean) / std` for each of the three channels, on values in [0, 1]. */
export function normalize(options: {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}): TransformStep {
  return makeStep({ type: 'normalize', ...checkOptions(normalizeOptionsSchema, options, 'normalize') }, 'normalize');
}

/**
 * Puts steps together into a frozen transform.
 *
 * @param steps pixel steps, then `toTensor()`, then at most one `normalize()`; the last step that has a size must fix
 *   height and width, since images of one batch must come out alike
 * @throws InvalidOptionError when the order or a number is wrong
 */
export function compose(steps: readonly TransformStep[]): Transform {
  return parseTransform({ steps });
}

/** Checks a transform that was read from JSON, and freezes it. Throws InvalidOptionError naming what is wrong where. */
export function parseTransform(json: unknown): Transform {
  const { steps } = checkOptions(transformSchema, json, 'transform');
  return Object.freeze({ steps: Object.freeze(steps.map(freezeStep)) });
}

/** Whether two images through this transform could come out differently from one run to the next without a seed. */
export function isRandom(transform: Transform): boolean {
  return checkArgument(transformSchema, transform, 'isRandom', 'transform').steps.some(
    (step) => step.type === 'randomResizedCrop' || (step.type === 'randomHorizontalFlip' && step.p > 0),
  );
}

/** Height and width of what the transform makes, in pixels. */
export function inputSize(transform: Transform): { height: number; width: number } {
  for (const step of transform.steps.toReversed()) {
    if (step.type !== 'resize' && step.type !== 'centerCrop' && step.type !== 'randomResizedCrop') continue;
    if (typeof step.size === 'number') break;
    return { height: step.size[0], width: step.size[1] };
  }
  parseTransform(transform); // names the reason
  throw new TypeError('unreachable: a checked transform has a size');
}

/** Mean and standard deviation the transform's normalize takes off; 0 and 1 without one. */
export function normalizationOf(transform: Transform): {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
} {
  for (const step of transform.steps) if (step.type === 'normalize') return { mean: step.mean, std: step.std };
  return { mean: [0, 0, 0], std: [1, 1, 1] };
}

function describeStep(step: TransformStep): string {
  switch (step.type) {
    case 'resize':
      return typeof step.size === 'number' ? `resize(shorter side ${step.size})` : `resize(${step.size.join(' x ')})`;
    case 'centerCrop':
      return `centerCrop(${step.size.join(' x ')})`;
    case 'randomResizedCrop':
      return `randomResizedCrop(${step.size.join(' x ')}, scale ${step.scale.join('-')}, ratio ${step.ratio.map((r) => r.toFixed(3)).join('-')})`;
    case 'randomHorizontalFlip':
      return `randomHorizontalFlip(${step.p})`;
    case 'toTensor':
      return 'toTensor';
    case 'normalize':
      return `normalize(mean ${step.mean.join(', ')}; std ${step.std.join(', ')})`;
  }
}

/** One line a person can read: the steps with their numbers, sizes as height x width. */
export function describe(transform: Transform): string {
  return checkArgument(transformSchema, transform, 'describe', 'transform').steps.map(describeStep).join(' > ');
}

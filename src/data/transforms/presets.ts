/** Ready-made transforms: the tutorial's for training and for evaluation, and one that keeps the aspect ratio. */
import { z } from 'zod';
import { checkOptions } from '../../options/check';
import type { Transform } from '../types';
import { centerCrop } from './steps/center-crop';
import { meanAndStdSchema, normalize } from './steps/normalize';
import { randomHorizontalFlip } from './steps/random-horizontal-flip';
import { randomResizedCrop } from './steps/random-resized-crop';
import { resize } from './steps/resize';
import { toTensor } from './steps/to-tensor';
import { compose } from './transform';

/** `imagenet`: the statistics of ImageNet's weights; `none`: mean 0 and std 1, as the tutorial; or own numbers. */
export const normalizationSchema = z.union([z.enum(['imagenet', 'none']), meanAndStdSchema]).default('imagenet');
export type Normalization = z.input<typeof normalizationSchema>;

const presetOptionsSchema = z.strictObject({
  /** Side of the square the network sees, in pixels. */
  size: z.int().min(8).max(4096).default(224),
  normalization: normalizationSchema,
});
export type PresetOptions = z.input<typeof presetOptionsSchema>;

/**
 * Mean of ImageNet's training images in [0, 1], RGB: what torchvision's ImageNet weights were trained with.
 *
 * @example
 * ```ts
 * import { compose, IMAGENET_MEAN, IMAGENET_STD, normalize, resize, toTensor } from 'covidct-torch';
 *
 * const transform = compose([resize([224, 224]), toTensor(), normalize({ mean: [...IMAGENET_MEAN], std:
 * [...IMAGENET_STD] })]); console.log(transform.steps.length); // 3
 * ```
 */
export const IMAGENET_MEAN = Object.freeze([0.485, 0.456, 0.406] as const);
/**
 * Standard deviation that goes with {@link IMAGENET_MEAN}.
 *
 * @example
 * ```ts
 * import { IMAGENET_STD } from 'covidct-torch';
 *
 * const [red, green, blue] = IMAGENET_STD;
 * console.log(red, green, blue); // 0.229 0.224 0.225
 * ```
 */
export const IMAGENET_STD = Object.freeze([0.229, 0.224, 0.225] as const);

/** For networks that see one gray channel: the means of ImageNet's three. */
export const GRAY_NORMALIZATION: { mean: [number, number, number]; std: [number, number, number] } = {
  mean: [0.449, 0.449, 0.449],
  std: [0.226, 0.226, 0.226],
};

function normalization(choice: Exclude<Normalization, undefined>) {
  if (choice === 'imagenet') return normalize({ mean: [...IMAGENET_MEAN], std: [...IMAGENET_STD] });
  if (choice === 'none') return normalize({ mean: [0, 0, 0], std: [1, 1, 1] });
  return normalize(choice);
}

/** The shorter side before a crop of `size`: 256 for 224, and in that proportion for other sizes. */
function sideBeforeCrop(size: number): number {
  return Math.round((size * 256) / 224);
}

/**
 * The tutorial's training transform: shorter side to `size * 256 / 224`, a random box of half to the whole area
 * resized to `size`, mirrored half of the time, normalized.
 *
 * @param options
 *   - `size`: side of the output in pixels, default 224
 *   - `normalization`: `imagenet` by default; `none` as the tutorial has it; or own mean and std
 * @example
 * ```ts
 * import { tutorialTrain } from 'covidct-torch';
 *
 * const trainTransform = tutorialTrain({ size: 224 });
 * console.log(trainTransform.steps.map(({ type }) => type)); // resize, randomResizedCrop, randomHorizontalFlip, ...
 * ```
 */
export function tutorialTrain(options: PresetOptions = {}): Transform {
  const { size, normalization: choice } = checkOptions(presetOptionsSchema, options, 'tutorialTrain');
  return compose([
    resize(sideBeforeCrop(size)),
    randomResizedCrop(size, { scale: [0.5, 1] }),
    randomHorizontalFlip(0.5),
    toTensor(),
    normalization(choice),
  ]);
}

/**
 * The tutorial's transform for validation and test: resized to a square of `size` whatever the aspect ratio,
 * normalized.
 *
 * @example
 * ```ts
 * import { tutorialEval } from 'covidct-torch';
 *
 * const evalTransform = tutorialEval({ size: 224, normalization: 'none' });
 * console.log(JSON.stringify(evalTransform.steps));
 * ```
 */
export function tutorialEval(options: PresetOptions = {}): Transform {
  const { size, normalization: choice } = checkOptions(presetOptionsSchema, options, 'tutorialEval');
  return compose([resize([size, size]), toTensor(), normalization(choice)]);
}

/**
 * An evaluation that keeps the aspect ratio: shorter side to `size * 256 / 224`, then the middle `size` x `size`.
 *
 * @example
 * ```ts
 * import { aspectEval, Classifier, evaluate, openDataset } from 'covidct-torch';
 *
 * const { accuracy } = await evaluate(await Classifier.load('runs/first'), (await openDataset('COVID-CT')).train, {
 *   transform: aspectEval({ size: 224 }),
 * });
 * console.log(accuracy);
 * ```
 */
export function aspectEval(options: PresetOptions = {}): Transform {
  const { size, normalization: choice } = checkOptions(presetOptionsSchema, options, 'aspectEval');
  return compose([resize(sideBeforeCrop(size)), centerCrop(size), toTensor(), normalization(choice)]);
}

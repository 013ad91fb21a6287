/** The steps that a transform can have, one line each. */
import { z } from 'zod';
import type { StepDefinition } from './step';
import { centerCropStep } from './steps/center-crop';
import { colorJitterStep } from './steps/color-jitter';
import { gaussianBlurStep } from './steps/gaussian-blur';
import { normalizeStep } from './steps/normalize';
import { randomErasingStep } from './steps/random-erasing';
import { randomHorizontalFlipStep } from './steps/random-horizontal-flip';
import { randomResizedCropStep } from './steps/random-resized-crop';
import { randomRotationStep } from './steps/random-rotation';
import { resizeStep } from './steps/resize';
import { toTensorStep } from './steps/to-tensor';

const DEFINITIONS = [
  resizeStep,
  centerCropStep,
  randomResizedCropStep,
  randomHorizontalFlipStep,
  randomRotationStep,
  colorJitterStep,
  gaussianBlurStep,
  toTensorStep,
  normalizeStep,
  randomErasingStep,
] as const;

/** One step of a transform, as it is stored. */
export type TransformStep = z.output<(typeof DEFINITIONS)[number]['schema']>;

/** Every step's definition. */
export const STEPS = DEFINITIONS as unknown as readonly StepDefinition<TransformStep>[];

/** One step of a transform, as it is stored. */
export const transformStepSchema = z.discriminatedUnion(
  'type',
  STEPS.map(({ schema }) => schema) as unknown as [z.core.$ZodTypeDiscriminable],
) as unknown as z.ZodType<TransformStep>;

const BY_TYPE = new Map(STEPS.map((each) => [each.type, each]));

/** The definition of a checked step. */
export function definitionOf({ type }: TransformStep): StepDefinition<TransformStep> {
  return BY_TYPE.get(type)!;
}

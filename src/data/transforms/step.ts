/** The interface of a transform step's definition, and helpers that the definitions share. */
import { z } from 'zod';
import { checkOptions } from '../../options/check';
import type { Draw } from '../random';

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A rectangle in pixels of an image; fractions are allowed, and it may reach outside of the image. */
export interface Rectangle extends Size {
  readonly top: number;
  readonly left: number;
}

/** An operation of PIXEL_OP and its arguments: four integers, then six real numbers; missing ones are 0. */
export type PixelRow = readonly [operation: number, ...args: number[]];

/** The stages of a transform, in order. */
export const STAGES = ['pixels', 'toTensor', 'normalize', 'tensor'] as const;

/** The largest images that a step creates. */
export interface Largest {
  /** The largest image that the step can make. */
  readonly size: Size;
  /** Pixels of the largest intermediate image. */
  readonly pixels: number;
}

/**
 * The definition of a transform step. A step is one file in `steps` with its definition and its public factory, and one
 * line in `registry.ts`; parsing, planning, limits and descriptions iterate over the registry.
 */
export interface StepDefinition<Step extends { readonly type: string }> {
  readonly type: Step['type'];
  /** Schema of the stored step; it freezes what it parses. */
  readonly schema: z.ZodType<Step>;
  /** Position of the step: `pixels` before toTensor, `tensor` after normalize. */
  readonly stage: (typeof STAGES)[number];
  /** Describes the step with its parameters, sizes as height x width. */
  describe(this: void, step: Step): string;
  /** Whether the step is random. */
  isRandom(this: void, step: Step): boolean;
  /**
   * Returns the pixel operations for an image of this size.
   *
   * @param draw uniform numbers in [0, 1)
   */
  plan(this: void, step: Step, size: Size, draw: Draw): readonly PixelRow[];
  /** Returns the output size; `varies` when it depends on the image. Omitted by steps that keep the size. */
  outputSize?(this: void, step: Step): Size | 'varies' | null;
  /** Returns the largest images for an input of this size, whatever is drawn. Omitted if that is the input itself. */
  largest?(this: void, step: Step, size: Size): Largest;
  /** Explains why the step cannot process images whose sides have at most this size; null when it can. */
  problem?(this: void, step: Step, size: Size): string | null;
}

/** Creates a validated, frozen step from a factory's arguments. Throws InvalidOptionError naming `where`. */
export function makeStep<Step extends { readonly type: string }>(
  { type, schema }: Pick<StepDefinition<Step>, 'type' | 'schema'>,
  parameters: Omit<Step, 'type'>,
): Step {
  return checkOptions(schema, { type, ...parameters }, type);
}

/** A side in pixels. */
export const sideSchema = z.int().min(1).max(8192);
/** Height and width of an output in pixels. */
export const sidePairSchema = z.tuple([sideSchema, sideSchema]).readonly();
/** The shorter side, or height and width. */
export const sizeSchema = z.union([sideSchema, sidePairSchema]);
/** A probability. */
export const probabilitySchema = z.number().min(0).max(1);

/** [low, high] of positive numbers. */
export function rangeSchema(what: string) {
  return z
    .tuple([z.number().positive().finite(), z.number().positive().finite()])
    .refine(([low, high]) => low <= high, `the ${what} must be [low, high] with low <= high`)
    .readonly();
}

/** One number for each of the three channels. */
export function channelsSchema(number: z.ZodNumber) {
  return z.tuple([number, number, number]).readonly();
}

/** Expands a number to three channels; three numbers are returned as they are. */
export function toChannels(numbers: number | readonly [number, number, number]): readonly [number, number, number] {
  return typeof numbers === 'number' ? [numbers, numbers, numbers] : numbers;
}

/** A square side, or height and width. */
export type SideOrPair = number | readonly [number, number];

/** Height and width of a square side, or the pair itself. */
export function toPair(size: SideOrPair): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/** Draws a uniform number in [low, high). */
export function drawBetween(draw: Draw, [low, high]: readonly [number, number]): number {
  return low + (high - low) * draw();
}

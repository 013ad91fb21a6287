/** Checks the memory that a transform of an image needs before any of it is allocated. */
import type { Transform } from '../types';
import { definitionOf } from './registry';
import type { Size } from './step';

/** Maximum pixels of an intermediate image of a transform: 67 million, 201 MB. */
export const MAX_PIXELS_ON_THE_WAY = 2 ** 26;

/**
 * Explains why images of this size may be too large for a transform, whatever it draws; null when they are not.
 *
 * @param transform a checked transform
 * @param size height and width in pixels, each at least 1
 */
export function transformProblem({ steps }: Pick<Transform, 'steps'>, size: Size): string | null {
  let current = size;
  for (const step of steps) {
    const { largest, problem } = definitionOf(step);
    const reason = problem?.(step, current) ?? null;
    if (reason !== null) return `it has ${size.width} x ${size.height} pixels, and ${reason}`;
    if (largest === undefined) continue;
    const next = largest(step, current);
    if (next.pixels > MAX_PIXELS_ON_THE_WAY) {
      return (
        `it has ${size.width} x ${size.height} pixels, of which ${step.type} would make ${next.pixels} ` +
        `on the way to the network; at most ${MAX_PIXELS_ON_THE_WAY} are allowed: crop it to its content`
      );
    }
    current = next.size;
  }
  return null;
}

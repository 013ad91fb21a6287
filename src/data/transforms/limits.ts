/** Counts the memory that a transform would take of an image, before a byte of it is taken. */
import { resizedSize } from './program';
import type { Transform } from '../types';

/**
 * A resize goes over the columns first, as Pillow's does, as long as the image between its two passes has at most so
 * many pixels; of a larger one that side comes first which leaves fewer, and a level may then differ from Pillow's by
 * one or two. Both numbers are those of native/core/augment.h.
 */
const PILLOW_ORDER_PIXELS = 2 ** 24;
/** Pixels that an image may have on its way through a transform: 67 million, 201 MB. */
export const MAX_PIXELS_ON_THE_WAY = 2 ** 26;

interface Size {
  readonly height: number;
  readonly width: number;
}

/** Pixels of the image between the two passes of a resize. */
function pixelsBetween(from: Size, to: Size): number {
  const columnsFirst = from.height * to.width;
  return columnsFirst <= PILLOW_ORDER_PIXELS ? columnsFirst : Math.min(columnsFirst, to.height * from.width);
}

/**
 * Why images of this size cannot go through a transform, whatever it draws; null where they can.
 *
 * @param transform a checked transform
 * @param size height and width in pixels, each at least 1
 */
export function transformProblem({ steps }: Pick<Transform, 'steps'>, size: Size): string | null {
  let current = size;
  for (const step of steps) {
    const next = sizeAfter(step, current);
    if (next === null) continue;
    // A crop pads where the box reaches outside; a random one is at most the whole image.
    const most =
      step.type === 'centerCrop' && (next.height > current.height || next.width > current.width)
        ? Math.max(current.height, next.height) * Math.max(current.width, next.width)
        : Math.max(step.type === 'centerCrop' ? 0 : pixelsBetween(current, next), next.height * next.width);
    if (most > MAX_PIXELS_ON_THE_WAY) {
      return (
        `it has ${size.width} x ${size.height} pixels, of which ${step.type} would make ${most} on the way to the network; ` +
        `at most ${MAX_PIXELS_ON_THE_WAY} are allowed: crop it to its content`
      );
    }
    current = next;
  }
  return null;
}

function sizeAfter(step: Transform['steps'][number], current: Size): Size | null {
  if (step.type === 'resize') return resizedSize(current, step.size);
  if (step.type === 'centerCrop' || step.type === 'randomResizedCrop')
    return { height: step.size[0], width: step.size[1] };
  return null;
}

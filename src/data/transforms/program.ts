/** Converts a transform and an image's size to the pixel operations for that image, with torchvision's arithmetic. */
import { InvalidOptionError } from '../../errors';
import { PIXEL_OP } from '../../addon/batch';
import type { Draw } from '../random';
import type { Transform } from '../types';
import { definitionOf } from './registry';
import type { PixelRow, Rectangle, Size } from './step';

function sizeAfter(row: PixelRow, size: Size): Size {
  if (row[0] === PIXEL_OP.RESIZE || row[0] === PIXEL_OP.ROTATE) return { height: row[1]!, width: row[2]! };
  if (row[0] === PIXEL_OP.CROP) return { height: row[3]!, width: row[4]! };
  return size;
}

function changesNothing(row: PixelRow, { height, width }: Size): boolean {
  if (row[0] === PIXEL_OP.RESIZE) return row[1] === height && row[2] === width;
  return row[0] === PIXEL_OP.CROP && row[1] === 0 && row[2] === 0 && row[3] === height && row[4] === width;
}

const refuseDraw: Draw = () => {
  throw new InvalidOptionError(
    'this transform draws at random; use one that does not (tutorialEval, aspectEval) to predict and to explain',
  );
};
/** The generator for deterministic steps, e.g. a flip with probability 0. */
const noChoice: Draw = () => 0;

/**
 * Returns the pixel operations that convert an image to the network's input.
 *
 * @param transform a checked transform
 * @param size height and width of the image in pixels, each at least 1
 * @param draw uniform numbers in [0, 1) for the random steps; without it a random transform is refused
 * @returns rows of PIXEL_OP; operations that would change nothing are left out
 * @throws InvalidOptionError for a random transform without `draw`
 */
export function planTransform(transform: Transform, size: Size, draw: Draw | null = null): PixelRow[] {
  const rows: PixelRow[] = [];
  let current = size;
  for (const step of transform.steps) {
    const definition = definitionOf(step);
    const numbers = draw ?? (definition.isRandom(step) ? refuseDraw : noChoice);
    for (const row of definition.plan(step, current, numbers)) {
      if (changesNothing(row, current)) continue;
      rows.push(row);
      current = sizeAfter(row, current);
    }
  }
  return rows;
}

/**
 * Returns the region of the original image that the network's input shows, for a deterministic transform.
 *
 * @returns a rectangle in the original's pixels, with fractions; it reaches outside the image where a crop pads
 * @throws InvalidOptionError for a random transform
 */
export function inputRegion(transform: Transform, size: Size): Rectangle {
  let current = size;
  let region: Rectangle = { top: 0, left: 0, height: size.height, width: size.width };
  for (const row of planTransform(transform, size)) {
    const [operation, top, left, height, width] = row;
    if (operation === PIXEL_OP.CROP) {
      const perRow = region.height / current.height;
      const perColumn = region.width / current.width;
      region = {
        top: region.top + top! * perRow,
        left: region.left + left! * perColumn,
        height: height! * perRow,
        width: width! * perColumn,
      };
    }
    current = sizeAfter(row, current);
  }
  return region;
}

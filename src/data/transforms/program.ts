/** Turns a transform and an image's size into the pixel operations of that image, with torchvision's arithmetic. */
import { InvalidOptionError } from '../../errors';
import { PIXEL_OP } from '../../addon/types';
import { drawInteger } from '../random';
import type { Draw } from '../random';
import type { Transform, TransformStep } from '../types';

interface Size {
  readonly height: number;
  readonly width: number;
}

/** A rectangle in pixels. */
export interface Rectangle {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** A row of `NativeBatch.programs`: an operation of PIXEL_OP and its four arguments. */
export type PixelRow = readonly [number, number, number, number, number];

/** Rounds halves to the even neighbor, as Python's `round` does. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** torchvision's `Resize`: with one number the shorter side gets it and the longer one `int(size * long / short)`. */
export function resizedSize({ height, width }: Size, size: number | readonly [number, number]): Size {
  if (typeof size !== 'number') return { height: size[0], width: size[1] };
  const short = Math.min(height, width);
  const long = Math.floor((size * Math.max(height, width)) / short);
  return width <= height ? { height: long, width: size } : { height: size, width: long };
}

/** torchvision's `CenterCrop`, which pads an image that is too small (less on the left and top when it does not halve). */
export function centerCropBox({ height, width }: Size, [cropHeight, cropWidth]: readonly [number, number]): Rectangle {
  const padTop = Math.max(0, Math.floor((cropHeight - height) / 2));
  const padLeft = Math.max(0, Math.floor((cropWidth - width) / 2));
  const top = roundHalfEven((Math.max(height, cropHeight) - cropHeight) / 2) - padTop;
  const left = roundHalfEven((Math.max(width, cropWidth) - cropWidth) / 2) - padLeft;
  return { top, left, height: cropHeight, width: cropWidth };
}

/**
 * torchvision's `RandomResizedCrop.get_params`: ten tries at a box whose share of the area is uniform in `scale` and
 * whose log aspect ratio is uniform in log `ratio`; then the largest centered box within `ratio`.
 *
 * @param draw consumed in torchvision's order: area, ratio, and for a box that fits top and left
 */
export function randomCropBox(
  { height, width }: Size,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  draw: Draw,
): Rectangle {
  const logLow = Math.log(ratio[0]);
  const logHigh = Math.log(ratio[1]);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const area = height * width * (scale[0] + (scale[1] - scale[0]) * draw());
    const aspect = Math.exp(logLow + (logHigh - logLow) * draw());
    const boxWidth = roundHalfEven(Math.sqrt(area * aspect));
    const boxHeight = roundHalfEven(Math.sqrt(area / aspect));
    if (boxWidth > 0 && boxWidth <= width && boxHeight > 0 && boxHeight <= height) {
      const top = drawInteger(draw, height - boxHeight + 1);
      const left = drawInteger(draw, width - boxWidth + 1);
      return { top, left, height: boxHeight, width: boxWidth };
    }
  }
  const whole = width / height;
  let box: Size = { height, width };
  if (whole < ratio[0]) box = { height: roundHalfEven(width / ratio[0]), width };
  else if (whole > ratio[1]) box = { height, width: roundHalfEven(height * ratio[1]) };
  return { top: Math.floor((height - box.height) / 2), left: Math.floor((width - box.width) / 2), ...box };
}

function stepRows(step: TransformStep, size: Size, draw: Draw): PixelRow[] {
  switch (step.type) {
    case 'resize': {
      const { height, width } = resizedSize(size, step.size);
      return [[PIXEL_OP.RESIZE, height, width, 0, 0]];
    }
    case 'centerCrop': {
      const { top, left, height, width } = centerCropBox(size, step.size);
      return [[PIXEL_OP.CROP, top, left, height, width]];
    }
    case 'randomResizedCrop': {
      const { top, left, height, width } = randomCropBox(size, step.scale, step.ratio, draw);
      return [
        [PIXEL_OP.CROP, top, left, height, width],
        [PIXEL_OP.RESIZE, step.size[0], step.size[1], 0, 0],
      ];
    }
    case 'randomHorizontalFlip':
      return draw() < step.p ? [[PIXEL_OP.FLIP, 0, 0, 0, 0]] : [];
    case 'toTensor':
    case 'normalize':
      return [];
  }
}

function sizeAfter(row: PixelRow, size: Size): Size {
  if (row[0] === PIXEL_OP.RESIZE) return { height: row[1], width: row[2] };
  if (row[0] === PIXEL_OP.CROP) return { height: row[3], width: row[4] };
  return size;
}

function changesNothing(row: PixelRow, { height, width }: Size): boolean {
  if (row[0] === PIXEL_OP.RESIZE) return row[1] === height && row[2] === width;
  return row[0] === PIXEL_OP.CROP && row[1] === 0 && row[2] === 0 && row[3] === height && row[4] === width;
}

const noDraw: Draw = () => {
  throw new InvalidOptionError(
    'this transform draws at random; use one that does not (tutorialEval, aspectEval) to predict and to explain',
  );
};

/**
 * The pixel operations that turn one image into the network's input.
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
    for (const row of stepRows(step, current, draw ?? noDraw)) {
      if (changesNothing(row, current)) continue;
      rows.push(row);
      current = sizeAfter(row, current);
    }
  }
  return rows;
}

/**
 * The part of the original image that the network's input shows, for a transform that draws nothing.
 *
 * @returns a rectangle in the original's pixels, with fractions; it reaches outside the image where a crop pads
 * @throws InvalidOptionError for a random transform
 */
export function inputRegion(transform: Transform, size: Size): Rectangle {
  let current = size;
  let region: Rectangle = { top: 0, left: 0, height: size.height, width: size.width };
  for (const row of planTransform(transform, size)) {
    if (row[0] === PIXEL_OP.CROP) {
      const perRow = region.height / current.height;
      const perColumn = region.width / current.width;
      region = {
        top: region.top + row[1] * perRow,
        left: region.left + row[2] * perColumn,
        height: row[3] * perRow,
        width: row[4] * perColumn,
      };
    }
    current = sizeAfter(row, current);
  }
  return region;
}

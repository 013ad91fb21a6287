/** Checks the size in an image's header against the limits before the pixels are decoded. */
import type { ImageLimits } from './options';
import { Refusal } from './refusal';

/** Height and width in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Explains why the caller cannot use an image of this size; null when it can. */
export type SizeCheck = (size: ImageSize) => string | null;

/** Throws Refusal for an image that is too large, has no pixels, or is refused by `check`. */
export function checkSize(
  { width, height }: ImageSize,
  { maxPixels, maxSide }: Pick<ImageLimits, 'maxPixels' | 'maxSide'>,
  check?: SizeCheck,
): void {
  if (width < 1 || height < 1) throw new Refusal(`it has ${width} x ${height} pixels`);
  if (width * height > maxPixels)
    throw new Refusal(`it has ${width} x ${height} pixels, more than maxPixels ${maxPixels}`);
  if (Math.max(width, height) > maxSide)
    throw new Refusal(`it has ${width} x ${height} pixels, and a side more than maxSide ${maxSide}`);
  const problem = check?.({ width, height }) ?? null;
  if (problem !== null) throw new Refusal(problem);
}

/** Makes the preprocessing of `covidct prepare` (resize, 16-bit scaling) part of the transforms of its images. */
import { DatasetError } from '../../errors';
import type { SixteenBit } from '../images/options';
import { isPixelSource } from '../images/decode';
import { compose } from '../transforms/transform';
import { resize } from '../transforms/steps/resize';
import type { Dataset, Transform } from '../types';

/**
 * Returns the shorter side to which all images were resized when they were packed; null when they were not resized.
 *
 * @throws DatasetError when they differ
 */
export function packedResize(datasets: readonly Dataset[]): number | null {
  let found: number | null | undefined;
  for (const { name, samples } of datasets) {
    for (const { source, id } of samples) {
      const resized = isPixelSource(source) ? source.resize : null;
      if (found === undefined) found = resized;
      if (found !== resized)
        throw new DatasetError(
          `${name}: expected images that were all packed in one way; ${id} is ${inWords(resized)}, ` +
            `the ones before it are ${inWords(found)}; train on and validate with data of one kind`,
        );
    }
  }
  return found ?? null;
}

/**
 * Returns the 16-bit scaling of these data sets: the requested one, or else that of the packed images.
 *
 * @throws DatasetError when packed images have another scaling, because their pixels can no longer be rescaled
 */
export function storedSixteenBit(datasets: readonly Dataset[], asked: SixteenBit | undefined): SixteenBit | undefined {
  let found = asked;
  for (const { name, samples } of datasets) {
    for (const { source, id } of samples) {
      const packed = isPixelSource(source) ? (source.sixteenBit ?? null) : null;
      if (packed === null) continue; // not set, or 8-bit images
      found ??= packed;
      if (packed.low === found.low && packed.high === found.high) continue;
      throw new DatasetError(
        `${name}: expected 16-bit images scaled with sixteenBit ${inNumbers(found)}; ${id} was ` +
          `packed with ${inNumbers(packed)}; pack the originals again (covidct prepare ` +
          `--sixteen-bit ${found.low}:${found.high}), or ask for ${inNumbers(packed)}`,
      );
    }
  }
  return found;
}

function inNumbers({ low, high }: SixteenBit): string {
  return `{ low: ${low}, high: ${high} }`;
}

function inWords(resized: number | null): string {
  return resized === null ? 'as it was decoded' : `resized to a shorter side of ${resized} pixels`;
}

/**
 * Prepends the resize of the packed images to the transform, so that an original image becomes the same input. On the
 * packed images that step changes nothing, because their shorter side already has that size.
 */
export function withPackedResize(transform: Transform, resized: number | null): Transform {
  if (resized === null) return transform;
  const [first] = transform.steps;
  return first?.type === 'resize' && first.size === resized
    ? transform
    : compose([resize(resized), ...transform.steps]);
}

/** Reads one image for a network: decoded, and already as small as the network's transform makes it. */
import { decodeChecked } from '../data/images/decode';
import { imageOptionsOf } from '../data/images/options';
import type { ImageOptions } from '../data/images/options';
import { transformProblem } from '../data/transforms/limits';
import { resizedSize } from '../data/transforms/steps/resize';
import type { ImageSource, Pixels } from '../data/types';
import type { Network } from '../model/types';

/** An image as it is in its file, and as the network takes it. */
export interface ReadImage {
  readonly original: Pixels;
  readonly pixels: Pixels;
}

/**
 * Decodes an image and resizes it, bit for bit as the transform's first step would: what waits for its batch is then
 * some hundred kilobytes, whatever the size of the file.
 *
 * @throws BadImageError; AbortedError
 */
export async function readImage(
  source: ImageSource,
  network: Network,
  images: ImageOptions,
  signal: AbortSignal,
): Promise<ReadImage> {
  const { transform, sixteenBit } = network.belongings;
  const options = { ...imageOptionsOf(images), sixteenBit: images.sixteenBit ?? sixteenBit ?? undefined, signal };
  const original = await decodeChecked(source, options, (size) => transformProblem(transform, size));
  const [first] = transform.steps;
  if (first?.type !== 'resize' || network.resizePixels === undefined) return { original, pixels: original };
  const size = resizedSize(original, first.size);
  const same = size.height === original.height && size.width === original.width;
  return { original, pixels: same ? original : await network.resizePixels(original, size) };
}

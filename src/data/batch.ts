/** Packs decoded images, their pixel programs and labels into the micro-batch the addon takes. */
import { CovidCtError } from '../errors';
import { PIXEL_OP_STRIDE } from '../addon/batch';
import type { NativeBatch } from '../addon/batch';
import { planTransform } from './transforms/program';
import type { Draw } from './random';
import { inputSize, normalizationOf } from './transforms/transform';
import type { Pixels, Transform } from './types';

function checkPixels({ data, height, width }: Pixels, index: number): void {
  if (height >= 1 && width >= 1 && data.length === height * width * 3) return;
  throw new CovidCtError(
    'ERR_BAD_BATCH',
    `image ${index} of the batch: expected height x width x 3 bytes of RGB, got ${data.length} bytes for ${height} x ${width}`,
  );
}

/**
 * Makes a micro-batch.
 *
 * @param pixels one RGB image each, uint8
 * @param labels class indices, one for each image, or null where there are none
 * @param transform how an image becomes the network's input
 * @param draws one generator for each image; may be left out for a transform that draws nothing
 * @throws CovidCtError ERR_BAD_BATCH when lengths do not fit; InvalidOptionError for a random transform without draws
 */
export function makeBatch(
  pixels: readonly Pixels[],
  labels: readonly number[] | null,
  transform: Transform,
  draws: readonly Draw[] | null = null,
): NativeBatch {
  if (pixels.length === 0) throw new CovidCtError('ERR_BAD_BATCH', 'a batch needs at least one image');
  for (const [name, list] of [
    ['labels', labels],
    ['draws', draws],
  ] as const) {
    if (list !== null && list.length !== pixels.length) {
      throw new CovidCtError('ERR_BAD_BATCH', `${pixels.length} images but ${list.length} ${name}`);
    }
  }
  const sizes = new Int32Array(pixels.length * 2);
  const programOffsets = new Int32Array(pixels.length + 1);
  const rows: number[] = [];
  pixels.forEach((image, index) => {
    checkPixels(image, index);
    sizes.set([image.height, image.width], index * 2);
    for (const row of planTransform(transform, image, draws?.[index] ?? null)) {
      rows.push(...row);
      for (let missing = row.length; missing < PIXEL_OP_STRIDE; missing += 1) rows.push(0);
    }
    programOffsets[index + 1] = rows.length / PIXEL_OP_STRIDE;
  });
  const { mean, std } = normalizationOf(transform);
  return {
    images: pixels.map((image) => image.data),
    sizes,
    programs: Int32Array.from(rows),
    programOffsets,
    ...inputSize(transform),
    mean: Float64Array.from(mean),
    std: Float64Array.from(std),
    ...(pixels.some(({ key }) => key !== undefined) ? { keys: Int32Array.from(pixels, ({ key }) => key ?? 0) } : {}),
    ...(labels === null ? {} : { labels: Int32Array.from(labels) }),
  };
}

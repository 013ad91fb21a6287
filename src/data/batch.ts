/** Packs decoded images, their pixel programs and labels into the micro-batch the addon takes. */
import { CovidCtError } from '../errors';
import { PIXEL_FACTOR_STRIDE, PIXEL_OP_STRIDE } from '../addon/batch';
import type { NativeBatch } from '../addon/batch';
import { planTransform } from './transforms/program';
import type { Draw } from './random';
import { inputSize, normalizationOf } from './transforms/transform';
import type { PixelRow } from './transforms/step';
import type { Pixels, Transform } from './types';

function checkPixels({ data, height, width }: Pixels, index: number): void {
  if (height >= 1 && width >= 1 && data.length === height * width * 3) return;
  throw new CovidCtError(
    'ERR_BAD_BATCH',
    `image ${index} of the batch: expected height x width x 3 bytes ` +
      `of RGB, got ${data.length} bytes for ${height} x ${width}`,
  );
}

/** Packs the rows of pixel operations for the addon; `factors` is left out when no row has real-valued arguments. */
function packRows(rows: readonly PixelRow[]): Pick<NativeBatch, 'programs' | 'factors'> {
  const programs = new Int32Array(rows.length * PIXEL_OP_STRIDE);
  rows.forEach((row, index) => programs.set(row.slice(0, PIXEL_OP_STRIDE), index * PIXEL_OP_STRIDE));
  if (!rows.some(({ length }) => length > PIXEL_OP_STRIDE)) return { programs };
  const factors = new Float64Array(rows.length * PIXEL_FACTOR_STRIDE);
  rows.forEach((row, index) => factors.set(row.slice(PIXEL_OP_STRIDE), index * PIXEL_FACTOR_STRIDE));
  return { programs, factors };
}

/**
 * Makes a micro-batch.
 *
 * @param pixels one RGB image each, uint8
 * @param labels class index of each image, or null without labels
 * @param transform converts an image to the network's input
 * @param draws one random generator per image; not needed for a deterministic transform
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
  const rows: PixelRow[] = [];
  pixels.forEach((image, index) => {
    checkPixels(image, index);
    sizes.set([image.height, image.width], index * 2);
    rows.push(...planTransform(transform, image, draws?.[index] ?? null));
    programOffsets[index + 1] = rows.length;
  });
  const { mean, std } = normalizationOf(transform);
  return {
    images: pixels.map((image) => image.data),
    sizes,
    ...packRows(rows),
    programOffsets,
    ...inputSize(transform),
    mean: Float64Array.from(mean),
    std: Float64Array.from(std),
    ...(pixels.some(({ key }) => key !== undefined) ? { keys: Int32Array.from(pixels, ({ key }) => key ?? 0) } : {}),
    ...(labels === null ? {} : { labels: Int32Array.from(labels) }),
  };
}

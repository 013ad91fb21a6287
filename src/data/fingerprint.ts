/** Computes a hash that identifies a data set by its content, independent of its location. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { datasetSchema } from './schemas';
import { checkArgument } from '../options/check';
import { isPixelSource } from './images/decode';
import type { Dataset, ImageSource, Sample } from './types';

/**
 * Returns the SHA-256 of the class names and of every sample's id and label, independent of their order. The pixels are
 * not read; a resize or 16-bit scaling of packed images is included.
 *
 * @returns 64 hexadecimal digits
 */
export function datasetFingerprint(dataset: Dataset): string {
  const { classes, samples } = checkArgument(datasetSchema, dataset, 'datasetFingerprint', 'dataset');
  const lines = samples.map(lineOf).sort();
  return createHash('sha256')
    .update([JSON.stringify(classes), ...lines].join('\n'))
    .digest('hex');
}

/** SHA-256 over the ids in their order, on which it depends in what order a training sees the samples. */
export function orderFingerprint({ samples }: Dataset): string {
  const hash = createHash('sha256');
  for (const { id } of samples) hash.update(`${JSON.stringify(id)}\n`);
  return hash.digest('hex');
}

/** Returns the hashed line of a sample; an unchanged packed image has the same line as its original. */
function lineOf({ id, label, source }: Sample): string {
  const { resize = null, sixteenBit = null } = isPixelSource(source) ? source : {};
  const changed = {
    ...(resize === null ? {} : { resize }),
    ...(sixteenBit === null ? {} : { sixteenBit: [sixteenBit.low, sixteenBit.high] }),
  };
  return JSON.stringify(Object.keys(changed).length === 0 ? [id, label] : [id, label, changed]);
}

/** Number of files that are looked at at once. */
const AT_ONCE = 64;

/**
 * Returns the SHA-256 of every sample's id and the size of its file, independent of their order: it changes with nearly
 * every change of an image, though none is read.
 *
 * @returns 64 hexadecimal digits; null for a packed data set, whose images have no size of their own
 */
export async function datasetSizes({ samples }: Pick<Dataset, 'samples'>): Promise<string | null> {
  if (samples.some(({ source }) => isPixelSource(source))) return null;
  const lines: string[] = [];
  for (let from = 0; from < samples.length; from += AT_ONCE) {
    const some = samples.slice(from, from + AT_ONCE);
    lines.push(...(await Promise.all(some.map(async ({ id, source }) => JSON.stringify([id, await sizeOf(source)])))));
  }
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}

/** Returns the bytes of an encoded image; null for a file that cannot be looked at. */
async function sizeOf(source: ImageSource): Promise<number | null> {
  if (typeof source !== 'string') return isPixelSource(source) ? null : source.byteLength;
  return await stat(source).then(
    ({ size }) => size,
    () => null,
  );
}

/** Computes a hash that identifies a data set by its content, independent of its location. */
import { createHash } from 'node:crypto';
import { datasetSchema } from './schemas';
import { checkArgument } from '../options/check';
import { isPixelSource } from './images/decode';
import type { Dataset, Sample } from './types';

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

/** Returns the hashed line of a sample; an unchanged packed image has the same line as its original. */
function lineOf({ id, label, source }: Sample): string {
  const { resize = null, sixteenBit = null } = isPixelSource(source) ? source : {};
  const changed = {
    ...(resize === null ? {} : { resize }),
    ...(sixteenBit === null ? {} : { sixteenBit: [sixteenBit.low, sixteenBit.high] }),
  };
  return JSON.stringify(Object.keys(changed).length === 0 ? [id, label] : [id, label, changed]);
}

/** Tells whether two data sets are the same one: a hash over what is in them, not over where they lie. */
import { createHash } from 'node:crypto';
import { datasetSchema } from './schemas';
import { checkArgument } from '../options/check';
import { isPixelSource } from './images/decode';
import type { Dataset, Sample } from './types';

/**
 * SHA-256 over the class names and over every sample's id and label, whatever their order. The pixels are not read;
 * where they were resized, or scaled from 16 bits as named, when they were packed, that is a part of it.
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

/** A packed image that was not changed is the original. */
function lineOf({ id, label, source }: Sample): string {
  const { resize = null, sixteenBit = null } = isPixelSource(source) ? source : {};
  const changed = {
    ...(resize === null ? {} : { resize }),
    ...(sixteenBit === null ? {} : { sixteenBit: [sixteenBit.low, sixteenBit.high] }),
  };
  return JSON.stringify(Object.keys(changed).length === 0 ? [id, label] : [id, label, changed]);
}

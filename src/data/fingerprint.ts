/** Tells whether two data sets are the same one: a hash over what is in them, not over where they lie. */
import { createHash } from 'node:crypto';
import { datasetSchema } from '../options/atoms';
import { checkArgument } from '../options/check';
import { isPixelSource } from './decode';
import type { Dataset, Sample } from './types';

/**
 * SHA-256 over the class names and over every sample's id and label, whatever their order. The pixels are not read; where
 * they were resized when they were packed, to what is a part of it.
 *
 * @returns 64 hexadecimal digits
 */
export function datasetFingerprint(dataset: Dataset): string {
  const { classes, samples } = checkArgument(datasetSchema, dataset, 'datasetFingerprint', 'dataset');
  const lines = samples.map(lineOf).sort();
  return createHash('sha256').update([JSON.stringify(classes), ...lines].join('\n')).digest('hex');
}

/** A packed image that was not resized is the original. */
function lineOf({ id, label, source }: Sample): string {
  const resized = isPixelSource(source) ? source.resize : null;
  return JSON.stringify(resized === null ? [id, label] : [id, label, { resize: resized }]);
}

/** Tells whether two data sets are the same one: a hash over what is in them, not over where they lie. */
import { createHash } from 'node:crypto';
import type { Dataset } from './types';

/**
 * SHA-256 over the class names and over every sample's id and label, whatever their order. The pixels are not read.
 *
 * @returns 64 hexadecimal digits
 */
export function datasetFingerprint({ classes, samples }: Dataset): string {
  const lines = samples.map(({ id, label }) => JSON.stringify([id, label])).sort();
  return createHash('sha256').update([JSON.stringify(classes), ...lines].join('\n')).digest('hex');
}

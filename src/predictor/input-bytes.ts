/** What an input holds in memory while it waits. */
import { BlobSource, RawSource } from '../data/images/memory-source';
import type { ImageSource } from '../data/types';

/**
 * Bytes of an input that count toward a predictor's bound: of buffers, Blobs and pixels. A path, a stream and an image
 * of a packed data set hold nothing before they are read.
 */
export function inputBytes(source: ImageSource): number {
  if (source instanceof Uint8Array) return source.byteLength;
  return source instanceof BlobSource || source instanceof RawSource ? source.bytes : 0;
}

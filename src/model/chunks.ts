/** Walks a list of image sources in chunks: decode, work, next. */
import { setMaxListeners } from 'node:events';
import { decodeChecked } from '../data/images/decode';
import { releaseSources } from '../data/images/source';
import { transformProblem } from '../data/transforms/limits';
import type { ImageSource, Pixels, Transform } from '../data/types';
import { throwIfAborted } from '../errors';
import { imageOptionsOf } from '../data/images/options';
import type { ImageOptions, SixteenBit } from '../data/images/options';

/** How the images of a prediction are read. */
export interface ChunkOptions {
  /** Images at a time. */
  readonly size: number;
  readonly signal?: AbortSignal | undefined;
  /** What an image that cannot go through it is refused for, before it is decoded. */
  readonly transform: Transform;
  readonly images: ImageOptions;
  /** The model's scale of 16-bit images, where the options name none. */
  readonly ownSixteenBit: SixteenBit | null;
}

/**
 * Decodes `size` sources at a time and hands them to `work`; the results come back in order.
 *
 * @throws BadImageError; AbortedError between and within chunks; whatever `work` throws
 */
export async function inChunks<T>(
  sources: readonly ImageSource[],
  options: ChunkOptions,
  work: (chunk: readonly ImageSource[], pixels: readonly Pixels[]) => Promise<T[]>,
): Promise<T[]> {
  try {
    return await walk(sources, options, work);
  } finally {
    releaseSources(sources);
  }
}

async function walk<T>(
  sources: readonly ImageSource[],
  options: ChunkOptions,
  work: (chunk: readonly ImageSource[], pixels: readonly Pixels[]) => Promise<T[]>,
): Promise<T[]> {
  const results: T[] = [];
  const images = {
    ...imageOptionsOf(options.images),
    sixteenBit: options.images.sixteenBit ?? options.ownSixteenBit ?? undefined,
  };
  const sizeCheck = (size: Pick<Pixels, 'width' | 'height'>): string | null =>
    transformProblem(options.transform, size);
  const signal = options.signal && AbortSignal.any([options.signal]);
  if (signal) setMaxListeners(0, signal); // one for each image of a chunk: many, but no leak
  for (let at = 0; at < sources.length; at += options.size) {
    throwIfAborted(signal);
    const chunk = sources.slice(at, at + options.size);
    const pixels = await Promise.all(chunk.map((source) => decodeChecked(source, { ...images, signal }, sizeCheck)));
    results.push(...(await work(chunk, pixels)));
  }
  return results;
}

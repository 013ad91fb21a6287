/** Walks a list of image sources in chunks: decode, work, next. */
import { setMaxListeners } from 'node:events';
import { decodeImage } from '../data/decode';
import type { ImageSource, Pixels } from '../data/types';
import { throwIfAborted } from '../errors';

/** One source or many, as a list. */
export function asList(sources: ImageSource | readonly ImageSource[]): readonly ImageSource[] {
  return Array.isArray(sources) ? (sources as readonly ImageSource[]) : [sources as ImageSource];
}

/**
 * Decodes `size` sources at a time and hands them to `work`; the answers come back in order.
 *
 * @throws BadImageError; AbortedError between and within chunks; whatever `work` throws
 */
export async function inChunks<T>(
  sources: readonly ImageSource[],
  options: { readonly size: number; readonly signal?: AbortSignal },
  work: (chunk: readonly ImageSource[], pixels: readonly Pixels[]) => Promise<T[]>,
): Promise<T[]> {
  const answers: T[] = [];
  const signal = options.signal && AbortSignal.any([options.signal]);
  if (signal) setMaxListeners(0, signal); // one for each image of a chunk: many, but no leak
  for (let at = 0; at < sources.length; at += options.size) {
    throwIfAborted(signal);
    const chunk = sources.slice(at, at + options.size);
    const pixels = await Promise.all(chunk.map((source) => decodeImage(source, { signal })));
    answers.push(...(await work(chunk, pixels)));
  }
  return answers;
}

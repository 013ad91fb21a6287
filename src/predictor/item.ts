/** One image in a predictor, from its admission to its answer. */
import type { ImageSource, Pixels } from '../data/types';
import type { FifoEntry } from './fifo';
import type { ResolvedRequest } from './options';
import type { ServedModel } from './served-model';
import type { ServedPrediction } from './types';

/** Where an image is. */
export type Stage = 'waiting' | 'decoding' | 'decoded' | 'computing' | 'gone';

/** An image with everything known of it. */
export interface Item {
  readonly number: number;
  readonly request: ResolvedRequest;
  readonly resolve: (answer: ServedPrediction) => void;
  readonly reject: (error: unknown) => void;
  readonly admitted: number;
  /** Bytes of its input that count toward the bound; 0 once it is decoded. */
  bytes: number;
  stage: Stage;
  /** Whether its caller has been told. */
  settled: boolean;
  /** Given back once it is decoded, so that its memory is free. */
  source: ImageSource;
  entry: FifoEntry<Item> | null;
  /** Stops the reading of a stream. */
  readonly stop: AbortController;
  model: ServedModel | null;
  /** Ends its use of the model. */
  release: () => void;
  /** What the network takes; null before and after. */
  pixels: Pixels | null;
  /** The image as it was decoded, where it is to be explained. */
  original: Pixels | null;
  decodeAt: number;
  decodedAt: number;
}

/** Stands for an input whose bytes are not needed any more; it keeps its name. */
export function nameOnly(source: ImageSource): ImageSource {
  if (typeof source === 'string') return source;
  const named = source instanceof Uint8Array ? { name: `(${source.byteLength} bytes in memory)` } : source;
  const { name } = named;
  const path = 'path' in named && named.path !== undefined ? { path: named.path } : {};
  return { name, resize: null, ...path, readPixels: () => Promise.reject(new Error(`${name} has been read`)) };
}

/** What a weight file holds, whatever its format. */
import type { NativeTensorSource } from '../addon/types';

/** A tensor of a weight file, with its place in that file. */
export interface WeightSource extends NativeTensorSource {
  /** The shard that holds its bytes, where that is another file than the one that was opened. */
  readonly file?: string;
}

/** What a weight file holds; no tensor has been read yet. */
export interface WeightFile {
  readonly path: string;
  readonly format: 'safetensors' | 'safetensors-index' | 'pth-zip' | 'pth-legacy';
  /** In the file's order, each with its place in the file. */
  readonly tensors: readonly WeightSource[];
  /** Metadata of a safetensors file; empty for other formats. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was done to find the tensors, in words: where they stood, prefixes taken off, what was left out. */
  readonly notes: readonly string[];
}

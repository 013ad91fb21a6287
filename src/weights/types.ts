/** The content of a weight file, independent of its format. */
import type { NativeTensorSource } from '../addon/types';

/** A tensor of a weight file, with its offset in that file. */
export interface WeightSource extends NativeTensorSource {
  /** The shard with the tensor's bytes, when it is not the file that was opened. */
  readonly file?: string;
}

/** An opened weight file; no tensor data has been read yet. */
export interface WeightFile {
  readonly path: string;
  readonly format: 'safetensors' | 'safetensors-index' | 'pth-zip' | 'pth-legacy';
  /** The tensors in the file's order. */
  readonly tensors: readonly WeightSource[];
  /** Metadata of a safetensors file; empty for other formats. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How the tensors were found, in words: their key, stripped prefixes, what was left out. */
  readonly notes: readonly string[];
}

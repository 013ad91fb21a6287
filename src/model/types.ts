/** What the model room hands to the others. */
import type { ResizePixels } from '../data/types';
import type { NativeClassifier, NativeFacts } from '../addon/types';
import type { LoadReport } from '../weights/match';
import type { Belongings } from './belongings';
import type { Convolution, LoadWeightsOptions, Precision } from './options';
import type { Preprocessing } from './preprocessing';

/**
 * The calls that a network passes on to the addon, where src/addon/types.ts documents them. They throw CovidCtError.
 */
export type NativeCalls = Omit<NativeClassifier, 'ready' | 'bytes' | 'dispose'>;

/** What a network is made with. */
export interface NetworkSettings {
  readonly architecture: string;
  /** Class names in the order of their indices. */
  readonly classes: readonly string[];
  /** Channels of its input: 3 (RGB) or 1 (gray). */
  readonly channels: 1 | 3;
  /** Probability of its dropout layers in training. */
  readonly dropout: number;
  /** In which numbers it computes. */
  readonly precision: Precision;
  /** Which convolutions it computes with. */
  readonly convolution: Convolution;
}

/**
 * One network on one native thread, with the weights it holds and everything that belongs to them: what training,
 * evaluation and explaining drive. A Classifier hides one; the tests have a fake of it.
 */
export interface Network extends NativeCalls, Readonly<NativeFacts>, NetworkSettings {
  /** Versions of this package, Node, LibTorch and the image libraries. */
  readonly versions: Readonly<Record<string, string>>;
  /** What belongs to the weights it holds now; replaced as a whole. */
  belongings: Belongings;
  /** Mean and standard deviation that belong to its weights; undefined where nothing but ImageNet's default speaks. */
  readonly normalization: { mean: [number, number, number]; std: [number, number, number] } | undefined;
  /**
   * Resizes on a thread beside the steps, as a transform's resize does in one, bit for bit; undefined for one channel,
   * whose images are made gray before they are resized.
   */
  readonly resizePixels: ResizePixels | undefined;
  /** Sets what belongs to the weights; origin and sixteenBit stay where they are left out. */
  configure(settings: Preprocessing & { readonly origin?: string | undefined }): void;
  /** Writes the weights with their belongings as safetensors, whole or not at all. */
  saveWeights(path: string, metadata?: Readonly<Record<string, string>>): Promise<void>;
  /** Reads weights from a file and replaces what belongs to them; with `weightsOnly` nothing else changes. */
  loadWeights(path: string, options?: LoadWeightsOptions): Promise<LoadReport>;
  /** Marks the network as being trained until the returned function is called; throws ERR_BUSY when it already is. */
  lock(owner: string): () => void;
  /** Bytes of parameters, buffers, gradients, optimizer state, average and kept pixels held now. */
  readonly bytes: number;
  /** Frees the network. Open promises are rejected with ERR_DISPOSED. May be called more than once. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What the model room hands to the others. */
import type { ResizePixels, Transform } from '../data/types';
import type { NativeClassifier, NativeFacts } from '../addon/types';
import type { LoadReport } from '../weights/match';
import type { SixteenBit } from '../data/images/options';
import type { Belongings } from './belongings';
import type { Convolution, LoadWeightsOptions, Precision } from './options';
import type { Preprocessing } from './preprocessing';
import type { Pretraining } from '../weights/pretrained';

/** What is stored beside the weights as `model.json`. */
export interface ModelCard {
  readonly format: 'covidct-torch/model';
  readonly formatVersion: 1;
  readonly architecture: string;
  readonly classes: readonly string[];
  /** How an image becomes the network's input at prediction. */
  readonly transform: Transform;
  /** Probability of the dropout layers when it is trained on; 0.5 where a card does not say. */
  readonly dropout?: number;
  /** Channels of the network's input; 3 where a card does not say. */
  readonly channels?: 1 | 3;
  /**
   * In which numbers the network computed that these weights are of; float32 where a card does not say. The weights
   * themselves are float32.
   */
  readonly precision?: Precision;
  /** What the weights it began with were trained for; absent where they were random. */
  readonly pretraining?: Pretraining;
  /** A probability of the last class at or above this is called positive (two classes only). */
  readonly threshold: number;
  /** Values of 16-bit images that become 0 and 255; absent: all 16 bits count. */
  readonly sixteenBit?: SixteenBit | undefined;
  /** Weight file beside the card. */
  readonly weights: string;
  /** Where the weights came from: `random (seed 0)`, a file's name, ... */
  readonly origin: string;
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
  readonly intendedUse: string;
}

/**
 * The calls that a network passes on to the addon, where src/addon/types.ts documents them. They throw CovidCtError.
 */
export type NativeCalls = Omit<NativeClassifier, 'ready' | 'bytes' | 'dispose'>;

/**
 * One network on one native thread, with the weights it holds and everything that belongs to them: what training,
 * evaluation and explaining drive. A Classifier hides one; the tests have a fake of it.
 */
export interface Network extends NativeCalls, Readonly<NativeFacts> {
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

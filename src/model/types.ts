/** What the model room hands to the others. */
import type { ResizePixels, Transform } from '../data/types';
import type {
  NativeBatch,
  NativeFineTuning,
  NativeGradCam,
  NativeOptimizerOptions,
  NativeOutputs,
  NativeTensor,
  NativeTrainOutputs,
  NativeTrainStepOptions,
} from '../addon/types';
import type { SixteenBit } from '../data/images/options';
import type { Convolution, Precision } from './options';
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
  /** Of the network's input; 3 where a card does not say. */
  readonly channels?: 1 | 3;
  /** In which numbers the network computed that these weights are of; float32 where a card does not say. The weights themselves are float32. */
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

/** The part of a classifier that training, evaluation and explaining drive; the tests have a fake of it. */
export interface Network extends Partial<NativeFineTuning> {
  readonly architecture: string;
  readonly classes: readonly string[];
  /** The device it runs on, e.g. `cpu`. */
  readonly device: string;
  /** Where its weights come from, in words. */
  readonly origin?: string;
  /** Probability of its dropout layers in training. */
  readonly dropout?: number;
  /** Of its input: 3 (RGB) or 1 (gray). */
  readonly channels?: 1 | 3;
  /** In which numbers it computes. */
  readonly precision?: Precision;
  /** Which convolutions it computes with. */
  readonly convolution?: Convolution;
  /** What the weights it began with were trained for. */
  readonly pretraining?: Pretraining | null;
  /** Mean and standard deviation that belong to its weights; ImageNet's where it is left out. */
  readonly normalization?: { mean: [number, number, number]; std: [number, number, number] } | undefined;
  /** Versions of what computes; those of the addon where it is left out. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Names of the layers Grad-CAM can look at, and the default. */
  readonly layers: { readonly names: readonly string[]; readonly default: string };
  /** Names, shapes and dtypes of parameters and buffers, in torchvision's order; a Classifier has it. */
  tensors?(): NativeTensor[];
  /** Resizes on a thread beside the steps, as a transform's resize does in one, bit for bit; absent where the step does more before it. */
  readonly resizePixels?: ResizePixels | undefined;
  /** Keeps images that have a key on the device, at most so many bytes of them; 0: none. A network on a GPU is asked to. */
  keepPixels?(bytes: number): Promise<void>;
  trainStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<NativeTrainOutputs>;
  /** trainStep without a wait for the device, and the outputs of the oldest step that was started so; a network on a GPU is driven by them. */
  startStep?(batch: NativeBatch, options: NativeTrainStepOptions): Promise<void>;
  fetchOutputs?(): Promise<NativeTrainOutputs>;
  optimizerStep(options: NativeOptimizerOptions): Promise<{ gradientNorm: number } | void>;
  /** Forgets gradients and the optimizer's state, as a new optimizer would start. */
  resetOptimizer(): Promise<void>;
  predictBatch(batch: NativeBatch): Promise<NativeOutputs>;
  gradCamBatch(batch: NativeBatch, options: { layer: string; classIndices: Int32Array }): Promise<NativeGradCam>;
  /** Writes the weights as safetensors, whole or not at all. */
  saveWeights(path: string, metadata?: Readonly<Record<string, string>>): Promise<void>;
  /** Reads weights written by saveWeights; every tensor must be there and fit. With `weightsOnly` nothing else changes. */
  loadWeights(path: string, options?: { readonly weightsOnly?: boolean }): Promise<unknown>;
  /** How an image becomes the network's input at prediction and evaluation; a Classifier has it. */
  readonly transform?: Transform;
  /** Operating point of two classes: a probability of class 1 at or above it is called class 1; a Classifier has it. */
  readonly threshold?: number;
  /** Sets transform and threshold of later predictions, and where the weights now come from. */
  configure(settings: {
    readonly transform: Transform;
    readonly threshold: number;
    readonly origin?: string;
    readonly sixteenBit?: SixteenBit | null | undefined;
  }): void;
  /** Values of 16-bit images that become 0 and 255; null: all 16 bits count; a Classifier has it. */
  readonly sixteenBit?: SixteenBit | null;
  /** Marks the classifier as being trained until the returned function is called; throws ERR_BUSY when it already is. */
  lock(owner: string): () => void;
}

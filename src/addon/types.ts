/**
 * The native surface as types. Everything LibTorch does for JavaScript passes through these few methods;
 * a name here is the name in native/classifier_wrap.cc.
 */

/** Codes of one pixel operation, the first column of `NativeBatch.programs`. */
export const PIXEL_OP = {
  /** `[RESIZE, height, width, 0, 0]`: antialiased bilinear, rounded to uint8 as Pillow does. */
  RESIZE: 1,
  /** `[CROP, top, left, height, width]`: what lies outside the image is 0. */
  CROP: 2,
  /** `[FLIP, 0, 0, 0, 0]`: mirror left and right. */
  FLIP: 3,
} as const;

/** Integers in one row of a pixel program. */
export const PIXEL_OP_STRIDE = 5;

/**
 * A micro-batch on its way into the addon: raw pixels and, for each image, the operations that turn it into the
 * network's input. Native copies everything when it is called, so the arrays may be reused at once.
 */
export interface NativeBatch {
  /** One RGB image each, uint8, height × width × 3, rows first. */
  images: readonly Uint8Array[];
  /** Height and width of each image, 2 × n. */
  sizes: Int32Array;
  /** Rows of {@link PIXEL_OP_STRIDE} integers: an operation and its arguments; the images' programs one after another. */
  programs: Int32Array;
  /** Row at which each image's program starts, and the total number of rows: n + 1 entries. */
  programOffsets: Int32Array;
  /** Height of the network's input in pixels; every program must end there. */
  height: number;
  /** Width of the network's input in pixels. */
  width: number;
  /** Subtracted from each channel after scaling to [0, 1]: 3 entries. */
  mean: Float64Array;
  /** Divides each channel after the mean is subtracted, > 0: 3 entries. */
  std: Float64Array;
  /** Class index of each image, in [0, classes). Needed by trainStep and evaluate. */
  labels?: Int32Array;
  /**
   * A name for each image's pixels, > 0, or 0 for none: pixels of one name are the same in every batch. Where `keepPixels`
   * allows it, they are sent to the device once.
   */
  keys?: Int32Array;
}

export interface NativeInfo {
  libtorchVersion: string;
  /** e.g. `AVX2`, `AVX512`. */
  cpuCapability: string;
  threads: number;
  cudaBuilt: boolean;
  cudaDevices: readonly string[];
}

export interface NativeClassifierOptions {
  architecture: string;
  classes: number;
  /** `cpu`, `cuda`, `cuda:N` or `auto`. */
  device: string;
  /** OpenMP threads of this classifier; 0 leaves LibTorch's choice. */
  threads: number;
  seed: number;
  /** Probability of VGG's two dropout layers. */
  dropout: number;
  /** Of the network's input: 3 (RGB, the default) or 1 (gray). */
  channels?: 1 | 3;
  /** Draw initial weights; false where all of them will be read from a file, until when they are undefined. Default true. */
  random?: boolean;
  /** Which convolutions; `libtorch` where left out. */
  convolution?: 'auto' | 'libtorch' | 'winograd';
  /** In which numbers the forward pass computes; `float32` where left out. */
  precision?: 'float32' | 'tf32' | 'bf16';
}

/** A parameter or buffer of the network, under torchvision's name. */
export interface NativeTensor {
  name: string;
  shape: readonly number[];
  /** safetensors dtype: `F32`, `F16`, `BF16`, `F64`, `I64`, ... */
  dtype: string;
  kind: 'parameter' | 'buffer';
}

/** A tensor's elements in a file, little-endian. */
export interface NativeTensorSource {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** Absolute position of its first element in the file, in bytes. */
  offset: number;
  /** Distance between neighbors of each dimension, in elements; contiguous when left out. */
  strides?: readonly number[];
  /** Sum the second dimension into one: RGB filters for gray input. */
  sumInput?: boolean;
}

export interface NativeTrainStepOptions {
  /** The summed (class-weighted) loss is divided by this before the backward pass. */
  divisor: number;
  /** Seed of this micro-batch's dropout masks. */
  dropoutSeed: number;
  /** Weight of each class in the loss; empty for none. */
  classWeights: Float32Array;
  /** Share of the target spread evenly over all classes, in [0, 1), as torch.nn.CrossEntropyLoss has it; 0 when left out. */
  labelSmoothing?: number;
}

export interface NativeOutputs {
  /** n × classes, row by row. */
  logits: Float32Array;
  /** softmax of the logits, n × classes. */
  probabilities: Float32Array;
  /** Unweighted cross entropy of each sample; empty without labels. */
  losses: Float32Array;
}

export interface NativeTrainOutputs extends NativeOutputs {
  /** The value that was differentiated: the (class-weighted) sum divided by `divisor`. */
  objective: number;
}

/** Parameters that share a learning rate and a weight decay. */
export interface NativeOptimizerGroup {
  /** Names of parameters. */
  names: readonly string[];
  learningRate: number;
  weightDecay: number;
}

interface NativeStepOptions {
  /** Of every parameter that stands in no group. */
  learningRate: number;
  /** Of every parameter that stands in no group. */
  weightDecay: number;
  /** A parameter stands in one at most. */
  groups?: readonly NativeOptimizerGroup[];
  /** Gradients are scaled down together so that their common Euclidean norm is at most this; none when left out. */
  maxGradientNorm?: number;
}

/** torch.optim.SGD. */
export interface NativeSgdOptions extends NativeStepOptions {
  kind?: 'sgd';
  momentum: number;
  dampening: number;
  nesterov: boolean;
}

/** torch.optim.Adam (weight decay added to the gradient) or AdamW (weight decay apart from it). */
export interface NativeAdamOptions extends NativeStepOptions {
  kind: 'adam' | 'adamw';
  beta1: number;
  beta2: number;
  epsilon: number;
}

export type NativeOptimizerOptions = NativeSgdOptions | NativeAdamOptions;

/** Training only a part of the network. */
export interface NativeFineTuning {
  /**
   * From now on only these parameters get gradients and steps, and these batch norm layers use their running statistics
   * in training and leave them as they are. Gradients and optimizer state of what is no longer trained are dropped.
   */
  setTrainable(options: { parameters: readonly string[]; frozenNorms: readonly string[] }): Promise<void>;
  /** Names of the batch norm layers, in order; the prefix of the layers behind the features (`classifier.`, `fc.`); f. */
  parts(): { norms: string[]; headPrefix: string; featureWidth: number };
  /**
   * What the head takes, in evaluation mode: n × f, row by row. With `prediction` computed as `predict` does, otherwise as
   * `trainStep` does with every batch norm frozen; the two are equal to rounding.
   */
  features(batch: NativeBatch, options?: { prediction?: boolean }): Promise<Float32Array>;
  /** trainStep from features on: only the head runs, and only its parameters get gradients. */
  trainFeatures(
    features: Float32Array,
    labels: Int32Array,
    options: NativeTrainStepOptions,
  ): Promise<NativeTrainOutputs>;
  /** startStep from features on. */
  startFeatures(features: Float32Array, labels: Int32Array, options: NativeTrainStepOptions): Promise<void>;
  /** predict from features on. */
  predictFeatures(features: Float32Array, labels?: Int32Array): Promise<NativeOutputs>;
  /** Exponential moving average of parameters and buffers; the first call copies them, as torch.optim.swa_utils does. */
  updateAverage(decay: number): Promise<void>;
  /** Exchanges the weights with their average; twice is none. */
  swapAverage(): Promise<void>;
  /** Forgets the average. */
  dropAverage(): Promise<void>;
}

export interface NativeGradCam {
  /** ReLU of the weighted activations, not normalized: n × height × width at the layer's resolution. */
  maps: Float32Array;
  height: number;
  width: number;
  logits: Float32Array;
  probabilities: Float32Array;
}

/** One network on one thread. Every method but `tensors`, `layers`, `bytes` and `dispose` resolves off the event loop. */
export interface NativeClassifier extends NativeFineTuning {
  /** Resolves when the network is built; rejects with ERR_DEVICE, ERR_INVALID_OPTION, ERR_OUT_OF_MEMORY or ERR_NATIVE. */
  ready(): Promise<{ device: string; deviceReason: string; parameters: number; bytes: number; threads: number }>;
  /** Parameters and buffers in torchvision's order. */
  tensors(): NativeTensor[];
  /** Names of the layers Grad-CAM can look at, in order, and the default one. */
  layers(): { names: string[]; default: string };
  /** Forward in training mode and backward; gradients are added to what is there. A step that fails drops them all. */
  trainStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<NativeTrainOutputs>;
  /**
   * trainStep that resolves once it is queued, without a wait for the device; `fetchOutputs` has what came of it. From the
   * first loss on that is not finite the optimizer then changes nothing, until `resetOptimizer`.
   */
  startStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<void>;
  /** Of the oldest started step that has not been fetched. `resetOptimizer` forgets those that are left. */
  fetchOutputs(): Promise<NativeTrainOutputs>;
  /**
   * One step with the gradients gathered so far, then gradients are zeroed. Another kind than at the last step starts
   * with a fresh state. Resolves with the norm before clipping where `maxGradientNorm` is given.
   */
  optimizerStep(options: NativeOptimizerOptions): Promise<{ gradientNorm: number } | void>;
  /** Forget the gathered gradients. */
  zeroGrad(): Promise<void>;
  /** Forget gradients and the optimizer's state, as a new optimizer would start. */
  resetOptimizer(): Promise<void>;
  /** Forward in evaluation mode; goes ahead of queued training steps. Losses when the batch has labels. */
  predict(batch: NativeBatch): Promise<NativeOutputs>;
  /** Grad-CAM of `classIndices[i]` (−1: the predicted class) for image i at the named layer. */
  gradCam(batch: NativeBatch, options: { layer: string; classIndices: Int32Array }): Promise<NativeGradCam>;
  /** Writes raw bytes of the named tensors one after another from `offset` on; `grad.` and `momentum.` prefixes reach those. */
  writeTensors(path: string, offset: number, names: readonly string[]): Promise<void>;
  /** Overwrites the named tensors with bytes of the file, cast to the network's dtype. Drops the average. */
  /** Rejects with ERR_WEIGHTS where a number is not finite, the network as it was, unless `allowNonFinite`. */
  readTensors(path: string, sources: readonly NativeTensorSource[], allowNonFinite?: boolean): Promise<void>;
  /**
   * The network's input for a batch, n × 3 × height × width, as the network would see it. For tests and pictures.
   * `channelsLast`: it is made in that memory format first; the answer is the same.
   */
  pixels(batch: NativeBatch, channelsLast?: boolean): Promise<Float32Array>;
  /** Makes the same input and lets it go; resolves with its bytes. For benchmarks: what the first part of a step costs. */
  prepareInput(batch: NativeBatch): Promise<number>;
  /**
   * Keeps at most so many bytes of images with a key on the device from now on, and crops, resizes and flips there; the
   * input is the same, bit for bit. What was kept before is let go. 0, as at the beginning: none. A want of memory ends it.
   */
  keepPixels(bytes: number): Promise<void>;
  /** Rejects what is open with ERR_DISPOSED, ends the thread and frees everything; does not wait for it. Idempotent. */
  dispose(): void;
  /** Bytes of parameters, buffers, gradients, optimizer state, average and kept pixels held now. */
  bytes(): number;
}

/** One thread that resizes images, below the priority of those that compute. */
export interface NativeResizer {
  /** RGB, uint8, height × width × 3 in and toHeight × toWidth × 3 out, as {@link PIXEL_OP.RESIZE}. The image is copied at the call. */
  resize(image: Uint8Array, height: number, width: number, toHeight: number, toWidth: number): Promise<Uint8Array>;
  /** Rejects what is open with ERR_DISPOSED and ends the thread; does not wait for it. Idempotent. */
  dispose(): void;
}

export interface NativeModule {
  info(): NativeInfo;
  /** Ends and joins all classifiers' threads; for the end of the process, where LibTorch goes before its users. */
  join(): void;
  /** Names of the architectures, e.g. `vgg19_bn`. */
  architectures(): string[];
  Classifier: new (options: NativeClassifierOptions) => NativeClassifier;
  Resizer: new () => NativeResizer;
}

/**
 * The boundary to the addon, and the only documentation of its calls. Everything that LibTorch does for JavaScript
 * passes through these methods; a name here is the name in native/classifier_wrap.cc. To add a call, write it in the
 * learner (native/core/training/learner.h), hand it on in the wrap, and document it here.
 */

import type { NativeBatch } from './batch';
import type { NativeNode } from './nodes';
import type { NativeOptimizerOptions } from './optimizers';

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
  /** Probability of the dropout layers of the head; the architecture's own where left out. */
  dropout?: number;
  /** Channels of the network's input: 3 (RGB, the default) or 1 (gray). */
  channels?: 1 | 3;
  /**
   * Draw initial weights; false where all of them will be read from a file, until when they are undefined. Default
   * true.
   */
  random?: boolean;
  /** Which convolutions; `libtorch` where left out. */
  convolution?: 'auto' | 'libtorch' | 'winograd';
  /** In which numbers the forward pass computes; `float32` where left out. */
  precision?: 'float32' | 'tf32' | 'bf16';
}

/** A parameter or buffer of the network, under torchvision's name; or a tensor of the state of its training. */
export interface NativeTensor {
  name: string;
  shape: readonly number[];
  /** safetensors dtype: `F32`, `F16`, `BF16`, `F64`, `I64`, ... */
  dtype: string;
  kind: 'parameter' | 'buffer' | 'state';
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

/** Features of a frozen backbone that were kept: the input of the head. The arrays are copied when the call is made. */
export interface NativeFeatures {
  /** float32 `[n, featureWidth]`, row by row. */
  features: Float32Array;
  /** Class index of each row, in [0, classes). Needed by trainStep; predict has losses with them. */
  labels?: Int32Array;
}

/** What a step or a prediction starts from. */
export type NativeInput = NativeBatch | NativeFeatures;

export interface NativeTrainStepOptions {
  /** Divides the summed (class-weighted) loss before the backward pass, > 0. */
  divisor: number;
  /** Seed of this micro-batch's dropout masks. */
  dropoutSeed: number;
  /** Weight of each class in the loss; empty for none. */
  classWeights: Float32Array;
  /**
   * Share of the target spread evenly over all classes, in [0, 1), as in torch.nn.CrossEntropyLoss; 0 when left out.
   */
  labelSmoothing?: number;
  /** Resolve once the step is queued on the device; `readOutputs` has its outputs. Default false. */
  deferred?: boolean;
}

export interface NativeOutputs {
  /** float32 `[n, classes]`, row by row. */
  logits: Float32Array;
  /** Softmax of the logits, `[n, classes]`. */
  probabilities: Float32Array;
  /** Unweighted cross entropy of each sample, `[n]`; empty without labels. */
  losses: Float32Array;
}

export interface NativeTrainOutputs extends NativeOutputs {
  /** The value that was differentiated: the (class-weighted) sum divided by `divisor`. */
  objective: number;
}

/** Everything about a network that never changes. */
export interface NativeFacts {
  /** The device it runs on, e.g. `cpu` or `cuda:0`. */
  device: string;
  /** Why that device, in words. */
  deviceReason: string;
  /** OpenMP threads of its computations. */
  threads: number;
  /** Number of trainable numbers. */
  parameters: number;
  /** Parameters and buffers in the order of torchvision's state_dict. */
  tensors: readonly NativeTensor[];
  /** Names of the layers Grad-CAM can look at, in order, and the default one. */
  layers: { readonly names: readonly string[]; readonly default: string };
  /** Names of the batch norm layers, in order. */
  norms: readonly string[];
  /** Prefix of the names of the layers behind the features: `classifier.` or `fc.`. */
  headPrefix: string;
  /** Number of features the head takes; 0 where it takes maps, whose size depends on the image's. */
  featureWidth: number;
  /** What the network computes, in order. */
  nodes: readonly NativeNode[];
}

export interface NativeGradCam {
  /** ReLU of the weighted activations, not normalized: float32 `[n, height, width]` at the layer's resolution. */
  maps: Float32Array;
  height: number;
  width: number;
  logits: Float32Array;
  probabilities: Float32Array;
}

/**
 * One network on one thread. A call but `bytes` and `dispose` is queued, runs off the event loop, and rejects with an
 * error whose `code` is one of src/errors.ts: ERR_INVALID_OPTION and ERR_BAD_BATCH for wrong arguments (with nothing
 * changed), ERR_OUT_OF_MEMORY, ERR_DISPOSED, ERR_NATIVE.
 */
export interface NativeClassifier {
  /**
   * Resolves with all that never changes once the network is built; every other call must wait for it. Or ERR_DEVICE.
   */
  ready(): Promise<NativeFacts>;
  /**
   * Runs forward in training mode and backward; gradients are added to those already gathered. From features on, only
   * the head runs and only its parameters get gradients. A step that fails drops all gathered gradients.
   *
   * A deferred step resolves with undefined once it is queued, without a wait for the device. From the first loss on
   * that is not finite, optimizer and average then change nothing until `configureOptimizer`.
   */
  trainStep(input: NativeInput, options: NativeTrainStepOptions & { deferred?: false }): Promise<NativeTrainOutputs>;
  trainStep(input: NativeInput, options: NativeTrainStepOptions): Promise<NativeTrainOutputs | undefined>;
  /** Resolves with the outputs of the oldest deferred step that has not been read; ERR_NATIVE where there is none. */
  readOutputs(): Promise<NativeTrainOutputs>;
  /**
   * Starts with a new optimizer: forgets gathered gradients, optimizer state and outputs that were not read. Null:
   * there is none afterward, and its memory is free.
   */
  configureOptimizer(options: NativeOptimizerOptions | null): Promise<void>;
  /**
   * Makes one optimizer step with the gathered gradients, then forgets them. A group's rate is its own times
   * `learningRate` divided by the configured one.
   *
   * @returns the Euclidean norm of all gradients before clipping; null without `maxGradientNorm`. Or ERR_DIVERGED where
   *   that norm is not finite, with the weights as they were
   */
  optimizerStep(learningRate: number): Promise<number | null>;
  /**
   * Works on the exponential moving average of parameters and buffers. `update` takes the present weights in: the first
   * copies them, as torch.optim.swa_utils does, later ones need `decay` in [0, 1]. `swap` exchanges the weights with
   * their average; twice is none. `drop` forgets the average.
   */
  average(op: 'update', decay: number): Promise<void>;
  average(op: 'swap' | 'drop'): Promise<void>;
  /**
   * From now on only these parameters get gradients and steps, and these batch norm layers use their running statistics
   * in training and leave them as they are. Gradients and optimizer state of what is no longer trained are dropped.
   */
  setTrainable(options: { parameters: readonly string[]; frozenNorms: readonly string[] }): Promise<void>;
  /** Runs forward in evaluation mode, before every queued training step. Losses when the input has labels. */
  predict(input: NativeInput): Promise<NativeOutputs>;
  /**
   * Resolves with the input of the head in evaluation mode, float32 `[n, featureWidth]`, or the maps that it takes.
   * With `prediction` it is
   * computed as `predict` does, otherwise as `trainStep` does with every batch norm frozen; the two are equal to
   * rounding.
   */
  features(batch: NativeBatch, options?: { prediction?: boolean }): Promise<Float32Array>;
  /**
   * Computes Grad-CAM of `classIndices[i]` (−1: the most probable class) for image i at the named layer. Or ERR_LAYER.
   */
  gradCam(batch: NativeBatch, options: { layer: string; classIndices: Int32Array }): Promise<NativeGradCam>;
  /**
   * Resolves with the network's input for a batch, float32 `[n, channels, height, width]`. `channelsLast`: it is made
   * in that memory format first; the values are the same. `discard`: it is made and freed, and the result is empty, to
   * measure what it costs.
   */
  input(batch: NativeBatch, options?: { channelsLast?: boolean; discard?: boolean }): Promise<Float32Array>;
  /**
   * Keeps at most so many bytes of images that have a key on the device, and crops, resizes and flips them there. The
   * input is the same, bit for bit. 0 frees all of them.
   */
  keepPixels(bytes: number): Promise<void>;
  /**
   * Resolves with what a training has now beside the network's own tensors, in this order: gathered gradients
   * (`grad.PARAMETER`), the optimizer's `momentum.`, `mean.`, `square.` and `steps.`, and the exponential moving
   * average (`average.TENSOR`). What is absent is left out, as a momentum before the first step. Outputs that were not
   * read are no part of it. ERR_INVALID_OPTION while the average is swapped in.
   */
  trainingState(): Promise<NativeTensor[]>;
  /**
   * Writes the raw bytes of the named tensors one after another from `offset` on; the names of `trainingState` work.
   * What a parameter does not have is written as zeros.
   *
   * In the `background` it resolves once a thread of its own has begun, and the file gets what the tensors are at that
   * moment, bit for bit. Steps and predictions go on meanwhile; a call that changes what is written waits for the end,
   * with what is queued behind it but predictions: `optimizerStep`, `configureOptimizer`, `average`, `setTrainable`,
   * `readTensors`, `writeTensors`. Only what `trainStep` changes is copied: buffers and gathered gradients.
   */
  writeTensors(
    path: string,
    offset: number,
    names: readonly string[],
    options?: { background?: boolean },
  ): Promise<void>;
  /**
   * Resolves when the latest write in the background has ended, or rejects with its failure, as often as it is asked
   * for; holds up no other call. Resolves at once where there was none. `dispose` and the end of the
   * process break a write off, which leaves a part in the file.
   */
  finishWrite(): Promise<void>;
  /**
   * Overwrites the named tensors with bytes of the file, cast to the network's dtype, and drops the average.
   * ERR_WEIGHTS where a number is not finite, unless `allowNonFinite`, and where the disk fails. After any failure the
   * network and its training are as they were: tensors are overwritten when all have been read, which takes their size
   * once more, unless the network had no weights yet.
   *
   * With `restore` the names of `trainingState` work too, and the training goes on from what is named: what is not
   * named is absent, as are outputs that were not read. Numbers of that state may be anything. Call
   * `configureOptimizer` and `setTrainable` before, as in the training that was written: ERR_INVALID_OPTION without an
   * optimizer, ERR_WEIGHTS for state that this training cannot have and for a part of what belongs together, with
   * nothing changed.
   */
  readTensors(
    path: string,
    sources: readonly NativeTensorSource[],
    options?: { allowNonFinite?: boolean; restore?: boolean },
  ): Promise<void>;
  /** Returns the bytes of parameters, buffers, gradients, optimizer state, average and kept pixels held now. */
  bytes(): number;
  /** Frees the network. Rejects queued and running work with ERR_DISPOSED; does not wait for it. Idempotent. */
  dispose(): void;
}

/** One thread that resizes images, below the priority of those that compute. */
export interface NativeResizer {
  /**
   * RGB, uint8, height × width × 3 in and toHeight × toWidth × 3 out, as {@link PIXEL_OP.RESIZE}. The image is copied
   * at the call.
   */
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

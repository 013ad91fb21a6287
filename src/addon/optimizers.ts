/** What an optimizer of the addon is made with, in the words of torch.optim. */

/** Parameters that share a learning rate and a weight decay. */
export interface NativeOptimizerGroup {
  /** Names of parameters. */
  names: readonly string[];
  learningRate: number;
  weightDecay: number;
}

interface CommonOptimizerOptions {
  /** Base learning rate, > 0; the rates of all groups are scaled with it. */
  learningRate: number;
  /** Weight decay of every parameter that stands in no group. */
  weightDecay: number;
  /** A parameter stands in one group at most. */
  groups?: readonly NativeOptimizerGroup[];
  /**
   * Scales the gradients down together so that their common Euclidean norm is at most this; no clipping when left out.
   */
  maxGradientNorm?: number;
}

/** torch.optim.SGD. */
export interface NativeSgdOptions extends CommonOptimizerOptions {
  kind?: 'sgd';
  momentum: number;
  dampening: number;
  nesterov: boolean;
}

/** torch.optim.Adam (weight decay added to the gradient) or AdamW (weight decay apart from it). */
export interface NativeAdamOptions extends CommonOptimizerOptions {
  kind: 'adam' | 'adamw';
  /** Decay of the running means of the gradient and of its square, each in [0, 1). */
  betas: readonly [number, number];
  epsilon: number;
}

/** torch.optim.RMSprop. */
export interface NativeRmspropOptions extends CommonOptimizerOptions {
  kind: 'rmsprop';
  /** Smoothing of the running mean of the squared gradient, in [0, 1]. */
  alpha: number;
  epsilon: number;
  momentum: number;
  centered: boolean;
}

export type NativeOptimizerOptions = NativeSgdOptions | NativeAdamOptions | NativeRmspropOptions;

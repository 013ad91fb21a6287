/** The list of nodes that a network is, as the addon tells it. */

/** What a node of a network computes, in PyTorch's words. */
export type NativeOp =
  | 'input'
  | 'conv'
  | 'norm'
  | 'relu'
  | 'silu'
  | 'sigmoid'
  | 'maxPool'
  | 'avgPool'
  | 'adaptiveAvgPool'
  | 'add'
  | 'multiply'
  | 'concat'
  | 'flatten'
  | 'linear'
  | 'dropout'
  | 'stochasticDepth';

/** One node of a network's list; its tensors are called `${name}.weight`, `${name}.bias` and so on. */
export interface NativeNode {
  readonly op: NativeOp;
  /** torchvision's name of the module; empty where it has none. */
  readonly name: string;
  /** Positions in the list of the earlier nodes whose outputs it takes. */
  readonly inputs: readonly number[];
  /** Name under which Grad-CAM can look at its output. */
  readonly layer?: string;
  /** Channels of its output `[n, channels, h, w]`, or width of `[n, channels]`. */
  readonly channels: number;
  /** Height and width of a convolution's or a pool's window. */
  readonly kernel?: number;
  readonly stride?: number;
  readonly padding?: number;
  /** Groups of a convolution. */
  readonly groups?: number;
  /** Whether a pool's last window may reach beyond the map. */
  readonly ceilMode?: boolean;
  /** Height and width of an adaptive pool's output. */
  readonly side?: number;
  /** Probability with which a dropout or a stochastic depth drops. */
  readonly p?: number;
}

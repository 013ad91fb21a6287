/** Who is measured: one table. */
import type { BackendName, Mode, PeerName } from './types';

/** What runs a contender. */
export type Runtime = 'ours' | 'python' | 'onnxruntime';

export interface Backend {
  readonly name: BackendName;
  /** As it stands in tables. */
  readonly title: string;
  readonly runtime: Runtime;
  readonly modes: readonly Mode[];
}

/** In the order of the tables and of the first round. */
export const BACKENDS: readonly Backend[] = [
  { name: 'ours', title: 'ours', runtime: 'ours', modes: ['train', 'predict', 'cold'] },
  {
    name: 'ours-libtorch',
    title: 'ours (libtorch convolutions)',
    runtime: 'ours',
    modes: ['train', 'predict', 'cold'],
  },
  { name: 'pytorch', title: 'PyTorch eager', runtime: 'python', modes: ['train', 'predict', 'cold'] },
  { name: 'pytorch-fused', title: 'PyTorch, fused SGD', runtime: 'python', modes: ['train'] },
  { name: 'pytorch-channels-last', title: 'PyTorch channels_last', runtime: 'python', modes: ['train', 'predict'] },
  { name: 'pytorch-folded', title: 'PyTorch folded, channels_last', runtime: 'python', modes: ['predict'] },
  { name: 'pytorch-meta', title: 'PyTorch without random weights', runtime: 'python', modes: ['cold'] },
  { name: 'torchscript', title: 'TorchScript folded, frozen', runtime: 'python', modes: ['predict', 'cold'] },
  { name: 'torch-compile', title: 'torch.compile', runtime: 'python', modes: ['train', 'predict'] },
  { name: 'onnxruntime', title: 'ONNX Runtime (Node)', runtime: 'onnxruntime', modes: ['predict', 'cold'] },
];

/** Is it one of ours? */
export function isOurs(name: BackendName): boolean {
  return name === 'ours' || name === 'ours-libtorch';
}

/** The title of a contender. */
export function titleOf(name: BackendName): string {
  return BACKENDS.find((each) => each.name === name)!.title;
}

/** Ours, and those of the peers that were asked for. */
export function selectBackends(peers: readonly PeerName[]): readonly Backend[] {
  return BACKENDS.filter(({ name }) => isOurs(name) || (peers as readonly BackendName[]).includes(name));
}

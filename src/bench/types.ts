/** What the benchmark asks of a measuring process, what that returns, and the rows that come out. */
import type { PEER_NAMES } from './options';

/** A peer, by name. */
export type PeerName = (typeof PEER_NAMES)[number];
/** Who is measured: ours with its own convolutions, ours with LibTorch's, or a peer. */
export type BackendName = 'ours' | 'ours-libtorch' | PeerName;
/** A training step; a prediction; from the start of a process to its first prediction. */
export type Mode = 'train' | 'predict' | 'cold';

/** Files that every contender of an architecture starts from. */
export interface SharedFiles {
  /** A model folder of ours. */
  readonly model: string;
  /** Its weights: safetensors under torchvision's names. */
  readonly weights: string;
  /** RGB bytes of images, one after another, rows first. */
  readonly images: string;
  /** Where torchvision's network is exported to. */
  readonly onnx: string;
  /** A frozen TorchScript. */
  readonly script: string;
}

/** What is asked of a measuring process, as JSON in its first argument. */
export interface Task extends SharedFiles {
  readonly mode: Mode | 'prepare' | 'probe' | 'export-onnx' | 'export-script' | 'flops' | 'ceilings';
  readonly contender: BackendName;
  readonly architecture: string;
  readonly batchSize: number;
  readonly imageSize: number;
  readonly threads: number;
  readonly learningRate: number;
  readonly minRepeats: number;
  readonly maxRepeats: number;
  /** Repeats go on until they took this long together, in seconds. */
  readonly minSeconds: number;
  /** The main file of onnxruntime-node; empty where there is none. */
  readonly onnxruntime: string;
}

/** What a measuring process returns, as JSON in its last line. */
export interface TaskResult {
  /** Logits of every image, or the losses of the first two steps. */
  readonly numbers: readonly number[];
  /** Best of the repeats; left out at a cold start, which is timed from outside. */
  readonly milliseconds?: number;
  /** Most memory the process ever held, in bytes. */
  readonly peakBytes?: number;
}

/** Median of the rounds, with the least and the most of them. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A contender, or why there is none. */
export interface PeerRow {
  readonly type: 'contender';
  readonly contender: BackendName;
  readonly title: string;
  readonly found: boolean;
  /** Why it is missing, and what would mend that; null where it was found. */
  readonly problem: string | null;
}

/** Machine, versions and what is the same for all. */
export interface SettingRow {
  readonly type: 'setting';
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly instructionSet: string;
    readonly memoryBytes: number;
    readonly platform: string;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly imageSize: number;
  readonly rounds: number;
}

/**
 * What the machine reaches with these threads, as PyTorch measures it; null with the reason where there is no PyTorch.
 */
export interface CeilingsRow {
  readonly type: 'ceilings';
  /** float32, square. */
  readonly matrixProducts: readonly { readonly size: number; readonly gigaflopsPerSecond: number }[] | null;
  /** Bytes read and bytes written together. */
  readonly copyGigabytesPerSecond: number | null;
  readonly problem: string | null;
}

/** A measurement has begun; for a line of progress. */
export interface ProgressRow {
  readonly type: 'measuring';
  readonly text: string;
}

/** One contender's results in one measurement. */
export interface BackendResult {
  readonly contender: BackendName;
  readonly title: string;
  /** Best time of each round's process, in milliseconds; of a cold start the time of the process. */
  readonly milliseconds: readonly number[];
  readonly time: Spread | null;
  /** Time as a share of PyTorch eager's, round by round; null where one of the two is missing. */
  readonly timeToPyTorch: Spread | null;
  readonly peakBytes: Spread | null;
  readonly peakToPyTorch: Spread | null;
  /**
   * Arithmetic of a direct computation divided by the median time; more
   * than there is of it where multiplications are saved.
   */
  readonly gigaflopsPerSecond: number | null;
  /** That as a share of the fastest matrix product. */
  readonly shareOfMatrixProduct: number | null;
  /**
   * Largest difference of logits (of losses in training) to the reference's, as a share of the reference's largest;
   * null of the reference itself.
   */
  readonly difference: number | null;
  /** Whether it computes the same; what does not is no peer. */
  readonly agrees: boolean;
  /** Why it was not measured (to the end); null where it was. */
  readonly problem: string | null;
}

/** One measurement: all contenders in turn. */
export interface ResultRow {
  readonly type: 'result';
  readonly architecture: string;
  readonly mode: Mode;
  readonly batchSize: number;
  readonly imageSize: number;
  /**
   * Whom the outputs are compared with: PyTorch eager, or ours with LibTorch's convolutions where there is no PyTorch.
   */
  readonly reference: BackendName | null;
  readonly contenders: readonly BackendResult[];
  /** The fastest that is not ours; null where there is none. */
  readonly bestPeer: BackendName | null;
  /** Time of ours as a share of that one's, round by round. */
  readonly toBestPeer: Spread | null;
}

/** Whether a ratio is what it is meant to be. */
export interface TargetRow {
  readonly type: 'target';
  readonly architecture: string;
  /** What is compared, in words. */
  readonly text: string;
  readonly against: string | null;
  readonly limit: number;
  readonly ratio: Spread | null;
  /** By the median; null where it could not be measured. */
  readonly met: boolean | null;
}

export type BenchRow = SettingRow | PeerRow | CeilingsRow | ProgressRow | ResultRow | TargetRow;

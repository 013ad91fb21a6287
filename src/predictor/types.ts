/** What a predictor answers and tells of itself. */
import type { GateFinding } from './errors';
import type { Explanation, Prediction } from '../model/prediction';

/** Which weights have answered. */
export interface ModelVersion {
  /** Name of the model. */
  readonly model: string;
  /** The first 16 hexadecimal digits of its weights' SHA-256; of a model of 0.1.0 the time at which it was saved. */
  readonly version: string;
}

/** Where the time of an answer went, in milliseconds. */
export interface Timing {
  /** From admission to decoding, and from decoding to the forward pass. */
  readonly queueMs: number;
  readonly decodeMs: number;
  /** Of the whole batch. */
  readonly computeMs: number;
  /** Images in the batch. */
  readonly batchSize: number;
}

/** The answer for one image. */
export interface ServedPrediction extends Prediction, ModelVersion {
  /** Probability of the label. */
  readonly probability: number;
  /** The operating point that made the label of two classes; null for more than two. */
  readonly threshold: number | null;
  readonly timing: Timing;
  /** Where the evidence lies, where it was asked for. */
  readonly explanation?: Explanation;
}

/** Why a request got no answer. */
export type RejectionReason = 'queue_full' | 'timeout' | 'aborted' | 'closing' | 'bad_image' | 'failed';

/** What a predictor has done since it was made. */
export interface PredictorMetrics {
  /** Images that were let in. */
  readonly admitted: number;
  readonly answered: number;
  /** Images without an answer, by reason; `queue_full` and `closing` were not let in. */
  readonly rejected: Readonly<Record<RejectionReason, number>>;
  readonly batches: number;
  /** Milliseconds that the network computed. */
  readonly computeMs: number;
}

/** How a predictor is now. */
export interface PredictorStatus extends ModelVersion {
  /** The version before it, which a rollback leads to; null where there is none. */
  readonly previous: string | null;
  /** True until it is being closed; a swap does not change it. */
  readonly ready: boolean;
  readonly classes: readonly string[];
  readonly device: string;
  /** Images in it, by what happens to them. */
  readonly waiting: number;
  readonly decoding: number;
  readonly decoded: number;
  readonly computing: number;
  /** Places that are taken, of how many. */
  readonly places: { readonly used: number; readonly most: number };
  readonly bytes: { readonly used: number; readonly most: number };
  /** Bytes of weights and what is kept for predictions. */
  readonly modelBytes: number;
}

/** A model that answers from now on. */
export interface Promotion extends ModelVersion {
  /** The version before it. */
  readonly previous: string;
  /** What the gate has looked at; empty for a rollback. */
  readonly checks: readonly GateFinding[];
}

/** A run that is being followed. */
export interface Following {
  /** Ends it; resolves when a promotion under way has ended. May be called more than once. */
  stop(): Promise<void>;
}

/** Events of a predictor by name, for `predictor.on(name, listener)`. */
export interface PredictorEvents {
  /** An image was answered. */
  answer: [ModelVersion & { readonly label: string; readonly timing: Timing }];
  /** An image was not. */
  rejection: [{ readonly reason: RejectionReason }];
  /** Other weights answer from now on. */
  swap: [ModelVersion & { readonly previous: string }];
  /** A model of a run that is followed was not taken: GateError, or what kept it from being loaded. */
  refusal: [{ readonly version: string; readonly error: unknown }];
}

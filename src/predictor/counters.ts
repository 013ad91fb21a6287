/** Counts what a predictor does, and tells its listeners. */
import type { EventEmitter } from 'node:events';
import type { ModelVersion, PredictorEvents, PredictorMetrics, RejectionReason, Timing } from './types';

export class Counters {
  readonly #events: EventEmitter<PredictorEvents>;
  readonly #rejected: Record<RejectionReason, number> = {
    queue_full: 0,
    timeout: 0,
    aborted: 0,
    closing: 0,
    bad_image: 0,
    failed: 0,
  };
  #admitted = 0;
  #answered = 0;
  #batches = 0;
  #computeMs = 0;

  constructor(events: EventEmitter<PredictorEvents>) {
    this.#events = events;
  }

  admit(): void {
    this.#admitted += 1;
  }

  answer(facts: ModelVersion & { readonly label: string; readonly timing: Timing }): void {
    this.#answered += 1;
    this.tell('answer', facts);
  }

  /** @param count images of the request that got the same refusal */
  refuse(reason: RejectionReason, count: number): void {
    this.#rejected[reason] += count;
    for (let each = 0; each < count; each += 1) this.tell('rejection', { reason });
  }

  batch(computeMs: number): void {
    this.#batches += 1;
    this.#computeMs += computeMs;
  }

  read(): PredictorMetrics {
    return {
      admitted: this.#admitted,
      answered: this.#answered,
      rejected: { ...this.#rejected },
      batches: this.#batches,
      computeMs: this.#computeMs,
    };
  }

  /** Tells the listeners. One that throws must not take an answer with it. */
  tell<K extends keyof PredictorEvents>(name: K, ...facts: PredictorEvents[K]): void {
    try {
      (this.#events as EventEmitter).emit(name, ...facts);
    } catch (error) {
      process.emitWarning(`a listener of the predictor's '${name}' event threw: ${String(error)}`);
    }
  }
}

/** A training under way: an async iterator of its events and a promise of its history. */
import type { TrainEvent } from '../log/types';
import type { TrainingHistory } from './history';

type Step = IteratorResult<TrainEvent, undefined>;

/** What a training is given to be steered by. */
export interface RunControl {
  /** Fires when the one who iterates stops before the end. */
  readonly signal: AbortSignal;
  /** To be called once, when everything is written and only the last event is left to give out. */
  readonly settle: (history: TrainingHistory) => void;
}

/**
 * What {@link Trainer.fit} returns. Iterate it for the events, await it for the history, or both.
 *
 * The training begins when it is first iterated or awaited; one that nobody iterates or awaits never begins. Whoever
 * iterates sets the pace: the next event is computed when it is asked for, so none is lost and none piles up. (Hence
 * awaiting the history inside the loop body waits for ever, except at the `stop` event.) Leaving the loop early (`break`, `return`, `throw`) stops the training as an abort does: the
 * run folder stays usable and the history says `aborted`. When nobody iterates, awaiting runs it to the end; an
 * iterator that comes later gets the events from there on. The events can be iterated once.
 *
 * A failure rejects the promise and is thrown to the one who iterates; a promise nobody asked for never counts as an
 * unhandled rejection.
 */
export class TrainingRun implements AsyncIterable<TrainEvent>, PromiseLike<TrainingHistory> {
  readonly #events: AsyncGenerator<TrainEvent, void, undefined>;
  readonly #left = new AbortController();
  readonly #history: Promise<TrainingHistory>;
  #reject: (reason: unknown) => void = () => undefined;
  #failure: { readonly error: unknown } | null = null;
  #iterated = false;
  #drained = false;
  #inFlight: Promise<Step> | null = null;

  /** @internal made by Trainer.fit */
  constructor(start: (control: RunControl) => AsyncGenerator<TrainEvent, void, undefined>) {
    let settle: (history: TrainingHistory) => void = () => undefined;
    this.#history = new Promise((resolve, reject) => {
      settle = resolve;
      this.#reject = reject;
    });
    this.#history.catch(() => undefined);
    this.#events = start({ signal: this.#left.signal, settle });
  }

  /** A real promise of the history, for `Promise.all`, `catch` and `finally`. */
  get history(): Promise<TrainingHistory> {
    this.#drain();
    return this.#history;
  }

  /** Runs the training to its end unless someone iterates it. */
  then<A = TrainingHistory, B = never>(
    onFulfilled?: ((history: TrainingHistory) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.history.then(onFulfilled, onRejected);
  }

  /** The events, once. A second iteration throws a TypeError, for it would take events from the first. */
  [Symbol.asyncIterator](): AsyncIterator<TrainEvent, undefined> {
    if (this.#iterated)
      throw new TypeError(
        'the events of this training are already being iterated; give Trainer a logger for a second reader',
      );
    this.#iterated = true;
    return {
      next: () => this.#takeOver() ?? this.#advance(),
      return: async () => {
        this.#left.abort();
        await this.#takeOver();
        while ((await this.#advance()).done !== true);
        return { done: true, value: undefined };
      },
    };
  }

  /** The event a drain was waiting for when an iterator came belongs to the iterator. */
  #takeOver(): Promise<Step> | null {
    const step = this.#inFlight;
    this.#inFlight = null;
    return step;
  }

  async #advance(): Promise<Step> {
    if (this.#failure !== null) throw this.#failure.error;
    try {
      const step = await this.#events.next();
      return step.done === true ? { done: true, value: undefined } : step;
    } catch (error) {
      this.#failure = { error };
      this.#reject(error);
      throw error;
    }
  }

  /** Deferred, so that `const { history } = run; for await (const event of run)` leaves the events to the loop. */
  #drain(): void {
    if (this.#drained || this.#iterated) return;
    this.#drained = true;
    setImmediate(() => void this.#drainNow());
  }

  async #drainNow(): Promise<void> {
    while (!this.#iterated) {
      const step = this.#advance();
      this.#inFlight = step;
      const done = await step.then(
        (result) => result.done === true,
        () => true,
      );
      if (done) return;
    }
  }
}

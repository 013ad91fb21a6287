/** A logger that is not waited for forever, so that a drive or a pipe that hangs does not hang a training. */
import type { TrainEvent, TrainLogger } from './types';

/** The time is counted in parts: a process that was stopped for long loses one of them, and blames no logger for it. */
const PARTS = 10;

/** Waits for an answer; null when it has not come within the bound (in milliseconds; 0: none). */
async function within<T>(answer: Promise<T>, bound: number): Promise<T | null> {
  if (bound === 0) return await answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    let parts = 0;
    timer = setInterval(() => {
      parts += 1;
      if (parts >= PARTS) resolve(null);
    }, bound / PARTS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearInterval(timer);
  }
}

/** Calls a logger in order, and gives it up once it does not come back from a call: it then gets no more events. */
export class BoundedLogger {
  readonly #logger: TrainLogger;
  readonly #place: string;
  readonly #bound: number;
  #isGivenUp = false;
  #lastState: unknown = null;

  /**
   * @param place what warnings call it, e.g. `loggers[0]`
   * @param bound in milliseconds, of each call; 0: none
   */
  constructor(logger: TrainLogger, place: string, bound: number) {
    this.#logger = logger;
    this.#place = place;
    this.#bound = bound;
  }

  get hasState(): boolean {
    return this.#logger.state !== undefined;
  }

  /** @throws what the logger throws, within the bound */
  async log(event: TrainEvent): Promise<void> {
    await this.#call('log', () => this.#logger.log(event));
  }

  /** The same; one that was given up is closed when it comes back from its last call, if it does. */
  async close(): Promise<void> {
    await this.#call('close', () => this.#logger.close());
  }

  /** The last state that it gave; null where it has given none. */
  async state(): Promise<unknown> {
    const answer = await this.#call('state', () => this.#logger.state?.());
    if (answer !== null) this.#lastState = answer.value ?? null;
    return this.#lastState;
  }

  async restore(state: unknown): Promise<void> {
    this.#lastState = state;
    await this.#call('restore', () => this.#logger.restore?.(state));
  }

  /** Null: it is given up. */
  async #call<T>(what: keyof TrainLogger, call: () => T | Promise<T>): Promise<{ readonly value: T } | null> {
    if (this.#isGivenUp) return null;
    const answer = Promise.resolve(call()).then((value) => ({ value }));
    const result = await within(answer, this.#bound);
    if (result === null) this.#giveUp(what, answer);
    return result;
  }

  #giveUp(what: keyof TrainLogger, answer: Promise<unknown>): void {
    this.#isGivenUp = true;
    const kind = (this.#logger as { constructor?: { name?: unknown } }).constructor?.name;
    const name = typeof kind === 'string' && kind !== 'Object' ? `${this.#place} (${kind})` : this.#place;
    process.emitWarning(
      `${name}: ${what}() has not ended within ${this.#bound / 1000} seconds; the logger is given up: it gets no ` +
        'more events, and the training goes on without it; see what it writes to, or give it more time (loggerTimeout)',
      { code: 'COVIDCT_LOGGER' },
    );
    const close = () => (what === 'close' ? undefined : this.#logger.close());
    // What it says by now is nobody's any more.
    answer.then(close, close).catch(() => undefined);
  }
}

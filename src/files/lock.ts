/** Holds a folder's lock while work is done, so that two processes never fetch or build the same thing at once. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import { makeFolderSync } from './write';

/** A lock whose holder was killed is taken over after this long without a sign of life. */
const STALE_MS = 10_000;

/** How often a lock that another process holds is tried. */
const RETRY_MS = 200;

/** Options of {@link withLock}. */
export interface LockOptions {
  /** Called once when another process is found to hold the lock. */
  onWait?: () => void;
  /** Ends the waiting; the work sees it too, in {@link HeldLock.signal}. */
  signal?: AbortSignal;
  /** After how long without a sign of life a lock is taken over, in milliseconds; 2000 or more. Default 10 000. */
  staleMs?: number;
}

/** What the work gets to see of its lock. */
export interface HeldLock {
  /** Fires when the lock is lost (removed, or taken over while this process stood), or by the caller's signal. */
  readonly signal: AbortSignal;
  /** Looks now: throws CovidCtError ERR_LOCK when the lock is lost. To be called before a result is put in place. */
  assertHeld(): void;
}

function lostError(path: string, why: string, cause?: unknown): CovidCtError {
  return new CovidCtError(
    'ERR_LOCK',
    `the lock ${path}.lock was lost while work was done under it (${why}), so that another process may have done ` +
      'the same; what was not finished is not used: run again',
    { cause },
  );
}

/** The lock folder as it is now; another folder of that name is another one's lock. */
function identityOf(path: string): string | undefined {
  const stats = statSync(`${path}.lock`, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}

/** A lock that was taken. It never throws in a timer: errors are reported to whoever asks. */
class Lock implements HeldLock {
  readonly #path: string;
  readonly #lost = new AbortController();
  readonly signal: AbortSignal;
  #identity: string | undefined;
  #release: () => Promise<void> = () => Promise.resolve();

  private constructor(path: string, signal: AbortSignal | undefined) {
    this.#path = path;
    this.signal = signal === undefined ? this.#lost.signal : AbortSignal.any([this.#lost.signal, signal]);
  }

  /** Takes the lock, waiting for as long as another process holds it. */
  static async take(path: string, options: LockOptions): Promise<Lock> {
    const taken = new Lock(path, options.signal);
    const onCompromised = (error: Error) => taken.#lose(error.message, error);
    for (let told = false; ; told = true) {
      throwIfAborted(options.signal);
      try {
        taken.#release = await lock(path, { realpath: false, stale: options.staleMs ?? STALE_MS, onCompromised });
        taken.#identity = identityOf(path);
        return taken;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ELOCKED')
          throw new CovidCtError('ERR_LOCK', `the lock ${path}.lock cannot be taken: ${messageOf(error)}`, {
            cause: error,
          });
      }
      if (!told) options.onWait?.();
      await sleep(RETRY_MS);
    }
  }

  #lose(why: string, cause?: unknown): void {
    if (!this.#lost.signal.aborted) this.#lost.abort(lostError(this.#path, why, cause));
  }

  assertHeld(): void {
    const now = identityOf(this.#path);
    if (now !== this.#identity) this.#lose(now === undefined ? 'it was removed' : 'another process holds it');
    this.#lost.signal.throwIfAborted();
  }

  /** The error of a lock that was lost; undefined while it is held. */
  get loss(): CovidCtError | undefined {
    return this.#lost.signal.aborted ? (this.#lost.signal.reason as CovidCtError) : undefined;
  }

  /** Lets go of it. A lock that is another one's by now is left to that one. */
  async release(): Promise<void> {
    if (this.loss === undefined && identityOf(this.#path) === this.#identity)
      await this.#release().catch(() => undefined); // gone in this very moment: nothing is held
  }
}

/**
 * Runs `work` while holding the lock `<path>.lock`; waits for as long as another process holds it. A lock that is lost
 * meanwhile (its folder was removed; this process was stopped for so long that another took it over) fires the work's
 * signal and fails the whole, whatever the work gave.
 *
 * @param path what is locked; need not exist, its parent is made, closed to others
 * @param work runs with the lock held; it must leave the event loop free, which is how the lock shows signs of life
 * @param options see {@link LockOptions}
 * @throws AbortedError when `signal` fires while waiting
 * @throws CovidCtError ERR_LOCK when the lock cannot be taken or was lost
 */
export async function withLock<T>(
  path: string,
  work: (held: HeldLock) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  try {
    makeFolderSync(dirname(path), 0o700);
  } catch (error) {
    throw new CovidCtError('ERR_LOCK', `the lock ${path}.lock cannot be taken: ${messageOf(error)}`, { cause: error });
  }
  const held = await Lock.take(path, options);
  try {
    const result = await work(held);
    held.assertHeld();
    return result;
  } catch (error) {
    throw held.loss ?? error; // what the work threw when its signal fired says less than why it fired
  } finally {
    await held.release();
  }
}

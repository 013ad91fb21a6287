/** Holds a lock on a path while a function runs, so that two processes never download or build the same thing. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import { makeFolder } from './write';

/** A lock is stale, and is taken over, when its holder has not refreshed it for this long. */
const STALE_MS = 10_000;

/** Milliseconds between attempts to take a lock that another process holds. */
const RETRY_MS = 200;

/** Options of {@link withLock}. */
export interface LockOptions {
  /** Called once when another process is found to hold the lock. */
  onWait?: () => void;
  /** Aborts the wait; `work` sees it too, in {@link HeldLock.signal}. */
  signal?: AbortSignal;
  /** Milliseconds without a refresh after which a lock is stale and taken over; 2000 or more. Default 10 000. */
  staleMs?: number;
}

/** The lock as `work` sees it. */
export interface HeldLock {
  /** Fires when the lock is lost (removed, or taken over while this process was suspended) or the caller aborts. */
  readonly signal: AbortSignal;
  /** Checks the lock now; throws CovidCtError ERR_LOCK when it is lost. Call it before publishing a result. */
  assertHeld(): void;
}

function lostError(path: string, why: string, cause?: unknown): CovidCtError {
  return new CovidCtError(
    'ERR_LOCK',
    `the lock ${path}.lock was lost while it was needed (${why}), so that another process may have done the same ` +
      'work; the unfinished result is discarded: run again',
    { cause },
  );
}

/** Identifies the present lock folder, so that a folder another process made under the same name is told apart. */
function identityOf(path: string): string | undefined {
  const stats = statSync(`${path}.lock`, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}

/** A lock that was taken. Its timer never throws: a loss is reported by the signal and by assertHeld. */
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

  /** Acquires the lock, waiting while another process holds it. */
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

  /** The error once the lock is lost; undefined while it is held. */
  get loss(): CovidCtError | undefined {
    return this.#lost.signal.aborted ? (this.#lost.signal.reason as CovidCtError) : undefined;
  }

  /** Releases the lock, unless another process has taken it over. */
  async release(): Promise<void> {
    if (this.loss === undefined && identityOf(this.#path) === this.#identity)
      await this.#release().catch(() => undefined); // the lock was removed just now, so nothing is held
  }
}

/**
 * Runs `work` while holding the lock `<path>.lock`, waiting while another process holds it. When the lock is lost
 * meanwhile (its folder was removed, or this process was suspended for so long that another took it over), the signal
 * of `work` fires and the promise rejects, whatever `work` returned.
 *
 * @param path what is locked; need not exist; its parent folder is created with mode 0700
 * @param work runs with the lock held; it must not block the event loop, whose timer refreshes the lock
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
    await makeFolder(dirname(path), 0o700);
  } catch (error) {
    throw new CovidCtError('ERR_LOCK', `the lock ${path}.lock cannot be taken: ${messageOf(error)}`, { cause: error });
  }
  const held = await Lock.take(path, options);
  try {
    const result = await work(held);
    held.assertHeld();
    return result;
  } catch (error) {
    throw held.loss ?? error; // the loss is the cause of an abort error that `work` threw
  } finally {
    await held.release();
  }
}

/** Holds a folder's lock while work is done, so that two processes never fetch or build the same thing at once. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { throwIfAborted } from '../errors';

/** A lock whose holder was killed is taken over after this long without a sign of life. */
const STALE_MS = 10_000;

/** How often a lock that another process holds is tried. */
const RETRY_MS = 200;

/** Options of {@link withLock}. */
export interface LockOptions {
  /** Called once when another process is found to hold the lock. */
  onWait?: () => void;
  /** Ends the waiting; the work itself is not stopped by it. */
  signal?: AbortSignal;
}

async function acquire(path: string, { onWait, signal }: LockOptions): Promise<() => Promise<void>> {
  for (let told = false; ; told = true) {
    throwIfAborted(signal);
    try {
      // Losing the lock (a machine that slept) must not end the process: results are renamed into place whole either way.
      return await lock(path, { realpath: false, stale: STALE_MS, onCompromised: () => undefined });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ELOCKED') throw error;
    }
    if (!told) onWait?.();
    await sleep(RETRY_MS);
  }
}

/**
 * Runs `work` while holding the lock `<path>.lock`; waits for as long as another process holds it.
 *
 * @param path what is locked; need not exist, its parent is made
 * @param work runs with the lock held; it must leave the event loop free, which is how the lock shows signs of life
 * @param options see {@link LockOptions}
 * @throws AbortedError when `signal` fires while waiting; the file system's error when the lock cannot be made
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const release = await acquire(path, options);
  try {
    return await work();
  } finally {
    await release().catch(() => undefined); // it was taken over, or its folder is gone: nothing is held any more
  }
}

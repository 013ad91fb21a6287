/** Holds a folder's lock while work is done, so that two processes never fetch or build the same thing at once. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { lock } from 'proper-lockfile';

/** A lock whose holder was killed is taken over after this long without a sign of life. */
const STALE_MS = 10_000;

function isHeld(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ELOCKED';
}

/**
 * Runs `work` while holding the lock `<path>.lock`; waits for as long as another process holds it.
 *
 * @param path what is locked; need not exist, its parent is made
 * @param work runs with the lock held; it must leave the event loop free, which is how the lock shows signs of life
 * @param onWait called once when another process is found to hold the lock
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait: () => void = () => undefined): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  // Losing the lock (a machine that slept) must not end the process: results are renamed into place whole either way.
  const options = { realpath: false, stale: STALE_MS, onCompromised: () => undefined };
  const release = await lock(path, options).catch((error: unknown) => {
    if (!isHeld(error)) throw error;
    onWait();
    return lock(path, { ...options, retries: { forever: true, minTimeout: 100, maxTimeout: 1_000, factor: 1.5 } });
  });
  try {
    return await work();
  } finally {
    await release().catch(() => undefined);
  }
}

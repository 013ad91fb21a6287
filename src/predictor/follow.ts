/** Follows a run in progress: each new best goes through the gate and, where it passes, answers. */
import { AbortedError } from '../errors';
import { GateError } from './errors';
import { readCard } from '../model/card';
import { versionOf } from './served-model';
import type { Following, Promotion } from './types';

/** What following needs. */
export interface FollowParts {
  readonly path: string;
  readonly everyMs: number;
  readonly signal: AbortSignal | undefined;
  /** The version that answers when it begins. */
  readonly version: () => string;
  readonly promote: (signal: AbortSignal) => Promise<Promotion>;
  /** Told of a model that was not taken, and of what kept it from being looked at. */
  readonly onRefused: (version: string, error: unknown) => void;
  readonly onEnd: () => void;
}

/** Begins to follow. */
export function follow({ path, everyMs, signal, version, promote, onRefused, onEnd }: FollowParts): Following {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  if (signal?.aborted === true) stop.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  // What has been looked at is not looked at again: not what was refused, and not what was rolled back from.
  let seen = version();
  let wake = (): void => undefined;
  stop.signal.addEventListener('abort', () => wake(), { once: true });

  const look = async (): Promise<void> => {
    // A run has no card before its first best.
    const found = await readCard(path).catch(() => null);
    if (found === null || stop.signal.aborted) return;
    const next = versionOf(found.card);
    if (next === seen) return;
    seen = next;
    try {
      // Another best may have come meanwhile.
      seen = (await promote(stop.signal)).version;
    } catch (error) {
      if (error instanceof AbortedError || stop.signal.aborted) return;
      if (error instanceof GateError) seen = error.version;
      onRefused(seen, error);
    }
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await look();
      if (stop.signal.aborted) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, everyMs).unref(); // following alone keeps no process alive
      });
    }
    signal?.removeEventListener('abort', onAbort);
    onEnd();
  };
  const ended = run();
  return {
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

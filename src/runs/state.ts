/** Decides what state a run is in, from what it said and from who holds it. */
import type { ownerOf } from '../files/owner';
import type { StoredHistory } from '../train/history';
import type { TrainingProgress } from '../train/progress';
import type { RunState } from './types';

/** Who holds a folder. */
export type Ownership = NonNullable<Awaited<ReturnType<typeof ownerOf>>>;

/** Looks who holds a folder; null where nobody does. */
export type OwnerOf = typeof ownerOf;

/** A run of version 0.1.0 that has changed within this time may be at work: an epoch hardly takes longer. */
const QUIET_MS = 24 * 3600 * 1000;

/** What the state follows from. */
export interface Signs {
  /** Null where nobody holds the folder, undefined where that cannot be read. */
  readonly owner: Ownership | null | undefined;
  /** Null where it is damaged. */
  readonly history: StoredHistory | null;
  readonly progress: TrainingProgress | null;
  /** The newest change of a file, in milliseconds since 1970. */
  readonly changed: number;
  readonly now: number;
}

/** The state, and how it is known. */
export interface Verdict {
  readonly state: RunState;
  readonly why: string;
}

/** What the training itself said of its end; null where it said nothing. One that goes on starts anew. */
function ownWord({ history, progress }: Signs): Verdict | null {
  const last = history?.events.findLast(({ type }) => type === 'start' || type === 'stop');
  if (last?.type === 'stop') return { state: last.reason === 'aborted' ? 'stopped' : 'finished', why: last.message };
  if (progress === null || progress.state === 'running') return null;
  return { state: progress.state, why: progress.message ?? 'it said so itself' };
}

/** The state of a run. A living process comes first: it may have gone on with a run that had ended. */
export function stateOf(signs: Signs): Verdict {
  const { owner, history, progress, changed, now } = signs;
  if (owner?.state === 'alive')
    return {
      state: 'running',
      why: `process ${owner.owner.pid} on ${owner.owner.host} is at work: ${owner.owner.what}`,
    };
  if (owner === undefined) return { state: 'unknown', why: 'whether a process is at work in it cannot be read' };
  const said = ownWord(signs);
  if (said !== null) return said;
  if (owner?.state === 'unknown')
    return {
      state: 'unknown',
      why:
        `process ${owner.owner.pid} on ${owner.owner.host} gave its last sign of life at ` +
        `${owner.beat.toISOString()}; whether it lives cannot be seen from here`,
    };
  if (owner === null && progress === null) {
    if (history === null) return { state: 'unknown', why: 'its history is damaged' };
    if (now - changed < QUIET_MS)
      return {
        state: 'unknown',
        why: 'an earlier version, which gives no sign of life, has written it within the last day',
      };
  }
  return { state: 'killed', why: 'it never said that it ended, and no process is at work in it' };
}

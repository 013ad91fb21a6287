/** Who trains into a folder owns it: one at a time, whichever process, container or machine asks. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunBusyError, throwIfAborted } from '../errors';
import type { Owner } from '../errors';
import { withLock } from './lock';
import type { HeldLock } from './lock';
import { abandon, HeldFolder, wasAbandoned } from './owned-folder';
import type { OwnedFolder } from './owned-folder';
import { describeOwner, lookAtOwner, ownerMutex, removeOwner, writeOwner } from './owner-file';
import type { Claim, Sight } from './owner-file';
import { OWNER_TIMES } from './owner-times';
import { stateOfProcess, thisProcess } from './process-identity';
import type { ProcessState } from './process-identity';
import { fileError, makeFolder } from './write';

export type { Owner } from '../errors';
export type { OwnedFolder } from './owned-folder';

/** Options of {@link ownFolder}. */
export interface OwnOptions {
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Told when an owner is watched who cannot be looked at from here, which takes half a minute. */
  readonly onWait?: ((owner: Owner) => void) | undefined;
  /** Told when a folder is taken over from such an owner; a process warning without it. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

function busy(folder: string, owner: Owner): RunBusyError {
  const self = owner.pid === process.pid ? ' (which may be this one)' : '';
  return new RunBusyError(
    `${folder}: expected a folder into which nobody trains; it is held by ${describeOwner(owner)}${self}; ` +
      'wait until that training has ended, or choose another folder',
    owner,
  );
}

async function stateOf({ claim }: Sight): Promise<ProcessState> {
  if (claim === null) return 'unknown';
  return wasAbandoned(claim.token) ? 'dead' : await stateOfProcess(claim);
}

function isSame(a: Sight, b: Sight | null): boolean {
  return b !== null && a.claim?.token === b.claim?.token && a.beatNs === b.beatNs;
}

/**
 * Takes the folder if nobody holds it, a dead process does, or one that was watched in vain; the mutex makes this one
 * decision, however many want it.
 *
 * @param watched an owner who gave no sign of life for as long as is waited for one
 * @returns the owner who has to be watched first, or whom it was taken from
 * @throws RunBusyError
 */
async function take(
  folder: string,
  claim: Claim,
  watched: Sight | null,
  signal: AbortSignal | undefined,
): Promise<{ isTaken: boolean; from: Sight | null }> {
  const decide = async (mutex: HeldLock): Promise<{ isTaken: boolean; from: Sight | null }> => {
    const from = await lookAtOwner(folder);
    const state = from === null ? null : await stateOf(from);
    if (from !== null && state === 'alive') throw busy(folder, from.owner);
    if (from !== null && state === 'unknown' && !isSame(from, watched)) return { isTaken: false, from };
    throwIfAborted(signal);
    await writeOwner(folder, claim, () => mutex.assertHeld());
    return { isTaken: true, from };
  };
  try {
    return await withLock(ownerMutex(folder), decide, signal === undefined ? {} : { signal });
  } catch (error) {
    // Where the mutex was lost at the last moment, the file is there; it must not outlast the failure.
    await abandon(claim.token, () => removeOwner(folder, claim.token)).catch(() => undefined);
    throw error;
  }
}

/**
 * Watches an owner who cannot be looked at. Clocks are not compared: it counts whether the file's time changes.
 *
 * @returns it, when there was no sign of life; null where the file is gone or another one's by now
 * @throws RunBusyError at a sign of life; AbortedError
 */
async function watch(folder: string, seen: Sight, signal: AbortSignal | undefined): Promise<Sight | null> {
  const until = performance.now() + OWNER_TIMES.watch;
  for (let isLast = false; !isLast;) {
    await sleep(OWNER_TIMES.look, undefined, { signal }).catch(() => throwIfAborted(signal));
    isLast = performance.now() >= until;
    const now = await lookAtOwner(folder);
    if (now === null || now.claim?.token !== seen.claim?.token) return null;
    if (now.beatNs !== seen.beatNs) throw busy(folder, now.owner);
  }
  return seen;
}

function warnOfTakeOver(folder: string, { owner }: Sight, onWarning: OwnOptions['onWarning']): void {
  const message =
    `${folder}: taken over from ${describeOwner(owner)}, which showed no sign of life for ` +
    `${OWNER_TIMES.watch / 1000} seconds; if it was only held up, it ends with an error when it goes on`;
  if (onWarning === undefined) process.emitWarning(message, { code: 'COVIDCT_TAKEN_OVER' });
  else onWarning(message);
}

/**
 * Takes a folder for this process, which makes it if need be. An owner on the same machine who is gone is followed at
 * once, and one who is there never, not even one that is stopped. One on another machine or in another container is
 * watched for half a minute and followed if it shows no sign of life.
 *
 * @param what who asks, e.g. `Trainer.fit`; told to others who want the folder
 * @returns to be released; without that it ends with the process
 * @throws RunBusyError ERR_BUSY when another one holds it, also within this process; AbortedError; CovidCtError
 *   ERR_RUN_FOLDER or ERR_LOCK where it cannot be made or written to
 */
export async function ownFolder(dir: string, what: string, options: OwnOptions = {}): Promise<OwnedFolder> {
  const { signal, onWait, onWarning } = options;
  const folder = resolve(dir);
  throwIfAborted(signal);
  await makeFolder(folder).catch((error: unknown) => {
    throw fileError('make the folder', folder, error);
  });
  const claim = { ...(await thisProcess()), since: new Date().toISOString(), what, token: randomUUID() };
  for (let watched: Sight | null = null; ;) {
    const { isTaken, from } = await take(folder, claim, watched, signal);
    if (isTaken) {
      if (from !== null && isSame(from, watched)) warnOfTakeOver(folder, from, onWarning);
      return new HeldFolder(folder, claim.token, from?.owner ?? null);
    }
    if (from === null) continue;
    onWait?.(from.owner);
    watched = await watch(folder, from, signal);
  }
}

/**
 * Who holds the folder now; null for nobody. `unknown`: on another machine or in another container, or the file is
 * damaged; `beat` is then all that is known, by the clock of whoever keeps the file.
 *
 * @throws CovidCtError ERR_LOCK where the file cannot be read
 */
export async function ownerOf(
  dir: string,
): Promise<{ readonly owner: Owner; readonly state: ProcessState; readonly beat: Date } | null> {
  const sight = await lookAtOwner(resolve(dir));
  return sight === null ? null : { owner: sight.owner, state: await stateOf(sight), beat: sight.beat };
}

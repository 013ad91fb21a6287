/** The file that says who holds a folder: how it is written, and what is seen when it is looked at. */
import { open, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CovidCtError } from '../errors';
import type { Owner } from '../errors';
import { parseJson } from './json';
import type { JsonAbout } from './json';
import { change } from './operations';
import type { ProcessIdentity } from './process-identity';
import { fileError, fillFile, replaceFile } from './write';

const MAX_BYTES = 64 * 1024;

const ABOUT: JsonAbout = { code: 'ERR_LOCK', what: 'the owner of a folder' };

/** Later versions may say more. */
const claimSchema = z.object({
  pid: z.int().min(1),
  host: z.string(),
  since: z.string(),
  what: z.string(),
  token: z.string().min(1),
  bootId: z.string().nullable(),
  pidNamespace: z.string().nullable(),
  processStart: z.string().nullable(),
  thread: z.int().min(1).nullable().default(null),
});

/** What an owner writes of itself. `token` is of this one taking and of no other. */
export interface Claim extends Owner, ProcessIdentity {
  readonly token: string;
}

/** The file as it was at one moment. */
export interface Sight {
  /** Null where the file is damaged. */
  readonly claim: Claim | null;
  readonly owner: Owner;
  /** When the owner last showed a sign of life, by the clock of whoever keeps the file. */
  readonly beat: Date;
  /** The same, exact; only to be compared with another look. */
  readonly beatNs: bigint;
}

/** Path of the file in a folder. */
export function ownerFile(folder: string): string {
  return join(folder, 'owner.lock');
}

/** What is locked while it is decided who holds a folder; the lock is `.owner.lock`. */
export function ownerMutex(folder: string): string {
  return join(folder, '.owner');
}

function parseClaim(text: string, path: string): Claim | null {
  try {
    return parseJson(text, claimSchema, path, ABOUT);
  } catch {
    return null; // whoever looks treats it as one who cannot be asked
  }
}

/**
 * Looks at the file of a folder; null where there is none. It is opened each time: a network drive answers for an
 * opened file what is so now, and otherwise what it remembers.
 *
 * @throws CovidCtError ERR_LOCK where it cannot be read
 */
export async function lookAtOwner(folder: string): Promise<Sight | null> {
  const path = ownerFile(folder);
  try {
    // Before it is opened: opening a pipe waits for a writer.
    if (!(await stat(path)).isFile())
      throw new CovidCtError('ERR_LOCK', `${path}: expected ${ABOUT.what}; it is no file: remove it`);
    const file = await open(path, 'r');
    try {
      const { mtimeNs, size } = await file.stat({ bigint: true });
      const claim = size > MAX_BYTES ? null : parseClaim(await file.readFile('utf8'), path);
      const beat = new Date(Number(mtimeNs / 1_000_000n));
      const { pid, host, since, what } = claim ?? {
        pid: 0,
        host: 'unknown',
        since: beat.toISOString(),
        what: 'unknown',
      };
      return { claim, owner: { pid, host, since, what }, beat, beatNs: mtimeNs };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(`read ${ABOUT.what}`, path, error, 'ERR_LOCK');
  }
}

/**
 * Writes the file whole, in the place of one that may be there.
 *
 * @param assertAllowed called last, when nothing but the renaming is left
 * @throws CovidCtError ERR_LOCK with the reason and advice; what `assertAllowed` throws
 */
export async function writeOwner(folder: string, claim: Claim, assertAllowed: () => void): Promise<void> {
  const write = async (temporary: string): Promise<void> => {
    await fillFile(temporary, `${JSON.stringify(claim, null, 2)}\n`, { durable: false });
    assertAllowed();
  };
  // Whoever comes back after a power cut takes the folder from a process that is gone, whatever the file says.
  await replaceFile(ownerFile(folder), write, { action: 'take the folder', code: 'ERR_LOCK', durable: false });
}

/** Removes the file if it bears this token. Throws CovidCtError ERR_LOCK. */
export async function removeOwner(folder: string, token: string): Promise<void> {
  const path = ownerFile(folder);
  if ((await lookAtOwner(folder))?.claim?.token !== token) return;
  await change('remove', path, () => rm(path, { force: true })).catch((error: unknown) => {
    throw fileError('let go of the folder', path, error, 'ERR_LOCK');
  });
}

/** Shows a sign of life. */
export async function touchOwner(folder: string): Promise<void> {
  const now = new Date();
  await utimes(ownerFile(folder), now, now);
}

/** An owner in words. */
export function describeOwner({ pid, host, since, what }: Owner): string {
  if (pid === 0) return `an unknown process (the file is damaged; last touched ${since})`;
  return `${what} of process ${pid} on ${host}, since ${since}`;
}

/** The error of a folder that is no longer this process's. */
export function ownershipLost(folder: string, why: string, cause?: unknown): CovidCtError {
  return new CovidCtError(
    'ERR_LOCK',
    `${folder}: the folder is no longer held by this training (${why}), so that another one may write into it; ` +
      'nothing more is written here: look who holds the folder, then run again or choose another one',
    { cause },
  );
}

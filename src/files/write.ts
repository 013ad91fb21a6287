/** Writes files whole or not at all: a temporary neighbour, flushed to the disk, then renamed into place. */
import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import type { ErrorCode } from '../errors';

/** What to do about the failures a user can do something about. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space or choose another folder',
  EDQUOT: 'the disk quota is used up: free some space or choose another folder',
  EACCES: 'this user may not write there: choose another folder',
  EPERM: 'this user may not write there: choose another folder',
  EROFS: 'the file system is read-only: choose another folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'a folder of that name is in the way',
};

/** Makes a failure of the file system one with a code of ours, what was tried, and what to do. */
export function fileError(action: string, path: string, error: unknown, code: ErrorCode = 'ERR_RUN_FOLDER'): CovidCtError {
  if (error instanceof CovidCtError) return error;
  const advice = ADVICE[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  return new CovidCtError(code, `${path}: could not ${action}: ${messageOf(error)}${advice === undefined ? '' : `; ${advice}`}`, { cause: error });
}

/** A name beside `path` for a file that is not finished yet. */
export function unfinished(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

/**
 * Writes a whole file; a reader sees the old one or the new one, never a part.
 *
 * @throws CovidCtError ERR_RUN_FOLDER with the reason and advice; the old file is then untouched
 */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = unfinished(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // must not hide the first failure
    throw fileError('write the file', path, error);
  }
}

/**
 * Gives an existing file a second name without writing its bytes again; copies where the file system has no hard links.
 *
 * @throws CovidCtError ERR_RUN_FOLDER
 */
export async function linkWhole(from: string, to: string): Promise<void> {
  const temporary = unfinished(to);
  try {
    await link(from, temporary).catch(() => copyFile(from, temporary));
    await rename(temporary, to);
    // Renaming one name of a file onto another name of the same file leaves both in place.
    await rm(temporary, { force: true });
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // must not hide the first failure
    throw fileError('write the file', to, error);
  }
}

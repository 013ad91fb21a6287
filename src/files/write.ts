/** Writes files whole or not at all: a temporary neighbour, flushed to the disk, then renamed into place. */
import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import type { ErrorCode } from '../errors';

/** What to do about the failures a user can do something about, when something was to be written. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space or choose another folder',
  EDQUOT: 'free some space or choose another folder',
  EACCES: 'choose another folder',
  EPERM: 'choose another folder',
  EROFS: 'choose another folder',
};

/** Makes a failure of the file system one with a code of ours, what was tried, and what to do. */
export function fileError(action: string, path: string, error: unknown, code: ErrorCode = 'ERR_RUN_FOLDER'): CovidCtError {
  if (error instanceof CovidCtError) return error;
  const advice = /^(read|look|open)/.test(action) ? undefined : ADVICE[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  return new CovidCtError(code, `${path}: could not ${action}: ${messageOf(error)}${advice === undefined ? '' : `; ${advice}`}`, { cause: error });
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive mkdir says ENOENT of a file system that is
 * read-only, and never comes back from one that takes no folders, as /proc.
 *
 * @throws the file system's own error, of the first folder that could not be made
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  let folder = resolve(path);
  for (;;) {
    const info = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && dirname(folder) !== folder) return null;
      throw error;
    });
    if (info !== null && !info.isDirectory()) throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${folder}'`), { code: 'ENOTDIR', syscall: 'mkdir', path: folder });
    if (info !== null) break;
    missing.push(folder);
    folder = dirname(folder);
  }
  for (const each of missing.reverse()) {
    await mkdir(each).catch((error: NodeJS.ErrnoException) => {
      // Someone else has made it meanwhile.
      if (error.code !== 'EEXIST') throw error;
    });
  }
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
    await makeFolder(dirname(path));
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

/** Writes files whole or not at all: a temporary neighbor, flushed to the disk, then renamed into place. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import type { ErrorCode } from '../errors';
import { change } from './operations';

/** What to do about the failures a user can do something about, when something was to be written. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space or choose another folder',
  EDQUOT: 'free some space or choose another folder',
  EACCES: 'choose another folder',
  EPERM: 'choose another folder',
  EROFS: 'choose another folder',
};

/** Makes a failure of the file system one with a code of ours, what was tried, and what to do. */
export function fileError(
  action: string,
  path: string,
  error: unknown,
  code: ErrorCode = 'ERR_RUN_FOLDER',
): CovidCtError {
  if (error instanceof CovidCtError) return error;
  const advice = /^(read|look|open)/.test(action)
    ? undefined
    : ADVICE[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  return new CovidCtError(
    code,
    `${path}: could not ${action}: ${messageOf(error)}${advice === undefined ? '' : `; ${advice}`}`,
    { cause: error },
  );
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive mkdir says ENOENT of a file system that is
 * read-only, and never comes back from one that takes no folders, as /proc.
 *
 * @param mode of those that are made, before the umask
 * @throws the file system's own error, of the first folder that could not be made
 */
export function makeFolderSync(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let folder = resolve(path);
  for (;;) {
    const info = statSync(folder, { throwIfNoEntry: dirname(folder) === folder });
    if (info !== undefined && !info.isDirectory()) throw notAFolder(folder);
    if (info !== undefined) break;
    missing.push(folder);
    folder = dirname(folder);
  }
  for (const each of missing.reverse()) {
    try {
      mkdirSync(each, mode);
    } catch (error) {
      // Someone else has made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The same without blocking, for a network drive may keep a call waiting. */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  let folder = resolve(path);
  for (;;) {
    const info = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && dirname(folder) !== folder) return undefined;
      throw error;
    });
    if (info !== undefined && !info.isDirectory()) throw notAFolder(folder);
    if (info !== undefined) break;
    missing.push(folder);
    folder = dirname(folder);
  }
  for (const each of missing.reverse()) {
    await change('makeFolder', each, () => mkdir(each)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await syncFolder(dirname(each));
  }
}

function notAFolder(folder: string): Error {
  return Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${folder}'`), {
    code: 'ENOTDIR',
    syscall: 'mkdir',
    path: folder,
  });
}

/**
 * A finished file is renamed into place, which would take a device such as /dev/null away from the whole machine, or a
 * pipe from whoever reads it.
 */
async function assertReplaceable(path: string, code: ErrorCode): Promise<void> {
  const info = await stat(path).catch(() => null);
  if (info === null || info.isFile()) return;
  const what = info.isDirectory() ? 'a folder' : 'a device, a pipe or a socket';
  throw new CovidCtError(code, `${path}: expected the name of a file to write; it is ${what}; give another name`);
}

/** A name beside `path` for a file that is not finished yet. */
function unfinished(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

/** The name of the file that a temporary neighbor was to become; null for every other file name. */
export function finishedName(name: string): string | null {
  return /^\.(.+)\.\d+-[0-9a-f]{8}\.tmp$/.exec(name)?.[1] ?? null;
}

/** How {@link replaceFile} writes, and how a failure is reported. */
export interface ReplaceOptions {
  /** e.g. `write the weights`. */
  readonly action?: string;
  readonly code?: ErrorCode;
  /** Whether the new name is flushed to the disk too, so that it outlives a power cut; true where left out. */
  readonly durable?: boolean;
}

/** Errors of systems and file systems on which a folder cannot be opened or flushed. */
const NO_FOLDER_SYNC = new Set(['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS']);

/**
 * Flushes the names in a folder to the disk: a rename outlives a power cut only then. Where the system flushes no
 * folders (Windows, some network drives) nothing is done.
 */
export async function syncFolder(path: string): Promise<void> {
  await change('syncFolder', path, async () => {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }).catch((error: NodeJS.ErrnoException) => {
    if (!NO_FOLDER_SYNC.has(error.code ?? '')) throw error;
  });
}

/**
 * The one way in which a file comes into being or gets new content: `write` fills a temporary neighbor, which is then
 * renamed into place. A reader sees the old file or the new one, never a part.
 *
 * @param write makes the file of the name it is given, and flushes it
 * @returns what `write` returns
 * @throws CovidCtError with the code (ERR_RUN_FOLDER by default), reason and advice, also where something other than a
 *   file has that name; the old file is then untouched
 */
export async function replaceFile<T>(
  path: string,
  write: (temporary: string) => Promise<T>,
  options: ReplaceOptions = {},
): Promise<T> {
  return await nameWhenWritten(path, write, () => path, options);
}

/**
 * The same for a file whose name follows from what was written.
 *
 * @param path where the file would lie; its folder is that of the final name
 * @param nameOf the final path, from what `write` returned
 */
export async function nameWhenWritten<T>(
  path: string,
  write: (temporary: string) => Promise<T>,
  nameOf: (result: T) => string,
  options: ReplaceOptions = {},
): Promise<T> {
  const { action = 'write the file', code = 'ERR_RUN_FOLDER', durable = true } = options;
  const temporary = unfinished(path);
  try {
    await assertReplaceable(path, code);
    await makeFolder(dirname(path));
    const result = await write(temporary);
    const name = nameOf(result);
    await change('rename', temporary, () => rename(temporary, name), name);
    if (durable) await syncFolder(dirname(name));
    return result;
  } catch (error) {
    // The first failure must not be hidden by this one.
    await change('remove', temporary, () => rm(temporary, { force: true })).catch(() => undefined);
    throw fileError(action, path, error, code);
  }
}

/**
 * Writes a whole file; a reader sees the old one or the new one, never a part.
 *
 * @throws CovidCtError ERR_RUN_FOLDER with the reason and advice; the old file is then untouched
 */
export async function writeWhole(
  path: string,
  data: string | Uint8Array,
  options: Pick<ReplaceOptions, 'durable'> = {},
): Promise<void> {
  const { durable = true } = options;
  await replaceFile(
    path,
    async (temporary) => {
      const file = await change('create', temporary, () => open(temporary, 'w'));
      try {
        await change('write', temporary, () => file.writeFile(data));
        if (durable) await change('sync', temporary, () => file.sync());
      } finally {
        await file.close();
      }
    },
    options,
  );
}

/** Removes a file or a folder with all that is in it; one that is not there is no failure. */
export async function removeWhole(path: string): Promise<void> {
  await change('remove', path, () => rm(path, { recursive: true, force: true })).catch((error: unknown) => {
    throw fileError('remove it', path, error);
  });
}

/** Writes files atomically: to a temporary file in the same folder, flushed to disk, then renamed into place. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import type { ErrorCode } from '../errors';
import { change } from './operations';

/** Advice for the write errors that a user can fix. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space or choose another folder',
  EDQUOT: 'free some space or choose another folder',
  EACCES: 'choose another folder',
  EPERM: 'choose another folder',
  EROFS: 'choose another folder',
};

/** Converts a file system error to a CovidCtError with a code, the attempted action and advice. */
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
 * Creates a folder and its missing parents. Node's recursive mkdir reports ENOENT on a read-only file system, and loops
 * forever on one that allows no new folders, such as /proc.
 *
 * @param mode mode of the new folders, before the umask
 * @throws the file system's own error, for the first folder that could not be created
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
      // Another process has created it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Like {@link makeFolderSync} without blocking the event loop, because a network drive may be slow. */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
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
    await change('makeFolder', each, () => mkdir(each, mode)).catch((error: NodeJS.ErrnoException) => {
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
 * Refuses everything but a regular file: the rename would replace a device such as /dev/null for the whole machine, or
 * disconnect the reader of a pipe.
 */
async function assertReplaceable(path: string, code: ErrorCode): Promise<void> {
  const info = await stat(path).catch(() => null);
  if (info === null || info.isFile()) return;
  const what = info.isDirectory() ? 'a folder' : 'a device, a pipe or a socket';
  throw new CovidCtError(code, `${path}: expected the name of a file to write; it is ${what}; give another name`);
}

/** Returns the name of a temporary file in the folder of `path`. */
function unfinished(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

/** Returns the final name of a temporary file that {@link replaceFile} left; null for every other name. */
export function finishedName(name: string): string | null {
  return /^\.(.+)\.\d+-[0-9a-f]{8}\.tmp$/.exec(name)?.[1] ?? null;
}

/** What is written shows it more often than that; what does not was left. */
const LEFT_AFTER_MS = 3_600_000;

/** Removes what killed processes have left of files for the place of `path`. It is no failure where that fails. */
async function removeLeft(path: string): Promise<void> {
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    if (finishedName(name) !== basename(path)) continue;
    const left = join(dirname(path), name);
    const { mtimeMs } = await stat(left).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < Date.now() - LEFT_AFTER_MS) await removeWhole(left).catch(() => undefined);
  }
}

/** How {@link replaceFile} writes and reports a failure. */
export interface ReplaceOptions {
  /** What is being done, for the message, e.g. `write the weights`. */
  readonly action?: string;
  readonly code?: ErrorCode;
  /** Whether files that killed processes have left half written in this place are removed first; false by default. */
  readonly tidy?: boolean;
  /** Whether the folder is flushed to disk too, so that the new name survives a power failure; true by default. */
  readonly durable?: boolean;
}

/** Flushes a file that is closed already. Throws the file system's own error. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await change('sync', path, () => file.sync());
  } finally {
    await file.close();
  }
}

/** Errors of platforms and file systems on which a folder cannot be opened or synced. */
const NO_FOLDER_SYNC = new Set(['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS']);

/**
 * Flushes the entries of a folder to disk (fsync): only then does a rename survive a power failure. Does nothing where
 * folders cannot be synced (Windows, some network drives).
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
 * Creates or replaces a file atomically; every writer of the library goes through it. `write` fills a temporary file in
 * the same folder, which is then renamed into place. A reader sees the old file or the new one, never a part.
 *
 * @param write creates the file at the path it is given, and flushes it
 * @returns what `write` returns
 * @throws CovidCtError with the code (ERR_RUN_FOLDER by default), reason and advice, also when the path is not a
 *   regular file; the old file is then untouched
 */
export async function replaceFile<T>(
  path: string,
  write: (temporary: string) => Promise<T>,
  options: ReplaceOptions = {},
): Promise<T> {
  return await nameWhenWritten(path, write, () => path, options);
}

/**
 * Like {@link replaceFile}, for a file whose name depends on its content.
 *
 * @param path a path in the same folder as the final one
 * @param nameOf returns the final path for what `write` returned
 */
export async function nameWhenWritten<T>(
  path: string,
  write: (temporary: string) => Promise<T>,
  nameOf: (result: T) => string,
  options: ReplaceOptions = {},
): Promise<T> {
  const { action = 'write the file', code = 'ERR_RUN_FOLDER', durable = true, tidy = false } = options;
  const temporary = unfinished(path);
  try {
    await assertReplaceable(path, code);
    await makeFolder(dirname(path));
    if (tidy) await removeLeft(path);
    const result = await write(temporary);
    const name = nameOf(result);
    await change('rename', temporary, () => rename(temporary, name), name);
    if (durable) await syncFolder(dirname(name));
    return result;
  } catch (error) {
    // A failure to clean up must not hide the first error.
    await change('remove', temporary, () => rm(temporary, { force: true })).catch(() => undefined);
    throw fileError(action, path, error, code);
  }
}

/**
 * Creates or empties a file and fills it; for a place where nobody looks yet, such as a temporary name.
 *
 * @param options `durable`: whether it is flushed to disk (default true)
 * @throws the file system's own error
 */
export async function fillFile(
  path: string,
  data: string | Uint8Array,
  { durable = true }: Pick<ReplaceOptions, 'durable'> = {},
): Promise<void> {
  const file = await change('create', path, () => open(path, 'w'));
  try {
    await change('write', path, () => file.writeFile(data));
    if (durable) await change('sync', path, () => file.sync());
  } finally {
    await file.close();
  }
}

/**
 * Writes a file atomically; a reader sees the old content or the new, never a part.
 *
 * @throws CovidCtError ERR_RUN_FOLDER with the reason and advice; the old file is then untouched
 */
export async function writeWhole(
  path: string,
  data: string | Uint8Array,
  options: Pick<ReplaceOptions, 'durable'> = {},
): Promise<void> {
  await replaceFile(path, (temporary) => fillFile(temporary, data, options), options);
}

/** Removes a file, or a folder with its content; does nothing when the path does not exist. */
export async function removeWhole(path: string): Promise<void> {
  await change('remove', path, () => rm(path, { recursive: true, force: true })).catch((error: unknown) => {
    throw fileError('remove it', path, error);
  });
}

/**
 * Removes files and folders so that not even a power cut brings them back; to be called before what they need is
 * removed, or what says that they are being removed.
 *
 * @throws CovidCtError ERR_RUN_FOLDER
 */
export async function removeForGood(dir: string, names: readonly string[]): Promise<void> {
  for (const name of names) await removeWhole(join(dir, name));
  await syncFolder(dir).catch((error: unknown) => {
    throw fileError('remove what lies in it', dir, error);
  });
}

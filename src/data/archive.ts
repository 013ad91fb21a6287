/** Unpacks a zip file of images atomically: only regular files, only below the target folder, and within limits. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CovidCtError, DatasetError, throwIfAborted } from '../errors';
import { change } from '../files/operations';
import { fileError, makeFolder, syncFolder } from '../files/write';
import { isFolderEntry, readZip } from '../files/zip';
import type { ZipArchive, ZipEntry } from '../files/zip';
import { cacheFolder } from '../files/cache-folder';
import { makeTrustedFolder } from '../files/trusted-folder';

/** Progress of unpacking one zip file. */
export interface UnpackProgress {
  /** Name of the zip file. */
  readonly archive: string;
  readonly entries: number;
  readonly totalEntries: number;
}

/** Limits of an archive. Those of COVID-CT contain about 400 files of less than 1 MiB each. */
export interface UnpackLimits {
  readonly maxEntries: number;
  readonly maxEntryBytes: number;
  readonly maxTotalBytes: number;
}
export const UNPACK_LIMITS: UnpackLimits = {
  maxEntries: 20_000,
  maxEntryBytes: 256 * 1024 ** 2,
  maxTotalBytes: 4 * 1024 ** 3,
};

export interface UnpackOptions {
  readonly limits?: UnpackLimits;
  readonly onProgress?: (progress: UnpackProgress) => void;
  readonly signal?: AbortSignal;
}

function refuse(zip: string, what: string, cause?: unknown): DatasetError {
  return new DatasetError(`${zip}: ${what}. Nothing was unpacked; fetch the archive again`, { cause });
}

/** Whether an entry is a folder or a metadata file of macOS or Windows, which is not an image. */
function isIgnored(entry: ZipEntry): boolean {
  const { name } = entry;
  const base = path.posix.basename(name);
  return isFolderEntry(entry) || name.startsWith('__MACOSX/') || base.startsWith('.') || NO_IMAGES.has(base);
}

const NO_IMAGES = new Set(['Thumbs.db', 'desktop.ini', 'Icon\r']);

/** Returns the path of an entry below the target, without a leading folder of the target's name. */
function relativeName({ name }: ZipEntry, folder: string): string {
  const prefix = `${folder}/`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

async function unpackEntries(
  zip: ZipArchive,
  file: string,
  target: string,
  folder: string,
  options: UnpackOptions,
): Promise<void> {
  const { limits = UNPACK_LIMITS, onProgress, signal } = options;
  let total = 0;
  for (const [index, entry] of zip.entries.entries()) {
    throwIfAborted(signal);
    if (isIgnored(entry)) continue;
    if (entry.bytes > limits.maxEntryBytes)
      throw zip.damaged(entry, `has ${entry.bytes} bytes, more than ${limits.maxEntryBytes}`);
    total += entry.bytes;
    if (total > limits.maxTotalBytes) throw refuse(file, `it unpacks to more than ${limits.maxTotalBytes} bytes`);
    await zip.extract(entry, target, { name: relativeName(entry, folder) });
    onProgress?.({ archive: path.basename(file), entries: index + 1, totalEntries: zip.entries.length });
  }
}

/**
 * Unpacks `zip` into the folder `target`, which is created atomically; an existing one is kept.
 *
 * @throws DatasetError naming file and entry for a damaged or unsafe archive; AbortedError; the file system's own
 *   errors
 */
export async function unpackZip(zip: string, target: string, options: UnpackOptions = {}): Promise<void> {
  const { limits = UNPACK_LIMITS, signal } = options;
  const folder = path.basename(target);
  const unfinished = path.join(
    path.dirname(target),
    `.${folder}.unpacking-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
  await makeFolder(unfinished);
  try {
    const rules = {
      maxEntries: limits.maxEntries,
      damaged: (what: string, cause?: unknown) => refuse(zip, what, cause),
      signal,
    };
    await readZip(zip, rules, (archive) => unpackEntries(archive, zip, unfinished, folder, options));
    await change('rename', unfinished, () => rename(unfinished, target), target).catch(async (error: unknown) => {
      if (!(await isFolder(target))) throw error; // else another process was faster, and its files are the same
    });
    await syncFolder(path.dirname(target));
  } finally {
    await change('remove', unfinished, () => rm(unfinished, { recursive: true, force: true }));
  }
}

/** Whether a folder exists; links are followed. */
export async function isFolder(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isDirectory() ?? false;
}

async function fingerprint(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash, { signal });
  return hash.digest('hex').slice(0, 32);
}

const READ_ONLY = new Set(['EACCES', 'EPERM', 'EROFS']);

/**
 * Unpacks `<folder>.zip` into its own folder or, if that is read-only, into the user's cache under the archive's
 * SHA-256.
 *
 * @returns the folder with the images
 * @throws DatasetError for a damaged or unsafe archive, or when neither folder can be written; CovidCtError ERR_CACHE
 *   when other users can write to the cache; AbortedError
 */
export async function unpackBeside(zip: string, options: UnpackOptions = {}): Promise<string> {
  const folder = path.basename(zip, '.zip');
  const beside = path.join(path.dirname(zip), folder);
  try {
    await unpackZip(zip, beside, options);
    return beside;
  } catch (error) {
    if (!READ_ONLY.has((error as NodeJS.ErrnoException).code ?? '')) throw asDatasetError(zip, beside, error);
  }
  const parent = path.join(cacheFolder(), 'covid-ct', await fingerprint(zip, options.signal));
  const cached = path.join(parent, folder);
  try {
    makeTrustedFolder(parent);
    if (!(await isFolder(cached))) await unpackZip(zip, cached, options);
    return cached;
  } catch (error) {
    throw asDatasetError(zip, cached, error);
  }
}

/** Converts a file system error while unpacking to one that says what to do. */
function asDatasetError(zip: string, target: string, error: unknown): CovidCtError {
  return error instanceof CovidCtError
    ? error
    : new DatasetError(fileError(`unpack it to ${target}`, zip, error).message, { cause: error });
}

/** Unpacks a zip of images: only plain files, only below its own folder, within limits, whole or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Transform as StreamTransform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { AbortedError, CovidCtError, messageOf, throwIfAborted } from '../errors';
import { cacheFolder } from '../native/cache-folder';
import { makeTrustedFolder } from '../native/trusted-folder';
import type { UnpackProgress } from '../options/data';

/** What an archive may hold. The real ones hold some 400 files of under 1 MiB each. */
export interface UnpackLimits {
  readonly maxEntries: number;
  readonly maxEntryBytes: number;
  readonly maxTotalBytes: number;
}
export const UNPACK_LIMITS: UnpackLimits = { maxEntries: 20_000, maxEntryBytes: 256 * 1024 ** 2, maxTotalBytes: 4 * 1024 ** 3 };

export interface UnpackOptions {
  readonly limits?: UnpackLimits;
  readonly onProgress?: (progress: UnpackProgress) => void;
  readonly signal?: AbortSignal;
}

const FILE_TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const ENCRYPTED = 1;

function refuse(zip: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_BAD_ARCHIVE', `${zip}: ${what}. Nothing was unpacked; fetch the archive again`, { cause });
}

/** Folders and the droppings of macOS and Windows, which carry no image. */
function isIgnored(name: string): boolean {
  const base = path.posix.basename(name);
  return name.endsWith('/') || name.startsWith('__MACOSX/') || base.startsWith('.') || base === 'Thumbs.db' || base === 'desktop.ini';
}

/** Path of an entry below the target; a leading folder of the target's own name is taken off. */
function relativeName(entry: Entry, folder: string): string {
  const prefix = `${folder}/`;
  return entry.fileName.startsWith(prefix) ? entry.fileName.slice(prefix.length) : entry.fileName;
}

function checkEntry(zip: string, entry: Entry, limits: UnpackLimits): void {
  const mode = (entry.externalFileAttributes >>> 16) & FILE_TYPE_MASK;
  if (mode !== 0 && mode !== REGULAR && mode !== DIRECTORY) throw refuse(zip, `the entry "${entry.fileName}" is a link or a device, not a file`);
  if ((entry.generalPurposeBitFlag & ENCRYPTED) !== 0) throw refuse(zip, `the entry "${entry.fileName}" is encrypted`);
  if (entry.uncompressedSize > limits.maxEntryBytes) throw refuse(zip, `the entry "${entry.fileName}" has ${entry.uncompressedSize} bytes, more than ${limits.maxEntryBytes}`);
}

async function writeEntry(zipFile: ZipFile, zip: string, entry: Entry, target: string, signal: AbortSignal | undefined): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  let sum = 0;
  const summing = new StreamTransform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
  });
  const content = await zipFile.openReadStreamPromise(entry);
  await pipeline(content, summing, createWriteStream(target, { flags: 'wx' }), { signal });
  if (sum >>> 0 !== entry.crc32 >>> 0) throw refuse(zip, `the entry "${entry.fileName}" is damaged: its checksum does not match`);
}

async function unpackEntries(zipFile: ZipFile, zip: string, target: string, folder: string, { limits = UNPACK_LIMITS, onProgress, signal }: UnpackOptions): Promise<void> {
  if (zipFile.entryCount > limits.maxEntries) throw refuse(zip, `it has ${zipFile.entryCount} entries, more than ${limits.maxEntries}`);
  let total = 0;
  let entries = 0;
  for await (const entry of zipFile.eachEntry()) {
    throwIfAborted(signal);
    entries += 1;
    checkEntry(zip, entry, limits);
    if (isIgnored(entry.fileName)) continue;
    total += entry.uncompressedSize;
    if (total > limits.maxTotalBytes) throw refuse(zip, `it unpacks to more than ${limits.maxTotalBytes} bytes`);
    const inside = path.resolve(target, relativeName(entry, folder));
    if (!inside.startsWith(target + path.sep)) throw refuse(zip, `the entry "${entry.fileName}" would be written outside its folder`);
    await writeEntry(zipFile, zip, entry, inside, signal);
    onProgress?.({ archive: path.basename(zip), entries, totalEntries: zipFile.entryCount });
  }
}

/**
 * Unpacks `zip` into the folder `target`, which appears whole or not at all; one that is already there is kept.
 *
 * @throws CovidCtError ERR_BAD_ARCHIVE for a damaged or unsafe archive; AbortedError; the file system's own errors
 */
export async function unpackZip(zip: string, target: string, options: UnpackOptions = {}): Promise<void> {
  const folder = path.basename(target);
  const unfinished = path.join(path.dirname(target), `.${folder}.unpacking-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(unfinished, { recursive: true });
  try {
    let zipFile: ZipFile | undefined;
    try {
      zipFile = await yauzl.openPromise(zip, { autoClose: false }); // refuses absolute names and '..'
      await unpackEntries(zipFile, zip, unfinished, folder, options);
    } finally {
      zipFile?.close();
    }
    await rename(unfinished, target).catch(async (error: unknown) => {
      if (!(await isFolder(target))) throw error; // otherwise another process was first, and its files are the same
    });
  } catch (error) {
    if (options.signal?.aborted) throw new AbortedError();
    if (error instanceof CovidCtError || isFileSystemError(error)) throw error;
    throw refuse(zip, messageOf(error), error);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Failures that names inside the archive bring about: one twice, or one that is both a file and a folder. */
const CLASHES = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG']);

/** Whether the disk is to blame (full, read-only), not the archive. */
function isFileSystemError(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && code !== undefined && !CLASHES.has(code);
}

/** Whether a folder is there (links are followed). */
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
 * Unpacks `<folder>.zip` beside itself, or, where that folder is read-only, into the user's cache under the archive's
 * fingerprint.
 *
 * @returns the folder with the images
 * @throws CovidCtError ERR_BAD_ARCHIVE; ERR_CACHE when others can write into the cache
 */
export async function unpackBeside(zip: string, options: UnpackOptions = {}): Promise<string> {
  const folder = path.basename(zip, '.zip');
  const beside = path.join(path.dirname(zip), folder);
  try {
    await unpackZip(zip, beside, options);
    return beside;
  } catch (error) {
    if (!READ_ONLY.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  const parent = makeTrustedFolder(path.join(cacheFolder(), 'covid-ct', await fingerprint(zip, options.signal)));
  const cached = path.join(parent, folder);
  if (!(await isFolder(cached))) await unpackZip(zip, cached, options);
  return cached;
}

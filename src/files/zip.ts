/**
 * Reads every zip archive of the library: data sets, LibTorch and PyTorch checkpoints. Every failure rejects the
 * promise of the call, with an error of the caller's type that names the file and the entry.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { change } from './operations';
import { makeFolder, syncFile } from './write';
import { AbortedError, CovidCtError, messageOf, throwIfAborted } from '../errors';
import { readExactly } from './read-exactly';
import { quoted, readZipDirectory } from './zip-directory';
import type { ZipEntry } from './zip-directory';

export type { ZipEntry } from './zip-directory';

/** What a caller accepts, and how it reports an archive that it refuses. */
export interface ZipRules {
  /** An archive with more entries is refused before any is read. */
  readonly maxEntries: number;
  /** Creates the error; `what` says what is wrong with the archive or a named entry. */
  readonly damaged: (what: string, cause?: unknown) => CovidCtError;
  readonly signal?: AbortSignal | undefined;
}

const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const CHUNK_BYTES = 256 * 1024;
const CHECK_BYTES = 4 * 1024 ** 2;
const FILE_TYPE = 0o170000;
const FOLDER = 0o040000;
const REGULAR = 0o100000;

/** Errors caused by an entry's name: it is both a file and a folder, is too long, or is invalid on this file system. */
const CLASHES = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EILSEQ', 'EINVAL']);

/** Whether the file system caused the error (disk full, read-only), not the archive. */
function isFileSystemError(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && code !== undefined;
}

function hasControlCharacter(name: string): boolean {
  return [...name].some((character) => character < ' ' || character === '\x7f');
}

/** An open archive, created by {@link readZip}. */
export class ZipArchive {
  readonly #file: FileHandle;
  readonly #rules: ZipRules;

  constructor(
    readonly entries: readonly ZipEntry[],
    file: FileHandle,
    rules: ZipRules,
  ) {
    this.#file = file;
    this.#rules = rules;
  }

  /** Creates the caller's error about an entry. */
  damaged({ name }: ZipEntry, what: string, cause?: unknown): CovidCtError {
    return this.#rules.damaged(`the entry ${quoted(name)} ${what}`, cause);
  }

  /** Returns the offset and the size of the entry's data in the file, as stored (compressed or not). */
  async place(entry: ZipEntry): Promise<{ readonly offset: number; readonly bytes: number }> {
    const header = Buffer.alloc(LOCAL_HEADER_BYTES);
    await this.#read(entry, header, entry.start);
    if (header.readUInt32LE(0) !== LOCAL_HEADER) throw this.damaged(entry, `has no header at byte ${entry.start}`);
    const offset = entry.start + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (offset + entry.packedBytes > entry.limit) {
      throw this.damaged(entry, 'is longer than the space it has: it overlaps the next entry, or the file is cut off');
    }
    return { offset, bytes: entry.packedBytes };
  }

  /** Verifies the checksum of a stored (uncompressed) entry. */
  async verifyStored(entry: ZipEntry): Promise<void> {
    const { offset, bytes } = await this.place(entry);
    const buffer = Buffer.allocUnsafe(Math.min(bytes, CHECK_BYTES));
    let sum = 0;
    for (let done = 0; done < bytes; done += buffer.length) {
      throwIfAborted(this.#rules.signal);
      const part = buffer.subarray(0, bytes - done);
      await this.#read(entry, part, offset + done);
      sum = crc32(part, sum);
    }
    if (sum >>> 0 !== entry.crc32)
      throw this.damaged(entry, 'does not match its checksum; fetch or copy the file again');
  }

  /** Returns the entry's uncompressed bytes after verifying them. Throws for an entry larger than `maxBytes`. */
  async content(entry: ZipEntry, maxBytes: number): Promise<Buffer> {
    if (entry.bytes > maxBytes)
      throw this.damaged(entry, `would unpack to ${entry.bytes} bytes, expected at most ${maxBytes}`);
    const parts: Buffer[] = [];
    const collect = (part: Buffer, _encoding: string, done: () => void): void => {
      parts.push(part);
      done();
    };
    await this.#unpack(entry, () => new Writable({ write: collect }));
    return Buffer.concat(parts);
  }

  /**
   * Unpacks the entry to a new file below `folder`.
   *
   * @param options `name`: path below the folder, the entry's own by default; `durable`: whether the file is flushed to
   *   disk (default true)
   * @throws the caller's error for an entry that is not a regular file, would be outside the folder, clashes with
   *   another or is damaged; the file system's own errors
   */
  async extract(
    entry: ZipEntry,
    folder: string,
    options: { readonly name?: string; readonly mode?: number; readonly durable?: boolean } = {},
  ): Promise<void> {
    const { name = entry.name, mode = 0o666, durable = true } = options;
    const type = entry.mode & FILE_TYPE;
    if (type !== 0 && type !== REGULAR) throw this.damaged(entry, 'is a symbolic link or a device, not a file');
    if (hasControlCharacter(entry.name)) throw this.damaged(entry, 'has a control character in its name');
    const root = path.resolve(folder);
    const target = path.resolve(root, name);
    if (!target.startsWith(root + path.sep)) throw this.damaged(entry, 'would be written outside its folder');
    const file = await this.#create(entry, target, mode);
    try {
      await change('write', target, () => this.#unpack(entry, () => file.createWriteStream()));
    } finally {
      await file.close();
    }
    if (durable) await syncFile(target);
  }

  async #create(entry: ZipEntry, target: string, mode: number): Promise<FileHandle> {
    try {
      await makeFolder(path.dirname(target));
      return await change('create', target, () => open(target, 'wx', mode));
    } catch (error) {
      if (!CLASHES.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      throw this.damaged(
        entry,
        `clashes with another entry, or its name is not valid on this file system (${messageOf(error)})`,
        error,
      );
    }
  }

  /**
   * Decompresses the entry into a sink and verifies the data. The streams are created and connected in one step, after
   * everything else that can fail, so that no stream is ever without an error listener.
   */
  async #unpack(entry: ZipEntry, sink: () => Writable): Promise<void> {
    if (entry.isEncrypted) throw this.damaged(entry, 'is encrypted');
    if (entry.method !== STORED && entry.method !== DEFLATED) {
      throw this.damaged(entry, `is packed by method ${entry.method}, which is not read; expected stored or deflated`);
    }
    const { offset, bytes } = await this.place(entry);
    const { signal } = this.#rules;
    const check = (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> => this.#checked(entry, source);
    try {
      if (entry.method === STORED) await pipeline(this.#raw(entry, offset, bytes), check, sink(), { signal });
      else
        await pipeline(this.#raw(entry, offset, bytes), createInflateRaw({ chunkSize: CHUNK_BYTES }), check, sink(), {
          signal,
        });
    } catch (error) {
      if (error instanceof CovidCtError || isFileSystemError(error) || signal?.aborted) throw error;
      throw this.damaged(entry, `cannot be unpacked: ${messageOf(error)}`, error);
    }
  }

  async *#raw(entry: ZipEntry, offset: number, bytes: number): AsyncGenerator<Buffer> {
    for (let done = 0; done < bytes; done += CHUNK_BYTES) {
      const part = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - done));
      await this.#read(entry, part, offset + done);
      yield part;
    }
  }

  async *#checked(entry: ZipEntry, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    let sum = 0;
    for await (const part of source) {
      bytes += part.length;
      if (bytes > entry.bytes) throw this.damaged(entry, `unpacks to more than the ${entry.bytes} bytes it declares`);
      sum = crc32(part, sum);
      yield part;
    }
    if (bytes < entry.bytes) throw this.damaged(entry, `unpacks to ${bytes} bytes, expected ${entry.bytes}`);
    if (sum >>> 0 !== entry.crc32) throw this.damaged(entry, 'is damaged: its checksum does not match');
  }

  async #read(entry: ZipEntry, buffer: Buffer, position: number): Promise<void> {
    await readExactly(this.#file, buffer, position).catch((error: unknown) => {
      throw this.damaged(entry, `cannot be read: ${messageOf(error)}`, error);
    });
  }
}

/** Whether the entry is a folder. */
export function isFolderEntry({ name, mode }: ZipEntry): boolean {
  return name.endsWith('/') || (mode & FILE_TYPE) === FOLDER;
}

/**
 * Opens a zip archive, passes it to `work`, and always closes it.
 *
 * @returns what `work` returns
 * @throws rules.damaged(...) for any fault of the archive; AbortedError when the signal fires; what `work` throws
 */
export async function readZip<T>(file: string, rules: ZipRules, work: (zip: ZipArchive) => Promise<T>): Promise<T> {
  throwIfAborted(rules.signal);
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw rules.damaged(`it cannot be opened: ${messageOf(error)}`, error);
  });
  try {
    const entries = await directoryOf(handle, rules);
    throwIfAborted(rules.signal);
    return await work(new ZipArchive(entries, handle, rules));
  } catch (error) {
    if (rules.signal?.aborted) throw new AbortedError();
    throw error;
  } finally {
    await handle.close();
  }
}

async function directoryOf(handle: FileHandle, rules: ZipRules): Promise<ZipEntry[]> {
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw new Error('it is not a file');
    return await readZipDirectory(handle, info.size, rules.maxEntries);
  } catch (error) {
    throw rules.damaged(messageOf(error), error);
  }
}

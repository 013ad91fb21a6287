/**
 * The one place where zip archives are read: data sets, LibTorch and PyTorch's checkpoints come through it. Every
 * failure rejects the promise that was asked for, with an error of the caller's kind that names file and entry.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { makeFolder } from './write';
import { AbortedError, CovidCtError, messageOf, throwIfAborted } from '../errors';
import { readExactly } from './read-exactly';
import { quoted, readZipDirectory } from './zip-directory';
import type { ZipEntry } from './zip-directory';

export type { ZipEntry } from './zip-directory';

/** What a caller takes, and how it reports what it does not take. */
export interface ZipRules {
  /** More entries are refused before any is read. */
  readonly maxEntries: number;
  /** Makes the error: `what` is wrong with the archive, or with an entry that it names. */
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

/** What names inside an archive bring about: one that is a file and a folder, or too long, or that no disk takes. */
const CLASHES = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EILSEQ', 'EINVAL']);

/** Whether the disk is to blame (full, read-only), not the archive. */
function isFileSystemError(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && code !== undefined;
}

function hasControlCharacter(name: string): boolean {
  return [...name].some((character) => character < ' ' || character === '\x7f');
}

/** An open archive; made by {@link readZip}. */
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

  /** The caller's own error about an entry. */
  damaged({ name }: ZipEntry, what: string, cause?: unknown): CovidCtError {
    return this.#rules.damaged(`the entry ${quoted(name)} ${what}`, cause);
  }

  /** Where the entry's bytes lie in the file, packed or not. */
  async place(entry: ZipEntry): Promise<{ readonly offset: number; readonly bytes: number }> {
    const header = Buffer.alloc(LOCAL_HEADER_BYTES);
    await this.#read(entry, header, entry.start);
    if (header.readUInt32LE(0) !== LOCAL_HEADER) throw this.damaged(entry, `has no header at byte ${entry.start}`);
    const offset = entry.start + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (offset + entry.packedBytes > entry.limit) {
      throw this.damaged(
        entry,
        'is too long for its place: it and the next one lie over one another, or the file ends before',
      );
    }
    return { offset, bytes: entry.packedBytes };
  }

  /** Reads a stored entry through once against its checksum. */
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

  /** The entry's bytes, unpacked and checked. Throws for one of more than `maxBytes`. */
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
   * @param name its path below the folder; its own by default
   * @throws the caller's error for what is no file, leaves the folder, clashes with another entry or is damaged; the
   *   file system's own errors
   */
  async extract(
    entry: ZipEntry,
    folder: string,
    options: { readonly name?: string; readonly mode?: number } = {},
  ): Promise<void> {
    const { name = entry.name, mode = 0o666 } = options;
    const type = entry.mode & FILE_TYPE;
    if (type !== 0 && type !== REGULAR) throw this.damaged(entry, 'is a symbolic link or a device, not a file');
    if (hasControlCharacter(entry.name)) throw this.damaged(entry, 'has a control character in its name');
    const root = path.resolve(folder);
    const target = path.resolve(root, name);
    if (!target.startsWith(root + path.sep)) throw this.damaged(entry, 'would be written outside its folder');
    const file = await this.#create(entry, target, mode);
    try {
      await this.#unpack(entry, () => file.createWriteStream());
    } finally {
      await file.close();
    }
  }

  async #create(entry: ZipEntry, target: string, mode: number): Promise<FileHandle> {
    try {
      await makeFolder(path.dirname(target));
      return await open(target, 'wx', mode);
    } catch (error) {
      if (!CLASHES.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      throw this.damaged(
        entry,
        `clashes with another, or its name is none for a file here (${messageOf(error)})`,
        error,
      );
    }
  }

  /**
   * Sends the entry's unpacked bytes to a sink and checks them. The streams are made and joined in one go, after
   * everything that can fail without them, so that none is ever without somebody who listens.
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
      if (bytes > entry.bytes) throw this.damaged(entry, `unpacks to more than the ${entry.bytes} bytes it says`);
      sum = crc32(part, sum);
      yield part;
    }
    if (bytes < entry.bytes) throw this.damaged(entry, `unpacks to ${bytes} bytes, it says ${entry.bytes}`);
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
 * Opens a zip archive, hands it to `work`, and closes it, whatever happens.
 *
 * @returns what `work` returns
 * @throws rules.damaged(...) for everything that is wrong with the archive; AbortedError; what `work` throws
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

/**
 * Parses the directory of a zip archive with yauzl, guarded twice: yauzl reads through a reader that neither throws nor
 * goes beyond the file, and whatever it throws inside a callback rejects the promise of the parse.
 */
import type { FileHandle } from 'node:fs/promises';
import { fromRandomAccessReader, RandomAccessReader } from 'yauzl';
import type { Entry } from 'yauzl';
import { messageOf } from '../errors';
import { readExactly } from './read-exactly';

/** An entry of the archive's directory; checked to be inside the file and not to overlap another. */
export interface ZipEntry {
  /** Path with `/`, ending in `/` for a folder; never absolute, never with `..` or NUL. */
  readonly name: string;
  /** Uncompressed size. */
  readonly bytes: number;
  readonly packedBytes: number;
  readonly crc32: number;
  /** Compression method: 0 is stored, 8 is deflate. */
  readonly method: number;
  readonly isEncrypted: boolean;
  /** Unix mode including the file type; 0 when the archive has none. */
  readonly mode: number;
  /** Offset of the local header. */
  readonly start: number;
  /** Offset that the data must not pass: the start of the next entry, or the end of the file. */
  readonly limit: number;
}

const WINDOW_BYTES = 64 * 1024;
const LOCAL_HEADER_BYTES = 30;
const MAX_QUOTED = 120;

/** The reader for yauzl: it checks every position before reading, and catches what yauzl's callbacks throw. */
class GuardedReader extends RandomAccessReader {
  #window = Buffer.alloc(0);
  #windowStart = 0;

  readonly #file: FileHandle;
  readonly #size: number;
  readonly #fail: (error: unknown) => void;

  constructor(file: FileHandle, size: number, fail: (error: unknown) => void) {
    super();
    this.#file = file;
    this.#size = size;
    this.#fail = fail;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const tell = (error: Error | null): void => {
      try {
        callback(error);
      } catch (thrown) {
        this.#fail(thrown);
      }
    };
    this.#fill(buffer, offset, length, position).then(
      () => tell(null),
      (error: unknown) => tell(new Error(messageOf(error), { cause: error })),
    );
  }

  /** yauzl's streams are never used: zip.ts reads the entries. */
  override createReadStream(): never {
    throw new Error('the directory of an archive is not read as a stream');
  }

  async #fill(buffer: Buffer, offset: number, length: number, position: number): Promise<void> {
    if (!(position >= 0 && position + length <= this.#size)) {
      throw new Error(`its directory points to byte ${position}, outside the ${this.#size} bytes of the file`);
    }
    if (position < this.#windowStart || position + length > this.#windowStart + this.#window.length) {
      const window = Buffer.allocUnsafe(Math.min(Math.max(length, WINDOW_BYTES), this.#size - position));
      await readExactly(this.#file, window, position);
      this.#window = window;
      this.#windowStart = position;
    }
    this.#window.copy(buffer, offset, position - this.#windowStart, position - this.#windowStart + length);
  }
}

function parse(file: FileHandle, size: number, maxEntries: number): Promise<Entry[]> {
  return new Promise((resolve, reject) => {
    const reader = new GuardedReader(file, size, reject);
    fromRandomAccessReader(reader, size, { lazyEntries: true, autoClose: false }, (error, zip) => {
      if (error !== null) return reject(error);
      if (zip.entryCount > maxEntries)
        return reject(new Error(`its directory claims ${zip.entryCount} entries, more than ${maxEntries}`));
      const entries: Entry[] = [];
      zip.on('error', reject);
      zip.on('end', () => resolve(entries));
      zip.on('entry', (entry: Entry) => {
        entries.push(entry);
        zip.readEntry();
      });
      zip.readEntry();
    });
  });
}

function isInside(
  size: number,
  { relativeOffsetOfLocalHeader: start, compressedSize, uncompressedSize, fileNameRaw }: Entry,
): boolean {
  const numbers = [start, compressedSize, uncompressedSize];
  return (
    numbers.every(Number.isSafeInteger) && start + LOCAL_HEADER_BYTES + fileNameRaw.length + compressedSize <= size
  );
}

/**
 * Finds the offset that each entry must not pass. Entries that overlap are refused: they let a small zip bomb unpack to
 * any size.
 */
function limitsOf(entries: readonly Entry[], size: number): Map<Entry, number> {
  const sorted = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  const limits = new Map<Entry, number>();
  for (const [i, entry] of sorted.entries()) {
    const next = sorted[i + 1];
    const limit = next?.relativeOffsetOfLocalHeader ?? size;
    const end =
      entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameRaw.length + entry.compressedSize;
    if (end > limit) {
      throw new Error(`the entries ${quoted(entry.fileName)} and ${quoted(next?.fileName ?? '')} overlap`);
    }
    limits.set(entry, limit);
  }
  return limits;
}

/** Formats a name for a message: quoted, control characters escaped, long names cut. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > MAX_QUOTED ? `${name.slice(0, MAX_QUOTED)}...` : name);
}

/**
 * Reads and checks the directory of a zip archive.
 *
 * @param file the archive, open for reading
 * @param size size of the file in bytes
 * @param maxEntries an archive with more entries is refused before any is read
 * @throws Error saying what is wrong; no error is thrown or emitted outside the promise
 */
export async function readZipDirectory(file: FileHandle, size: number, maxEntries: number): Promise<ZipEntry[]> {
  const entries = await parse(file, size, maxEntries);
  const names = new Set<string>();
  for (const entry of entries) {
    const { fileName } = entry;
    if (fileName === '' || fileName.includes('\0')) throw new Error(`it has an entry named ${quoted(fileName)}`);
    if (names.has(fileName) && !fileName.endsWith('/')) throw new Error(`it has the entry ${quoted(fileName)} twice`);
    names.add(fileName);
    if (!isInside(size, entry)) throw new Error(`the entry ${quoted(fileName)} reaches beyond the end of the file`);
  }
  const limits = limitsOf(entries, size);
  return entries.map((entry) => ({
    name: entry.fileName,
    bytes: entry.uncompressedSize,
    packedBytes: entry.compressedSize,
    crc32: entry.crc32 >>> 0,
    method: entry.compressionMethod,
    isEncrypted: (entry.generalPurposeBitFlag & 1) !== 0,
    mode: entry.externalFileAttributes >>> 16,
    start: entry.relativeOffsetOfLocalHeader,
    limit: limits.get(entry)!,
  }));
}

/**
 * Reads the images of a packed data set by their offsets.
 *
 * It uses positioned reads, not a memory map: accessing a map of a truncated file or of a lost network share kills the
 * process with SIGBUS, while a read fails with an error. The system's page cache keeps the data either way, shared by
 * all processes, and releases it when memory runs short.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BadImageError, CovidCtError, messageOf, throwIfAborted } from '../../errors';
import type { SixteenBit } from '../images/options';
import { HEAD_BYTES, packedError, parseHead, parseIndex } from './format';
import type { PackedHead, PackedIndex } from './format';
import type { PixelSource, Pixels } from '../types';

/** Closes the files of data sets that were garbage-collected without being closed. */
const forgotten = new FinalizationRegistry<FileHandle>((handle) => void handle.close().catch(() => undefined));

/**
 * The pixels of an open packed data set. Reads may run concurrently; they use the file that was opened, even when
 * another replaces it.
 */
export class PackedFile {
  readonly path: string;
  readonly head: PackedHead;
  readonly index: PackedIndex;
  readonly #handle: FileHandle;
  /** Offset of each image and of the end: n + 1 numbers. */
  readonly #offsets: Float64Array;
  /** 1 for an image whose checksum has been verified, which is done once. */
  readonly #checked: Uint8Array;
  #closed: Promise<void> | null = null;

  private constructor(path: string, handle: FileHandle, head: PackedHead, index: PackedIndex) {
    this.path = path;
    this.#handle = handle;
    this.head = head;
    this.index = index;
    const n = index.ids.length;
    this.#checked = new Uint8Array(n);
    this.#offsets = new Float64Array(n + 1).fill(HEAD_BYTES);
    for (let i = 0; i < n; i += 1) this.#offsets[i + 1] = this.#offsets[i]! + index.heights[i]! * index.widths[i]! * 3;
    forgotten.register(this, handle, this);
  }

  /** Opens the file and checks header and index. Throws CovidCtError ERR_PACKED_DATA. */
  static async open(path: string): Promise<PackedFile> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw packedError(path, `it cannot be opened: ${messageOf(error)}`, error);
    });
    try {
      const { size } = await handle.stat();
      const head = parseHead(await readAt(handle, path, 0, Math.min(HEAD_BYTES, size)), size, path);
      const index = parseIndex(await readAt(handle, path, head.indexOffset, head.indexBytes), head, path);
      return new PackedFile(path, handle, head, index);
    } catch (error) {
      await handle.close().catch(() => undefined); // must not hide the first error
      throw error;
    }
  }

  /**
   * Returns the pixels of image `i`, as they were decoded (and resized).
   *
   * @throws BadImageError when their checksum is wrong; CovidCtError ERR_PACKED_DATA when they cannot be read;
   *   ERR_DISPOSED after close()
   */
  async read(i: number): Promise<Pixels> {
    if (this.#closed !== null)
      throw new CovidCtError('ERR_DISPOSED', `${this.path}: this packed data set was closed; open it again`);
    const { heights, widths, checksums, ids } = this.index;
    const [height, width, offset] = [heights[i]!, widths[i]!, this.#offsets[i]!];
    const data = await readAt(this.#handle, this.path, offset, height * width * 3);
    if (this.#checked[i] === 0) {
      const actual = crc32(data);
      if (actual !== checksums[i]) {
        const sums = `expected CRC-32 ${hex(checksums[i]!)}; they have ${hex(actual)}`;
        const reason = `its pixels at byte ${offset} are damaged: ${sums}`;
        throw new BadImageError(
          `${this.path}: image ${i} (${ids[i]}): ${reason}. Copy the file again or make it again with covidct prepare`,
          { source: `${this.path}[${i}]`, reason },
        );
      }
      this.#checked[i] = 1;
    }
    return { data, height, width };
  }

  /** Waits for pending reads and closes the file. May be called more than once. */
  async close(): Promise<void> {
    forgotten.unregister(this);
    this.#closed ??= this.#handle.close();
    await this.#closed;
  }
}

/** One image of a packed data set. */
export class PackedImage implements PixelSource {
  readonly #file: PackedFile;
  readonly #index: number;

  constructor(file: PackedFile, index: number) {
    this.#file = file;
    this.#index = index;
  }

  get name(): string {
    return `${this.#file.path}[${this.#index}]`;
  }

  get resize(): number | null {
    return this.#file.index.resize;
  }

  get sixteenBit(): SixteenBit | null {
    return this.#file.index.sixteenBit ?? null;
  }

  async readPixels(signal?: AbortSignal): Promise<Pixels> {
    throwIfAborted(signal);
    return this.#file.read(this.#index);
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Reads exactly `bytes` bytes; a file that is too short is an error. */
async function readAt(handle: FileHandle, path: string, offset: number, bytes: number): Promise<Buffer> {
  const data = Buffer.allocUnsafeSlow(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await handle.read(data, done, bytes - done, offset + done).catch((error: unknown) => {
      throw packedError(path, `it cannot be read at byte ${offset + done}: ${messageOf(error)}`, error);
    });
    if (bytesRead === 0)
      throw packedError(
        path,
        `expected ${bytes} bytes at byte ${offset}; there are ${done}: it was cut ` +
          'off while it was open; copy it again or make it again with covidct prepare',
      );
    done += bytesRead;
  }
  return data;
}

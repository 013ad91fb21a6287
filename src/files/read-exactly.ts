/** Reads a part of a file as a whole. */
import type { FileHandle } from 'node:fs/promises';

/** One read of the system returns less than 2 GiB, and Node refuses to ask for more. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * Fills the buffer from the file.
 *
 * @param position of its first byte in the file
 * @throws Error where the file ends before; the file system's own errors
 */
export async function readExactly(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await file.read(buffer, done, Math.min(buffer.length - done, MOST_AT_ONCE), position + done);
    if (bytesRead === 0) throw new Error(`it ends at byte ${position + done}, expected ${buffer.length - done} more`);
    done += bytesRead;
  }
}

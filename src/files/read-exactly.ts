/** Reads an exact number of bytes from a file. */
import type { FileHandle } from 'node:fs/promises';

/** Linux reads less than 2 GiB at a time, and Node refuses larger requests. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * Fills the buffer from the file.
 *
 * @param position offset in the file of the first byte
 * @throws Error when the file ends too early; the file system's own errors
 */
export async function readExactly(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await file.read(buffer, done, Math.min(buffer.length - done, MOST_AT_ONCE), position + done);
    if (bytesRead === 0) throw new Error(`it ends at byte ${position + done}, expected ${buffer.length - done} more`);
    done += bytesRead;
  }
}

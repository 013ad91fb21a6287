/** Reads a list of paths as it comes: one per line, or separated by NUL as `find -print0` writes them. */
import { InvalidOptionError } from '../index';

/** Longer than any path of any system. */
const MOST_BYTES = 65_536;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** A path of a list, as the bytes it is. */
export interface ListedPath {
  readonly path: Buffer;
  /** Its line (or which of the paths it is), from 1. */
  readonly line: number;
}

function trimmed(bytes: Buffer, separator: number, line: number): Buffer {
  const begin = line === 1 && bytes.subarray(0, 3).equals(BOM) ? 3 : 0;
  const end = separator === 0x0a && bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
  return bytes.subarray(begin, Math.max(begin, end));
}

/**
 * Holds one path at a time. Empty lines are passed over; a byte-order mark and carriage returns are no part of a path.
 *
 * @param name of the list, for messages
 * @throws InvalidOptionError for a line that is no path, and what the stream throws
 */
export async function* listedPaths(stream: AsyncIterable<Buffer | string>, name: string): AsyncGenerator<ListedPath> {
  let separator: number | null = null;
  let rest = Buffer.alloc(0);
  let line = 0;
  for await (const part of stream) {
    const chunk = typeof part === 'string' ? Buffer.from(part) : part;
    separator ??= chunk.length === 0 ? null : chunk.includes(0) ? 0 : 0x0a;
    if (separator === null) continue;
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(separator); end >= 0; end = bytes.indexOf(separator)) {
      line += 1;
      const path = trimmed(bytes.subarray(0, end), separator, line);
      if (path.length > 0) yield { path, line };
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MOST_BYTES)
      throw new InvalidOptionError(
        `${name}:${line + 1}: expected a list with one path per line; this line is longer than any path`,
      );
    // A copy, so that a rest of a few bytes does not keep a whole chunk.
    rest = Buffer.from(bytes);
  }
  const path = trimmed(rest, separator ?? 0x0a, line + 1);
  if (path.length > 0) yield { path, line: line + 1 };
}

/** Content-addressed files: the name contains the hash, so a reference to a file always means the same bytes. */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../errors';
import { hashOnThread } from './hash-thread';
import type { Content } from './hash-thread';
import { nameWhenWritten } from './write';
import type { ReplaceOptions } from './write';

/** A content-addressed file. */
export interface NamedContent extends Content {
  /** File name without the folder, e.g. `best-0123456789abcdef.safetensors`. */
  readonly name: string;
}

export type { Content } from './hash-thread';

/** Number of hexadecimal digits of the SHA-256 in a name. */
const DIGITS = 16;
/** From this size on, hashing takes longer than starting a thread for it. */
const THREAD_BYTES = 32 * 1024 ** 2;
/** Bytes per read; few enough not to block the event loop while a chunk is hashed. */
const CHUNK_BYTES = 1024 ** 2;

/**
 * Hashes a file.
 *
 * @throws the file system's own error; AbortedError when `signal` fires
 */
export async function contentOf(path: string, signal?: AbortSignal): Promise<Content> {
  throwIfAborted(signal);
  const { size } = await stat(path);
  if (size >= THREAD_BYTES) {
    try {
      return await hashOnThread(path, signal);
    } catch (error) {
      // Node's permission model may allow the addon and no worker threads.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    }
  }
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = 0; ;) {
      throwIfAborted(signal);
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) return { sha256: hash.digest('hex'), bytes };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Returns the stem of a name made by {@link writeNamedByContent}, e.g. `best`; null for every other name. */
export function stemOfContentName(name: string, extension: string): string | null {
  if (!name.endsWith(extension)) return null;
  return new RegExp(`^(.+)-[0-9a-f]{${DIGITS}}$`).exec(name.slice(0, -extension.length))?.[1] ?? null;
}

/**
 * Writes `<stem>-<16 hexadecimal digits of its SHA-256><extension>` atomically.
 *
 * @param write creates the file at the path it is given, and flushes it
 * @throws CovidCtError as {@link nameWhenWritten}
 */
export async function writeNamedByContent(
  { dir, stem, extension }: { readonly dir: string; readonly stem: string; readonly extension: string },
  write: (temporary: string) => Promise<void>,
  options: ReplaceOptions = {},
): Promise<NamedContent> {
  return await nameWhenWritten(
    join(dir, `${stem}${extension}`),
    async (temporary) => {
      await write(temporary);
      const content = await contentOf(temporary);
      return { ...content, name: `${stem}-${content.sha256.slice(0, DIGITS)}${extension}` };
    },
    ({ name }) => join(dir, name),
    options,
  );
}

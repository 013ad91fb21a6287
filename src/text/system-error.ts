/** The system's failures in words: one table for everything that opens, reads, writes or looks for a file. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  ENOTEMPTY: 'the folder is not empty',
  EEXIST: 'something of that name is there already',
  EACCES: 'this user has no permission',
  EPERM: 'the system does not permit it',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large for its file system',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'this process has too many files open',
  ENFILE: 'too many files are open on this machine',
  EIO: 'the disk or the network reported a fault',
  ESTALE: 'the network folder is no longer connected',
  EBUSY: 'something else is using it',
};

/**
 * A failure of the file system in words, with the system's own code, call and path behind, e.g.
 * `the disk is full (ENOSPC: write)`; null for any other error, the start of a program included.
 */
export function systemErrorText(error: unknown): string | null {
  const { code, syscall, message } = (error ?? {}) as { code?: unknown; syscall?: unknown; message?: unknown };
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  const call = typeof syscall === 'string' ? syscall : message.startsWith(`${code}: `) ? '' : null;
  if (call === null || call.startsWith('spawn')) return null;
  const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  if (words === undefined) return null;
  // Node's message: `ENOENT: no such file or directory, open '/x'`.
  return `${words} (${code}: ${/^[A-Z0-9]+: [^,]*, ([^]*)$/.exec(message)?.[1] ?? call})`;
}

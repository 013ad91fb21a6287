/** Unpacks LibTorch out of the official archive or PyTorch's wheel: headers, libraries and version, nothing else. */
import { join } from 'node:path';
import { CovidCtError, throwIfAborted } from '../errors';
import { makeFolderSync } from '../files/write';
import { isFolderEntry, readZip } from '../files/zip';
import type { ZipArchive } from '../files/zip';
import { checkRecord, RECORD_NAME } from './wheel-record';

/** What of `libtorch/...` (archive) or `torch/...` (wheel) is kept, as the path below the LibTorch folder. */
const KEPT = /^(?:libtorch|torch)\/((?:include|lib|share)\/.+|version\.py|build-version|build-hash)$/;

/** LibTorch's archives have some 12,000 entries. */
const MAX_ENTRIES = 200_000;

/** PyTorch's RECORD has 1.3 MB. */
const MAX_RECORD_BYTES = 64 * 1024 ** 2;

function bad(zip: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_BAD_ARCHIVE', `${zip}: ${what}`, { cause });
}

interface UnpackLibTorchOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Unpacks what is kept; returns each file's name in the zip and where it lies now. */
async function unpackKept(
  zip: ZipArchive,
  folder: string,
  { onProgress, signal }: UnpackLibTorchOptions,
): Promise<Map<string, string>> {
  const kept = new Map<string, string>();
  for (const [index, entry] of zip.entries.entries()) {
    throwIfAborted(signal);
    const name = KEPT.exec(entry.name)?.[1];
    if (name !== undefined && !isFolderEntry(entry)) {
      const mode = (entry.mode & 0o111) === 0 ? 0o644 : 0o755;
      // Twelve thousand flushes take minutes; a folder that a power cut has spoiled is unpacked again.
      await zip.extract(entry, folder, { name, mode, durable: false });
      kept.set(entry.name, join(folder, name));
    }
    onProgress?.(index + 1, zip.entries.length);
  }
  return kept;
}

/** A wheel lists a digest of each of its files; the official archive does not. */
async function checkWheel(
  zip: ZipArchive,
  file: string,
  kept: Map<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  const inWheel = [...kept.keys()].some((name) => name.startsWith('torch/'));
  if (!inWheel) return;
  const record = zip.entries.find(({ name }) => RECORD_NAME.test(name));
  if (record === undefined) throw bad(file, 'is a wheel without a RECORD of its files');
  await checkRecord(file, (await zip.content(record, MAX_RECORD_BYTES)).toString('utf8'), kept, signal);
}

/**
 * Unpacks the LibTorch in a zip file. Each entry is checked against its checksum in the zip, and what comes from a
 * wheel, as it lies on the disk then, against the SHA-256 of the wheel's RECORD.
 *
 * @param zip the official archive (`libtorch/...`) or a wheel (`torch/...`)
 * @param folder receives `include/`, `lib/`, `share/` and the version files; made when absent
 * @param options `onProgress` receives entries done and entries in all
 * @throws CovidCtError ERR_BAD_ARCHIVE when the zip is damaged, holds a link, a name that leaves the folder, a
 *   file that is not what the wheel's RECORD says, or no LibTorch
 */
export async function unpackLibTorch(zip: string, folder: string, options: UnpackLibTorchOptions = {}): Promise<void> {
  makeFolderSync(folder);
  const rules = {
    maxEntries: MAX_ENTRIES,
    damaged: (what: string, cause?: unknown) => bad(zip, what, cause),
    signal: options.signal,
  };
  await readZip(zip, rules, async (archive) => {
    const kept = await unpackKept(archive, folder, options);
    if (kept.size === 0) {
      throw bad(zip, `holds no LibTorch (nothing below ${join('libtorch', 'include')} or ${join('torch', 'include')})`);
    }
    await checkWheel(archive, zip, kept, options.signal);
  });
}

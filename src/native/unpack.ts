/** Unpacks LibTorch out of the official archive or PyTorch's wheel: headers, libraries and version, nothing else. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CovidCtError, throwIfAborted } from '../errors';
import { isFolderEntry, readZip } from '../files/zip';
import type { ZipArchive } from '../files/zip';

/** What of `libtorch/...` (archive) or `torch/...` (wheel) is kept, as the path below the LibTorch folder. */
const KEPT = /^(?:libtorch|torch)\/((?:include|lib|share)\/.+|version\.py|build-version|build-hash)$/;

/** LibTorch's archives have some 12,000 entries. */
const MAX_ENTRIES = 200_000;

function bad(zip: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_BAD_ARCHIVE', `${zip}: ${what}`, { cause });
}

interface UnpackLibTorchOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Unpacks what is kept; returns the number of files. */
async function unpackKept(
  zip: ZipArchive,
  folder: string,
  { onProgress, signal }: UnpackLibTorchOptions,
): Promise<number> {
  let kept = 0;
  for (const [index, entry] of zip.entries.entries()) {
    throwIfAborted(signal);
    const name = KEPT.exec(entry.name)?.[1];
    if (name !== undefined && !isFolderEntry(entry)) {
      await zip.extract(entry, folder, { name, mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755 });
      kept += 1;
    }
    onProgress?.(index + 1, zip.entries.length);
  }
  return kept;
}

/**
 * Unpacks the LibTorch in a zip file.
 *
 * @param zip the official archive (`libtorch/...`) or a wheel (`torch/...`)
 * @param folder receives `include/`, `lib/`, `share/` and the version files; made when absent
 * @param options `onProgress` receives entries done and entries in all
 * @throws CovidCtError ERR_BAD_ARCHIVE when the zip is damaged, holds a link, a name that leaves the folder, or no
 *   LibTorch
 */
export async function unpackLibTorch(
  zip: string,
  folder: string,
  options: UnpackLibTorchOptions = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const rules = {
    maxEntries: MAX_ENTRIES,
    damaged: (what: string, cause?: unknown) => bad(zip, what, cause),
    signal: options.signal,
  };
  const kept = await readZip(zip, rules, (archive) => unpackKept(archive, folder, options));
  if (kept === 0)
    throw bad(zip, `holds no LibTorch (nothing below ${join('libtorch', 'include')} or ${join('torch', 'include')})`);
}

/** Unpacks LibTorch out of the official archive or PyTorch's wheel: headers, libraries and version, nothing else. */
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { open, type Entry, type ZipFile } from 'yauzl';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';

/** What of `libtorch/...` (archive) or `torch/...` (wheel) is kept, as the path below the LibTorch folder. */
const KEPT = /^(?:libtorch|torch)\/((?:include|lib|share)\/.+|version\.py|build-version|build-hash)$/;

const FILE_TYPE = 0o170000;
const SYMBOLIC_LINK = 0o120000;

function bad(zip: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_BAD_ARCHIVE', `${zip}: ${what}`, { cause });
}

/** Where an entry goes; yauzl has refused absolute names and `..` before, this is the second fence. */
function targetOf(zip: string, folder: string, name: string): string {
  const target = resolve(folder, name);
  if (relative(folder, target).split(sep)[0] === '..') throw bad(zip, `the entry "${name}" would be written outside its folder`);
  return target;
}

async function writeEntry(zip: string, zipFile: ZipFile, entry: Entry, folder: string): Promise<void> {
  const name = KEPT.exec(entry.fileName)?.[1];
  if (name === undefined || name.endsWith('/')) return;
  const mode = entry.externalFileAttributes >>> 16;
  if ((mode & FILE_TYPE) === SYMBOLIC_LINK) throw bad(zip, `the entry "${entry.fileName}" is a symbolic link`);
  const target = targetOf(zip, folder, name);
  mkdirSync(dirname(target), { recursive: true });
  const stream = await new Promise<NodeJS.ReadableStream>((done, fail) => {
    zipFile.openReadStream(entry, (error, opened) => (error === null ? done(opened) : fail(error)));
  });
  await pipeline(stream, createWriteStream(target, { mode: (mode & 0o111) === 0 ? 0o644 : 0o755 }));
}

function openZip(zip: string): Promise<ZipFile> {
  return new Promise((done, fail) => {
    open(zip, { lazyEntries: true, autoClose: false }, (error, file) => (error === null ? done(file) : fail(bad(zip, messageOf(error), error))));
  });
}

function nextEntry(zip: string, zipFile: ZipFile): Promise<Entry | undefined> {
  return new Promise((done, fail) => {
    const settle = (then: () => void) => {
      zipFile.removeListener('entry', onEntry).removeListener('end', onEnd).removeListener('error', onError);
      then();
    };
    const onEntry = (entry: Entry) => settle(() => done(entry));
    const onEnd = () => settle(() => done(undefined));
    const onError = (error: Error) => settle(() => fail(bad(zip, error.message, error)));
    zipFile.once('entry', onEntry).once('end', onEnd).once('error', onError);
    zipFile.readEntry();
  });
}

/**
 * Unpacks the LibTorch in a zip file.
 *
 * @param zip the official archive (`libtorch/...`) or a wheel (`torch/...`)
 * @param folder receives `include/`, `lib/`, `share/` and the version files; made when absent
 * @param options `onProgress` receives entries done and entries in all
 * @throws CovidCtError ERR_BAD_ARCHIVE when the zip is damaged, holds a link, a name that leaves the folder, or no LibTorch
 */
export async function unpackLibTorch(
  zip: string,
  folder: string,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const zipFile = await openZip(zip);
  let done = 0;
  let kept = 0;
  try {
    for (let entry = await nextEntry(zip, zipFile); entry !== undefined; entry = await nextEntry(zip, zipFile)) {
      throwIfAborted(options.signal);
      await writeEntry(zip, zipFile, entry, folder);
      if (KEPT.test(entry.fileName)) kept += 1;
      options.onProgress?.(++done, zipFile.entryCount);
    }
  } finally {
    zipFile.close();
  }
  if (kept === 0) throw bad(zip, `holds no LibTorch (nothing below ${join('libtorch', 'include')} or ${join('torch', 'include')})`);
}

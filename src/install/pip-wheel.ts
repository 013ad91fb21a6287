/** Fetches PyTorch's CPU wheel, which contains a LibTorch, through pip, whose indexes and proxies are the user's. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CovidCtError, InvalidOptionError, messageOf, throwIfAborted } from '../errors';
import { makeFolderSync } from '../files/write';
import { sha256Of } from '../files/download';
import { TESTED_LIBTORCH } from '../addon/libtorch-folder';
import { runLogged } from '../files/run-logged';
import { WHEEL_SHA256 } from './wheel-hashes';

const PYTORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu';

/** The variable that names the SHA-256 of the one wheel to take, where it is none of the known ones. */
export const WHEEL_SHA256_VARIABLE = 'COVIDCT_TORCH_WHEEL_SHA256';

/**
 * What pip is asked for, in order. On Linux `+cpu` is named, because the plain version may be the CUDA wheel, five
 * times the size and without NVIDIA's libraries. From PyTorch's index any Python's wheel will do: the LibTorch in it is
 * one.
 */
export function pipRequests(platform: NodeJS.Platform = process.platform, arch: string = process.arch): string[][] {
  const fromIndex = ['--index-url', PYTORCH_CPU_INDEX];
  if (platform !== 'linux') return [[`torch==${TESTED_LIBTORCH}`], [`torch==${TESTED_LIBTORCH}`, ...fromIndex]];
  const cpu = `torch==${TESTED_LIBTORCH}+cpu`;
  const tag = `manylinux_2_28_${arch === 'arm64' ? 'aarch64' : 'x86_64'}`;
  return [[cpu], [cpu, ...fromIndex, '--python-version', '3.12', '--implementation', 'cp', '--platform', tag]];
}

/** Bytes of everything below a folder: how far pip is, whichever pip it is. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    try {
      const stat = statSync(join(folder, name));
      if (stat.isFile()) bytes += stat.size;
    } catch {
      // pip moved it while we looked; the next look counts it where it is then
    }
  }
  return bytes;
}

/** What pip's output says of a failure: its own ERROR lines, or the last line of a traceback. */
function reasonOf(tail: string, status: number | null): string {
  const lines = tail.split('\n').filter((line) => line.trim() !== '');
  return lines.filter((line) => line.startsWith('ERROR')).join('; ') || lines.at(-1)?.trim() || `exit ${status}`;
}

async function runPip(request: readonly string[], folder: string, options: PipOptions): Promise<string | undefined> {
  const { env = process.env, onProgress, signal } = options;
  const temporary = join(folder, 'tmp');
  makeFolderSync(temporary, 0o700);
  const timer = setInterval(() => onProgress?.(bytesBelow(folder)), 500);
  const manner = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-input', '--dest', folder];
  try {
    const args = ['-m', 'pip', 'download', ...manner, ...request];
    const { status, tail } = await runLogged('python3', args, { env: { ...env, TMPDIR: temporary }, signal });
    if (status === 0) return undefined;
    if (/No space left on device|Disk quota exceeded/.test(tail)) {
      throw new CovidCtError('ERR_DOWNLOAD', `the disk is full: pip could not write the wheel into ${folder}`);
    }
    return reasonOf(tail, status);
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof CovidCtError) throw error;
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'python3 is not on PATH' : messageOf(error);
  } finally {
    clearInterval(timer);
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Options of `downloadWheel`. */
export interface PipOptions {
  env?: NodeJS.ProcessEnv;
  /** Bytes so far. */
  onProgress?: (receivedBytes: number) => void;
  signal?: AbortSignal;
  /**
   * SHA-256 of the one wheel to take, 64 hexadecimal digits; `COVIDCT_TORCH_WHEEL_SHA256` by default, else the known
   * wheels.
   */
  wheelSha256?: string;
}

/** The digest that the user named, checked; undefined where the table counts. */
function namedDigest({ wheelSha256, env = process.env }: PipOptions): string | undefined {
  const named = wheelSha256 ?? env[WHEEL_SHA256_VARIABLE] ?? '';
  if (named === '' && wheelSha256 === undefined) return undefined;
  if (/^[0-9a-f]{64}$/i.test(named)) return named.toLowerCase();
  const path = wheelSha256 === undefined ? WHEEL_SHA256_VARIABLE : 'wheelSha256';
  const message = `expected a SHA-256 of 64 hexadecimal digits, got ${JSON.stringify(named)}`;
  throw new InvalidOptionError(`${path}: ${message}`, [{ path, message }]);
}

/**
 * Why a wheel is not taken; undefined when it is the one that was named, or a known one. A file with a known wheel's
 * name and other bytes is not what it says: that ends the work instead of being a reason to look elsewhere.
 */
async function refusalOf(wheel: string, named: string | undefined): Promise<string | undefined> {
  const name = basename(wheel);
  const expected = named ?? WHEEL_SHA256[name];
  const actual = await sha256Of(wheel);
  if (actual === expected) return undefined;
  if (named !== undefined) return `gave ${name} with sha256 ${actual}, but ${named} was named`;
  if (expected === undefined) {
    return (
      `gave ${name} with sha256 ${actual}, which is not known, so it was not taken. If you know that it is ` +
      `PyTorch's, name it: ${WHEEL_SHA256_VARIABLE}=${actual}, or --sha256 of \`covidct install-libtorch\``
    );
  }
  throw new CovidCtError(
    'ERR_DOWNLOAD',
    `pip gave a ${name} that is not PyTorch's: expected sha256 ${expected}, got ${actual}; it was removed. ` +
      'Look at the indexes and mirrors of `python3 -m pip config list`, and at `python3 -m pip cache purge`',
  );
}

/**
 * Downloads the wheel into `folder` and checks its SHA-256 against the known ones, or against the one that was named.
 *
 * @returns the wheel's path
 * @throws CovidCtError ERR_DOWNLOAD when no Python, no pip or no index has a known one (the message has each
 *   attempt), when one has another digest than its name stands for, or when the disk is full
 * @throws InvalidOptionError when what was named is no SHA-256
 */
export async function downloadWheel(folder: string, options: PipOptions = {}): Promise<string> {
  const named = namedDigest(options);
  const failures: string[] = [];
  try {
    for (const request of pipRequests()) {
      rmSync(folder, { recursive: true, force: true });
      const failure = await runPip(request, folder, options);
      throwIfAborted(options.signal);
      const name = existsSync(folder) ? readdirSync(folder).find((each) => each.endsWith('.whl')) : undefined;
      const wheel = name === undefined ? undefined : join(folder, name);
      const problem = failure ?? (wheel === undefined ? 'gave no wheel' : await refusalOf(wheel, named));
      if (problem === undefined) return wheel!;
      failures.push(`  python3 -m pip download --no-deps ${request.join(' ')}: ${problem}`);
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  rmSync(folder, { recursive: true, force: true });
  throw new CovidCtError('ERR_DOWNLOAD', failures);
}

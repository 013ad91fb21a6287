/** Fetches PyTorch's CPU wheel, which contains a LibTorch, through pip: its indexes, proxies and mirrors are the user's. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import { TESTED_LIBTORCH } from './libtorch-folder';
import { runLogged } from './run-logged';

const PYTORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu';

/**
 * What pip is asked for, in order. On Linux `+cpu` is named, because the plain version may be the CUDA wheel, five times
 * the size and without NVIDIA's libraries. From PyTorch's index any Python's wheel will do: the LibTorch in it is one.
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

async function runPip(request: readonly string[], folder: string, options: PipOptions): Promise<string | undefined> {
  const { env = process.env, onProgress, signal } = options;
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const timer = setInterval(() => onProgress?.(bytesBelow(folder)), 500);
  try {
    const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-input', '--dest', folder, ...request];
    const { status, tail } = await runLogged('python3', args, { env: { ...env, TMPDIR: temporary }, signal });
    if (status === 0) return undefined;
    return tail.split('\n').filter((line) => line.startsWith('ERROR')).join('; ') || tail.split('\n').at(-1) || `exit ${status}`;
  } catch (error) {
    throwIfAborted(signal);
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'python3 is not on PATH' : messageOf(error);
  } finally {
    clearInterval(timer);
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Options of {@link downloadWheel}. */
export interface PipOptions {
  env?: NodeJS.ProcessEnv;
  /** Bytes so far. */
  onProgress?: (receivedBytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Downloads the wheel into `folder`.
 *
 * @returns the wheel's path
 * @throws CovidCtError ERR_DOWNLOAD when no Python, no pip or no index gives it; the message has each attempt
 */
export async function downloadWheel(folder: string, options: PipOptions = {}): Promise<string> {
  const failures: string[] = [];
  for (const request of pipRequests()) {
    rmSync(folder, { recursive: true, force: true });
    const failure = await runPip(request, folder, options);
    throwIfAborted(options.signal);
    const wheel = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.whl')) : undefined;
    if (failure === undefined && wheel !== undefined) return join(folder, wheel);
    failures.push(`  python3 -m pip download --no-deps ${request.join(' ')}: ${failure ?? 'gave no wheel'}`);
  }
  throw new CovidCtError('ERR_DOWNLOAD', failures);
}

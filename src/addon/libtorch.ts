/** Finds LibTorch: one order of places, shared by the build, the loader and the doctor. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { LibTorchNotFoundError } from '../errors';
import { cacheFolder } from '../files/cache-folder';
import { compareVersions, inspectLibTorch, TESTED_LIBTORCH, type LibTorch } from './libtorch-folder';
import { assertTrustedFolder } from '../files/trusted-folder';

export { cacheFolder } from '../files/cache-folder';

/** The command that fetches LibTorch and builds the addon, named in every message that needs it. */
export const SET_UP_COMMAND = 'npx covidct install-libtorch';

/** A place that was looked at in vain. */
export interface Tried {
  path: string;
  reason: string;
}

/** The world the finder looks at; every field has the real one as its default. */
export interface FinderOptions {
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
  /** Folders to look at last. */
  systemFolders?: readonly string[];
}

interface Place {
  root: string;
  include?: string;
  lib?: string;
  source: string;
}

function value(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = env[name];
  return text === undefined || text === '' ? undefined : text;
}

/** `LIBTORCH`, with `LIBTORCH_INCLUDE` and `LIBTORCH_LIB` for what lies elsewhere. */
function fromLibtorchVariables(env: NodeJS.ProcessEnv): Place[] {
  const [root, include, lib] = ['LIBTORCH', 'LIBTORCH_INCLUDE', 'LIBTORCH_LIB'].map((name) => value(env, name));
  const anchor = root ?? lib ?? include;
  if (anchor === undefined) return [];
  const source = root !== undefined ? 'LIBTORCH' : lib !== undefined ? 'LIBTORCH_LIB' : 'LIBTORCH_INCLUDE';
  return [{ root: anchor, include, lib, source }];
}

/** CMake's own variables: `Torch_DIR` is `<root>/share/cmake/Torch`, `CMAKE_PREFIX_PATH` a list of roots. */
function fromCMakeVariables(env: NodeJS.ProcessEnv): Place[] {
  const config = value(env, 'Torch_DIR');
  const prefixes = (value(env, 'CMAKE_PREFIX_PATH') ?? '')
    .split(new RegExp(`[;${delimiter}]`))
    .filter((prefix) => prefix !== '');
  return [
    ...(config === undefined ? [] : [{ root: resolve(config, '../../..'), source: 'Torch_DIR' }]),
    ...prefixes.map((root) => ({ root, source: 'CMAKE_PREFIX_PATH' })),
  ];
}

/** Our own cache: the tested minor first, then newer before older, CUDA before CPU. */
function fromCache(env: NodeJS.ProcessEnv): Place[] {
  const folder = join(cacheFolder(env), 'libtorch');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+\.\d+\.\d+\+\w+$/.test(name)) : [];
  const minor = TESTED_LIBTORCH.split('.').slice(0, 2).join('.');
  const rank = (name: string): number => (name.startsWith(`${minor}.`) ? 0 : 1);
  names.sort(
    (a, b) => rank(a) - rank(b) || compareVersions(b, a) || Number(a.endsWith('+cpu')) - Number(b.endsWith('+cpu')),
  );
  if (names.length === 0) return [{ root: join(folder, `${TESTED_LIBTORCH}+cpu`), source: 'cache' }];
  return names.map((name) => ({ root: join(folder, name), source: 'cache' }));
}

/**
 * Asks Python where torch lies without importing it: importing costs seconds, and a broken torch can still be linked.
 */
const FIND_TORCH = [
  'import sys, os, importlib.util as u',
  "sys.path[:] = [p for p in sys.path if p not in ('', os.getcwd())]",
  "s = u.find_spec('torch')",
  "print(os.path.dirname(s.origin) if s and s.origin else '')",
].join('; ');

function fromPython(env: NodeJS.ProcessEnv, tried: Tried[]): Place[] {
  const reasons: string[] = [];
  for (const python of ['python3', 'python']) {
    const run = spawnSync(python, ['-c', FIND_TORCH], { env, encoding: 'utf8', timeout: 20_000, windowsHide: true });
    if (run.error !== undefined)
      reasons.push(
        `${python}: ${(run.error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not on PATH' : run.error.message}`,
      );
    else if (run.status !== 0)
      reasons.push(`${python}: ${run.stderr.trim().split('\n').at(-1) ?? `exit ${run.status}`}`);
    else if (run.stdout.trim() === '') reasons.push(`${python}: has no torch package`);
    else return [{ root: run.stdout.trim(), source: 'python' }];
  }
  tried.push({ path: "Python's torch package", reason: reasons.join('; ') });
  return [];
}

/** Folders in which a LibTorch is often unpacked or a system package puts it. */
function systemFolders(platform: NodeJS.Platform): string[] {
  if (platform === 'darwin')
    return ['/opt/homebrew/opt/pytorch', '/usr/local/opt/pytorch', '/usr/local/libtorch', '/opt/libtorch'];
  return ['/usr/local/libtorch', '/opt/libtorch', '/usr/lib/libtorch', '/usr/local', '/usr'];
}

/** The system's multiarch folder, where Debian puts libtorch_cpu.so. */
function systemLib(root: string): string | undefined {
  const folder = join(root, 'lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');
  return root === '/usr' && existsSync(join(folder, 'libtorch_cpu.so')) ? folder : undefined;
}

/**
 * Finds the LibTorch to build against and to load, looking in this order: `COVIDCT_TORCH_LIBTORCH`; `LIBTORCH` with
 * `LIBTORCH_INCLUDE` and `LIBTORCH_LIB`; `Torch_DIR` and `CMAKE_PREFIX_PATH`; the cache that
 * `npx covidct install-libtorch` fills; the torch package of the Python on PATH; system folders. Versions are read from
 * files; nothing is loaded and Python does not import torch.
 *
 * @param options the environment to look at, for tests
 * @returns the first usable one
 * @throws CovidCtError ERR_CACHE when one lies in the cache, but others can write there
 * @throws LibTorchNotFoundError when none is usable, or when `COVIDCT_TORCH_LIBTORCH` is set and is not usable; `tried`
 *   has every place with the reason
 */
export function findLibTorch(options: FinderOptions = {}): LibTorch {
  const { env = process.env, platform = process.platform } = options;
  const tried: Tried[] = [];
  const look = (places: readonly Place[]): LibTorch | undefined => {
    for (const place of places) {
      const inspection = inspectLibTorch(place, place.source, platform);
      if ('libtorch' in inspection) {
        // Never passed over for the next place: a cache that others can write is to be put right, not to be forgotten.
        if (place.source === 'cache') assertTrustedFolder(join(place.root, 'lib'), cacheFolder(env));
        return inspection.libtorch;
      }
      tried.push({ path: `${place.root} (${place.source})`, reason: inspection.reason });
    }
    return undefined;
  };

  const own = value(env, 'COVIDCT_TORCH_LIBTORCH');
  if (own !== undefined) {
    const found = look([{ root: own, source: 'COVIDCT_TORCH_LIBTORCH' }]);
    if (found !== undefined) return found;
    throw notFound(
      'COVIDCT_TORCH_LIBTORCH is set but is not a usable LibTorch',
      tried,
      'Correct it or unset it; without it other places are searched.',
    );
  }
  const folders = options.systemFolders ?? systemFolders(platform);
  const found =
    look(fromLibtorchVariables(env)) ??
    look(fromCMakeVariables(env)) ??
    look(fromCache(env)) ??
    look(fromPython(env, tried)) ??
    look(folders.map((root) => ({ root, lib: systemLib(root), source: 'system' })));
  if (found !== undefined) return found;
  throw notFound(
    `no LibTorch was found (${TESTED_LIBTORCH} is what is tested)`,
    tried,
    `Run \`${SET_UP_COMMAND}\` to fetch it, or set COVIDCT_TORCH_LIBTORCH to a folder with include/ and lib/.`,
  );
}

function notFound(what: string, tried: Tried[], remedy: string): LibTorchNotFoundError {
  const lines = tried.map(({ path, reason }) => `  ${path}: ${reason}`);
  return new LibTorchNotFoundError([`${what}. Tried:`, ...lines, remedy], tried);
}

/**
 * Where the built addon lies in the per-user cache and what its stamp says; the builder writes it, the loader reads it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { familySync, versionSync } from 'detect-libc';
import { makeFolderSync } from '../files/write';
import { cacheFolder } from '../files/cache-folder';
import { libtorchKey, type LibTorch } from './libtorch-folder';
import { isCheckout, packageRoot as ownRoot, packageVersion } from './package-root';

/** The addon's file name. */
export const ADDON_FILE = 'covidct_torch.node';

/** The link beside the addon to LibTorch's libraries, where the addon looks for them (`$ORIGIN/libtorch`). */
export const LIBTORCH_LINK = 'libtorch';

/**
 * What a finished build was made of, kept as `build.json` beside the addon; written last, once the addon was loaded.
 */
export interface BuildStamp {
  /** Hash of the C++ sources and CMakeLists.txt. */
  sources: string;
  /** Hash of what else a compiler was given: its variables, header packages; empty for a prebuilt addon. */
  configuration: string;
  libtorch: { root: string; lib: string; version: string; variant: string };
  /** `compiled`, or the platform package it was taken from: `@covidct-torch/linux-x64-libtorch2.13@0.1.0`. */
  origin: string;
  /** The checkout that compiled it, which removes what it made from older sources. */
  checkout?: string | undefined;
}

/** The C library an addon is bound to, e.g. `glibc2.36` or `musl1.2.5`; `system` where there is but one. */
export function systemAbi(): string {
  const family = familySync();
  return family === null ? 'system' : `${family}${versionSync() ?? ''}`;
}

/** What all builds for one LibTorch release on one kind of machine have in common: `2.13.0+cpu-linux-x64-glibc2.36`. */
export function buildKey(libtorch: Pick<LibTorch, 'version' | 'variant'>): string {
  return `${libtorchKey(libtorch)}-${process.platform}-${process.arch}-${systemAbi()}`;
}

/**
 * `<cache>/addons/<package version>-<sources>/<LibTorch>-<platform>-<arch>-<C library>-<place>`: everything that
 * decides whether an addon can be loaded is in its folder's name, so that projects, versions and LibTorchs never
 * disturb each other.
 */
export function addonFolder(
  libtorch: Pick<LibTorch, 'version' | 'variant' | 'lib'>,
  sources: string = usedSources(),
): string {
  const place = createHash('sha256').update(libtorch.lib).digest('hex').slice(0, 8);
  return join(cacheFolder(), 'addons', `${packageVersion()}-${sources.slice(0, 12)}`, `${buildKey(libtorch)}-${place}`);
}

/** The stamp of a finished build; undefined where there is none or it cannot be read. */
export function readStamp(folder: string): BuildStamp | undefined {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8')) as Partial<BuildStamp> | null;
    const whole =
      typeof stamp?.libtorch?.lib === 'string' && typeof stamp.sources === 'string' && typeof stamp.origin === 'string';
    return whole && existsSync(join(folder, ADDON_FILE)) ? (stamp as BuildStamp) : undefined;
  } catch {
    return undefined; // no build, or one that was cut off: both mean "build"
  }
}

/** Every C++ source and header below `native/`, and CMakeLists.txt; absolute, sorted. */
export function nativeSources(packageRoot: string): string[] {
  const folder = join(packageRoot, 'native');
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const sources = names.filter((name) => /\.(cc|h)$/.test(name)).map((name) => join(folder, name));
  return [join(packageRoot, 'CMakeLists.txt'), ...sources.sort()];
}

/** Hash of names and contents: editing, adding, renaming or deleting a source changes it, touching one does not. */
export function hashSources(packageRoot: string): string {
  const hash = createHash('sha256');
  for (const file of nativeSources(packageRoot)) {
    const content = readFileSync(file);
    hash.update(`${relative(packageRoot, file).split(sep).join('/')}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * Where the hash of the sources that were built last is kept, beside this file once compiled, so that loading hashes
 * nothing.
 */
function sourcesFile(packageRoot: string): string {
  return join(packageRoot, 'dist/addon/sources.json');
}

function readSources(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { sources?: string }).sources;
  } catch {
    return undefined;
  }
}

/** The hash that a bundler took in with this file; there is none in a checkout's sources. */
function bundledSources(): string | undefined {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return (require('./sources.json') as { sources?: string }).sources;
  } catch {
    return undefined;
  }
}

/**
 * Hash of the sources whose addon is to be loaded: those that were published or built last.
 *
 * @throws CovidCtError ERR_PACKAGE_FILES in a bundle that holds neither the sources nor their hash
 */
export function usedSources(packageRoot?: string): string {
  const bundled = packageRoot === undefined ? bundledSources() : undefined;
  if (bundled !== undefined) return bundled;
  const root = packageRoot ?? ownRoot();
  return readSources(sourcesFile(root)) ?? hashSources(root);
}

/** Notes that the addon of these sources is the one to load from now on. */
export function rememberSources(packageRoot: string, sources: string = hashSources(packageRoot)): void {
  const file = sourcesFile(packageRoot);
  if (!existsSync(dirname(file)) && !isCheckout(packageRoot)) return;
  if (readSources(file) === sources) return;
  makeFolderSync(dirname(file));
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify({ sources })}\n`);
  renameSync(temporary, file);
}

/** Looks at one folder that may hold a LibTorch: is it whole, which version, CPU or which CUDA; loads nothing. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** A LibTorch that can be compiled against and loaded. */
export interface LibTorch {
  /** The folder that was found; symbolic links resolved. */
  root: string;
  /** Include folders, in the order the compiler needs. */
  include: string[];
  /** The folder of the shared libraries. */
  lib: string;
  /** e.g. `2.13.0`. */
  version: string;
  /** `cpu`, or the CUDA it was built for, e.g. `cu130`. */
  variant: string;
  /** Where it was found: an environment variable's name, `cache`, `python` or `system`. */
  source: string;
}

/** The LibTorch the project fetches, and that its tests run on. */
export const TESTED_LIBTORCH = '2.13.0';

/**
 * The minor versions that the addon has been built for, has passed its tests on and has been compared with PyTorch on,
 * by `npm run libtorch:versions`; oldest first. An older LibTorch is refused, with a newer one a word is said.
 */
export const SUPPORTED_LIBTORCH: readonly string[] = ['2.11', '2.12', '2.13', '2.14'];

/** The oldest LibTorch that is accepted. */
export const OLDEST_LIBTORCH = `${SUPPORTED_LIBTORCH[0]}.0`;

/** What is to be said of a LibTorch that is newer than every supported one; undefined for those. */
export function untestedRemark(version: string): string | undefined {
  const newest = SUPPORTED_LIBTORCH.at(-1) ?? '';
  if (compareVersions(minorOf(version), newest) <= 0) return undefined;
  return (
    `LibTorch ${version} is newer than those this version of covidct-torch ` +
    `was tested with (${SUPPORTED_LIBTORCH[0]} to ${newest})`
  );
}

/** What {@link inspectLibTorch} says: a LibTorch, or the reason why there is none. */
export type Inspection = { libtorch: LibTorch } | { reason: string };

/** Ordering of versions such as `2.13.0`: negative when a is older than b. Suffixes (`a0`, `rc1`) are ignored. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `2.13` of `2.13.0`: LibTorch keeps its interface stable within a minor version. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** `2.13.0+cpu`: the name of a LibTorch's folder in the cache and of its build. */
export function libtorchKey(libtorch: Pick<LibTorch, 'version' | 'variant'>): string {
  return `${libtorch.version}+${libtorch.variant}`;
}

/** A shared library's file name on a platform, e.g. `libtorch_cpu.so`. */
function libraryFile(name: string, platform: NodeJS.Platform): string {
  return platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;
}

function firstMatch(file: string, pattern: RegExp): string | undefined {
  return existsSync(file) ? pattern.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
}

/** The version as the headers have it: what the compiler will see, whatever a version file beside them says. */
function headerVersion(include: string): string | undefined {
  for (const name of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const file = join(include, name);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return undefined;
}

/** `2.13.0+cu130` of a wheel's version.py or an archive's build-version. */
function labeledVersion(root: string): string | undefined {
  return (
    firstMatch(join(root, 'version.py'), /__version__ = '([^']+)'/) ??
    firstMatch(join(root, 'build-version'), /^\s*(\S+)/)
  );
}

/** The variant: the label's suffix where it names one, else what the libraries and version.py tell. */
function variantOf(root: string, lib: string, label: string | undefined, platform: NodeJS.Platform): string {
  const hasCuda = existsSync(join(lib, libraryFile('torch_cuda', platform)));
  const suffix = /\+([A-Za-z0-9.]+)/.exec(label ?? '')?.[1];
  if (suffix !== undefined && /^(cpu|cu\d+)$/.test(suffix) && (suffix === 'cpu') !== hasCuda) return suffix;
  if (!hasCuda) return 'cpu';
  const cuda = firstMatch(join(root, 'version.py'), /^cuda[^=\n]*= '([\d.]+)'/m);
  return cuda === undefined ? 'cuda' : `cu${cuda.split('.').slice(0, 2).join('')}`;
}

/** A folder that was meant, given as itself or as its parent (`LIBTORCH_INCLUDE` is used both ways). */
function itselfOrInside(folder: string, name: string, witness: string): string {
  return existsSync(join(folder, witness)) ? folder : join(folder, name);
}

/**
 * Checks one place.
 *
 * @param place `root`, with `include` and `lib` where they do not lie inside it
 * @param source what {@link LibTorch.source} is to say
 * @param platform whose library names are looked for
 * @returns the LibTorch, or the reason why it cannot be used: absent, incomplete, too old
 */
export function inspectLibTorch(
  place: { root: string; include?: string; lib?: string },
  source: string,
  platform: NodeJS.Platform = process.platform,
): Inspection {
  const core = libraryFile('torch_cpu', platform);
  const include = itselfOrInside(place.include ?? place.root, 'include', 'ATen/ATen.h');
  const lib = itselfOrInside(place.lib ?? place.root, 'lib', core);
  if (!existsSync(place.root)) return { reason: 'does not exist' };
  if (!existsSync(join(include, 'ATen/ATen.h'))) {
    const inner = ['libtorch', 'torch'].find((name) => existsSync(join(place.root, name, 'include')));
    return {
      reason:
        inner === undefined
          ? `has no ${join(include, 'ATen/ATen.h')}`
          : `is the parent; LibTorch itself is ${join(place.root, inner)}`,
    };
  }
  if (!existsSync(join(lib, core))) return { reason: `has no ${join(lib, core)}` };
  const label = labeledVersion(place.root);
  const version = headerVersion(include) ?? /^\d+\.\d+\.\d+/.exec(label ?? '')?.[0];
  if (version === undefined) return { reason: 'does not say its version' };
  if (compareVersions(version, OLDEST_LIBTORCH) < 0) {
    return {
      reason:
        `is LibTorch ${version}, too old: ${OLDEST_LIBTORCH} or newer ` +
        `is needed, up to ${SUPPORTED_LIBTORCH.at(-1)} is tested`,
    };
  }
  const root = realpathSync(place.root);
  const libtorch: LibTorch = {
    root,
    include: [include, join(include, 'torch/csrc/api/include')].map((folder) => realpathSync(folder)),
    lib: realpathSync(lib),
    version,
    variant: variantOf(root, lib, label, platform),
    source,
  };
  return { libtorch };
}

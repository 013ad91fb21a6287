/**
 * Addons that need no compiler: a platform package's, where it matches exactly, or one that this machine has compiled
 * before.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { familySync, versionSync } from 'detect-libc';
import { z } from 'zod';
import { messageOf } from '../errors';
import { ADDON_FILE, buildKey, readStamp, type BuildStamp } from './addon-folder';
import { compareVersions, minorOf, type LibTorch } from './libtorch-folder';
import { packageVersion } from './package-root';
import { assertTrustedFolder } from '../files/trusted-folder';

/** `addon.json` of a platform package: what its addon was made of and what it needs. */
const prebuiltSchema = z.object({
  /** The version of covidct-torch. */
  package: z.string(),
  /** Hash of the C++ sources. */
  sources: z.string(),
  /** LibTorch keeps its interface stable within a minor version. */
  libtorch: z.object({ minor: z.string(), variant: z.string() }),
  platform: z.string(),
  arch: z.string(),
  /** The C library's family and its oldest version that will do; null where there is but one. */
  libc: z.object({ family: z.string(), version: z.string() }).nullable(),
});

/** See {@link prebuiltSchema}. */
export type PrebuiltFacts = z.infer<typeof prebuiltSchema>;

/** An addon that can be put into the cache as it is. */
export interface Prebuilt {
  file: string;
  /** What {@link BuildStamp.origin} is to say. */
  origin: string;
}

/** What was looked for and is not there, and why, for people. */
export interface NoPrebuilt {
  reason: string;
}

/**
 * The platform package's name for a LibTorch here: `@covidct-torch/linux-x64-libtorch2.13`, with `-cu130` for a CUDA
 * one.
 */
export function platformPackage(libtorch: Pick<LibTorch, 'version' | 'variant'>): string {
  const libc = familySync() === 'musl' ? '-musl' : '';
  const variant = libtorch.variant === 'cpu' ? '' : `-${libtorch.variant}`;
  return `@covidct-torch/${process.platform}-${process.arch}${libc}-libtorch${minorOf(libtorch.version)}${variant}`;
}

/** Why an addon cannot be used here; undefined when it matches in everything. */
export function mismatch(
  facts: PrebuiltFacts,
  libtorch: Pick<LibTorch, 'version' | 'variant'>,
  sources: string,
): string | undefined {
  const wanted = {
    version: packageVersion(),
    libtorch: `${minorOf(libtorch.version)}+${libtorch.variant}`,
    platform: `${process.platform}-${process.arch}`,
  };
  const its = {
    version: facts.package,
    libtorch: `${facts.libtorch.minor}+${facts.libtorch.variant}`,
    platform: `${facts.platform}-${facts.arch}`,
  };
  if (its.version !== wanted.version) return `is for covidct-torch ${its.version}, not ${wanted.version}`;
  if (facts.sources !== sources) return 'was compiled from other C++ sources';
  if (its.platform !== wanted.platform) return `is for ${its.platform}, not ${wanted.platform}`;
  if (its.libtorch !== wanted.libtorch) return `is for LibTorch ${its.libtorch}, not ${wanted.libtorch}`;
  const family = familySync();
  if (facts.libc === null || family === null) return facts.libc === null ? undefined : `needs ${facts.libc.family}`;
  if (facts.libc.family !== family) return `needs ${facts.libc.family}, and this system has ${family}`;
  const version = versionSync();
  if (version !== null && compareVersions(version, facts.libc.version) < 0)
    return `needs ${family} ${facts.libc.version}, and this system has ${version}`;
  return undefined;
}

/** The platform package's folder, found as Node finds a dependency of ours; undefined when it is not installed. */
function folderOf(name: string, root: string): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`, { paths: [root] }));
  } catch {
    return undefined;
  }
}

/**
 * Looks for the platform package whose addon matches in everything.
 *
 * @param root the package whose dependency it is
 * @returns its addon, or the reason why there is none to use
 */
export function findPlatformAddon(libtorch: LibTorch, sources: string, root: string): Prebuilt | NoPrebuilt {
  const name = platformPackage(libtorch);
  try {
    const folder = folderOf(name, root);
    if (folder === undefined) return { reason: `${name} is not installed` };
    const facts = prebuiltSchema.parse(JSON.parse(readFileSync(join(folder, 'addon.json'), 'utf8')));
    const reason = mismatch(facts, libtorch, sources);
    if (reason !== undefined) return { reason: `${name} ${reason}` };
    const file = join(folder, ADDON_FILE);
    return existsSync(file) ? { file, origin: `${name}@${facts.package}` } : { reason: `${name} has no ${ADDON_FILE}` };
  } catch (error) {
    return { reason: `${name} cannot be read: ${messageOf(error)}` };
  }
}

/**
 * An addon of the same sources for the same LibTorch release in another place, e.g. another project's Python
 * environment. Throws ERR_CACHE when others can write where it lies.
 */
export function findSibling(folder: string, libtorch: Pick<LibTorch, 'version' | 'variant'>): Prebuilt | undefined {
  const parent = dirname(folder);
  const prefix = `${buildKey(libtorch)}-`;
  const names = existsSync(parent)
    ? readdirSync(parent).filter((name) => name.startsWith(prefix) && name !== basename(folder))
    : [];
  for (const name of names) {
    const origin = readStamp(join(parent, name))?.origin;
    if (origin === undefined || !/^[0-9a-f]{8}$/.test(name.slice(prefix.length))) continue;
    const file = join(parent, name, ADDON_FILE);
    assertTrustedFolder(file);
    return { file, origin };
  }
  return undefined;
}

/** The stamp of an addon that was not compiled here. */
export function prebuiltStamp(prebuilt: Prebuilt, libtorch: LibTorch, sources: string): BuildStamp {
  const { root, lib, version, variant } = libtorch;
  return { sources, configuration: '', libtorch: { root, lib, version, variant }, origin: prebuilt.origin };
}

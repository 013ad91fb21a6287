/** Provides the addon for one LibTorch: the cache's, a prebuilt one, or compiled with cmake-js; never two at once. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CovidCtError, linesOf, throwIfAborted } from '../errors';
import { fileError, makeFolderSync } from '../files/write';
import {
  ADDON_FILE,
  addonFolder,
  buildKey,
  hashSources,
  readStamp,
  rememberSources,
  type BuildStamp,
} from '../addon/addon-folder';
import { findLibTorch } from '../addon/libtorch';
import { libtorchKey, type LibTorch } from '../addon/libtorch-folder';
import { withLock } from '../files/lock';
import { isCheckout, packageRoot as ownRoot } from '../addon/package-root';
import { placeAddon, type Trial } from '../addon/place-addon';
import { findPlatformAddon, findSibling, prebuiltStamp } from '../addon/prebuilt';
import { runLogged } from '../files/run-logged';
import { checkTools } from './tools';
import { makeTrustedFolder } from '../files/trusted-folder';

/** Addons of older sources that a checkout keeps, so that going back to them compiles nothing. */
const KEPT_OLDER_BUILDS = 4;

/** Options of {@link buildAddon}. */
export interface BuildOptions {
  /** The LibTorch to build for; found when not given. */
  libtorch?: LibTorch;
  /** Compile from nothing even when nothing has changed, and whatever prebuilt addon there is. */
  force?: boolean;
  /** Compiler processes at once; each takes up to 1.5 GB. Default 2. */
  jobs?: number;
  /** The package to build; its own by default. */
  packageRoot?: string;
  /** Receives the compiler's lines as they come. */
  onOutput?: (line: string) => void;
  /** Called before compiling, with the reason why no prebuilt addon could be used. */
  onCompile?: (reason: string) => void;
  /** Loads the addon once before it is put in place; a process of its own by default. */
  trial?: Trial;
  /** Ends the waiting for another process; the compiler itself ends with the terminal's Ctrl-C, not by this. */
  signal?: AbortSignal;
}

/** What {@link buildAddon} did. */
export interface BuildResult {
  addon: string;
  libtorch: LibTorch;
  /** True when it was compiled just now; false when it was up to date or prebuilt. */
  built: boolean;
  /** `compiled`, or the platform package it was taken from: `@covidct-torch/linux-x64-libtorch2.13@0.1.0`. */
  origin: string;
}

function versionOf(name: string, packageRoot: string): string {
  const file = require.resolve(`${name}/package.json`, { paths: [packageRoot] });
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The stamp the build would have if it were made now. */
function currentStamp(libtorch: LibTorch, packageRoot: string): BuildStamp {
  const { root, lib, include, version, variant } = libtorch;
  const environment = ['CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS'].map((name) => process.env[name] ?? '');
  const packages = ['node-addon-api', 'node-api-headers', 'cmake-js'].map((name) => versionOf(name, packageRoot));
  const configuration = createHash('sha256')
    .update(
      JSON.stringify([root, lib, include, version, variant, environment, packages, process.platform, process.arch]),
    )
    .digest('hex');
  const checkout = isCheckout(packageRoot) ? packageRoot : undefined;
  return {
    sources: hashSources(packageRoot),
    configuration,
    libtorch: { root, lib, version, variant },
    origin: 'compiled',
    checkout,
  };
}

/**
 * What there is and can be used. The folder's name says for which sources, LibTorch and system it is; in a checkout the
 * compiler's variables and header packages count too, which a user of the package changes with `--force`.
 */
function upToDate(folder: string, stamp: BuildStamp): BuildStamp | undefined {
  const last = readStamp(folder);
  if (last?.sources !== stamp.sources || last.libtorch.lib !== stamp.libtorch.lib) return undefined;
  return stamp.checkout === undefined || last.configuration === stamp.configuration ? last : undefined;
}

/** Where objects lie: a checkout keeps them in its own build/ for the next time, a package's are removed after use. */
function objectsFolder(folder: string, libtorch: LibTorch, { checkout }: BuildStamp): string {
  return checkout === undefined ? join(folder, '.cmake') : join(checkout, 'build', buildKey(libtorch), 'cmake');
}

/** Warnings are errors in a checkout alone: a user's compiler may warn of more than those that are tested. */
function cmakeJsArguments(objects: string, libtorch: LibTorch, packageRoot: string, jobs: number): string[] {
  const cmakeJs = join(dirname(require.resolve('cmake-js/package.json', { paths: [packageRoot] })), 'bin/cmake-js');
  return [
    cmakeJs,
    'build',
    '--directory',
    packageRoot,
    '--out',
    objects,
    '--parallel',
    String(jobs),
    `--CDCOVIDCT_LIBTORCH=${libtorch.root}`,
    `--CDCOVIDCT_LIBTORCH_INCLUDE=${libtorch.include.join(';')}`,
    `--CDCOVIDCT_LIBTORCH_LIB=${libtorch.lib}`,
    ...(isCheckout(packageRoot) ? ['--CDCOVIDCT_WERROR=ON'] : []),
  ];
}

/** Compiles in `objects`, which is used again unless the configuration has changed or the checkout has moved. */
async function compile(
  folder: string,
  objects: string,
  stamp: BuildStamp,
  libtorch: LibTorch,
  packageRoot: string,
  options: BuildOptions,
): Promise<void> {
  const { jobs = 2, force = false, onOutput, signal } = options;
  const log = join(folder, 'build.log');
  const configured = join(objects, 'configuration');
  const configuration = `${stamp.configuration} ${packageRoot}`;
  try {
    const last = existsSync(configured) ? readFileSync(configured, 'utf8') : undefined;
    if (force || last !== configuration) rmSync(objects, { recursive: true, force: true });
    for (const each of [folder, objects]) makeFolderSync(each);
    writeFileSync(configured, configuration);
  } catch (error) {
    throw fileError('prepare the build', objects, error, 'ERR_BUILD_FAILED');
  }
  const { status, tail } = await runLogged(process.execPath, cmakeJsArguments(objects, libtorch, packageRoot, jobs), {
    cwd: packageRoot,
    log,
    onOutput,
  });
  throwIfAborted(signal);
  if (status !== 0) {
    throw new CovidCtError('ERR_BUILD_FAILED', [
      `the addon could not be compiled for LibTorch ${libtorchKey(libtorch)} at ${libtorch.root}; ` +
        `the whole output is in ${log}, its end:`,
      ...tail.split('\n'),
    ]);
  }
}

/** Removes the addons that this checkout made from older sources, but for the last few. */
function removeOlderBuilds(folder: string, checkout: string): void {
  const addons = dirname(dirname(folder));
  const own = readdirSync(addons, { encoding: 'utf8' })
    .flatMap((name) => readdirSync(join(addons, name), { encoding: 'utf8' }).map((leaf) => join(addons, name, leaf)))
    .filter((each) => each !== folder && readStamp(each)?.checkout === checkout)
    .map((each) => ({ each, at: statSync(join(each, 'build.json')).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { each } of own.slice(KEPT_OLDER_BUILDS)) rmSync(each, { recursive: true, force: true });
}

/** What was compiled elsewhere and put into place, or the reasons why the addon has to be compiled. */
async function usePrebuilt(
  folder: string,
  stamp: BuildStamp,
  libtorch: LibTorch,
  packageRoot: string,
  trial: Trial | undefined,
): Promise<{ origin: string } | { reason: string }> {
  const configuration = stamp.checkout === undefined ? '' : stamp.configuration;
  const reasons: string[] = [];
  for (const found of [findSibling(folder, libtorch), findPlatformAddon(libtorch, stamp.sources, packageRoot)]) {
    if (found === undefined) continue;
    if ('reason' in found) reasons.push(found.reason);
    else {
      try {
        await placeAddon(
          found.file,
          folder,
          { ...prebuiltStamp(found, libtorch, stamp.sources), configuration },
          trial,
        );
        return { origin: found.origin };
      } catch (error) {
        if (!(error instanceof CovidCtError) || error.code !== 'ERR_ADDON_LOAD') throw error;
        reasons.push(linesOf(error).join('; '));
      }
    }
  }
  return { reason: reasons.join('; ') };
}

/**
 * Provides the addon for the LibTorch that is found, in the per-user cache under package version, sources, LibTorch,
 * platform and C library. Returns at once when it is there. Otherwise takes a prebuilt one that matches in everything,
 * or compiles: in a checkout only what changed, elsewhere everything, and then the objects are removed. A second
 * process that asks meanwhile waits and then finds the work done. An addon is loaded once in a process of its own
 * before it is put in place.
 *
 * @param options see {@link BuildOptions}
 * @returns where the addon lies, where it is from, and whether anything was compiled
 * @throws LibTorchNotFoundError when there is nothing to build against
 * @throws CovidCtError ERR_BUILD_FAILED when a tool is missing (naming what to install), or the compiler fails;
 *   ERR_ADDON_LOAD when what was compiled cannot be loaded; ERR_CACHE when others can write into the cache or it cannot
 *   be made; ERR_LOCK
 * @throws AbortedError when `signal` has fired
 */
export async function buildAddon(options: BuildOptions = {}): Promise<BuildResult> {
  const { packageRoot = ownRoot(), force = false, onOutput, onCompile, trial, signal } = options;
  const libtorch = options.libtorch ?? findLibTorch();
  const stamp = currentStamp(libtorch, packageRoot);
  const folder = makeTrustedFolder(addonFolder(libtorch, stamp.sources));
  const done = (built: boolean, origin: string): BuildResult => {
    rememberSources(packageRoot, stamp.sources);
    return { addon: join(folder, ADDON_FILE), libtorch, built, origin };
  };
  const present = force ? undefined : upToDate(folder, stamp);
  if (present !== undefined) return done(false, present.origin);

  return withLock(
    folder,
    async (held) => {
      const meanwhile = force ? undefined : upToDate(folder, stamp);
      if (meanwhile !== undefined) return done(false, meanwhile.origin);
      const prebuilt = force
        ? { reason: 'a compilation was asked for' }
        : await usePrebuilt(folder, stamp, libtorch, packageRoot, trial);
      if ('origin' in prebuilt) return done(false, prebuilt.origin);
      onCompile?.(prebuilt.reason);
      checkTools();
      const objects = objectsFolder(folder, libtorch, stamp);
      try {
        await compile(folder, objects, stamp, libtorch, packageRoot, options);
        held.assertHeld();
        await placeAddon(join(objects, ADDON_FILE), folder, stamp, trial);
      } finally {
        if (stamp.checkout === undefined) rmSync(objects, { recursive: true, force: true });
      }
      if (stamp.checkout !== undefined) removeOlderBuilds(folder, stamp.checkout);
      return done(true, 'compiled');
    },
    { signal, onWait: () => onOutput?.('another process is building the addon; waiting for it') },
  );
}

/** Builds the addon for one LibTorch with cmake-js: incremental, whole or not at all, never two at once. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CovidCtError, throwIfAborted } from '../errors';
import { ADDON_FILE, addonFolder, hashSources, PACKAGE_ROOT, readStamp, type BuildStamp } from './addon-folder';
import { runLogged } from './run-logged';
import { findLibTorch } from './libtorch';
import { libtorchKey, type LibTorch } from './libtorch-folder';
import { withLock } from './lock';
import { checkTools } from './tools';

/** Options of {@link buildAddon}. */
export interface BuildOptions {
  /** The LibTorch to build for; found when not given. */
  libtorch?: LibTorch;
  /** Build from nothing even when nothing has changed. */
  force?: boolean;
  /** Compiler processes at once; each takes up to 1.5 GB. Default 2. */
  jobs?: number;
  /** The package to build; its own by default. */
  packageRoot?: string;
  /** Receives the compiler's lines as they come. */
  onOutput?: (line: string) => void;
  /** Ends the waiting for another process; the compiler itself ends with the terminal's Ctrl-C, not by this. */
  signal?: AbortSignal;
}

/** What {@link buildAddon} did. */
export interface BuildResult {
  addon: string;
  libtorch: LibTorch;
  /** False when the addon was up to date. */
  built: boolean;
}

function packageVersion(name: string, packageRoot: string): string {
  const file = require.resolve(`${name}/package.json`, { paths: [packageRoot] });
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The stamp the build would have if it were made now. */
export function currentStamp(libtorch: LibTorch, packageRoot: string = PACKAGE_ROOT): BuildStamp {
  const { root, lib, include, version, variant } = libtorch;
  const environment = ['CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS'].map((name) => process.env[name] ?? '');
  const packages = ['node-addon-api', 'node-api-headers', 'cmake-js'].map((name) => packageVersion(name, packageRoot));
  const configuration = createHash('sha256')
    .update(JSON.stringify([root, lib, include, version, variant, environment, packages, packageRoot, process.platform, process.arch]))
    .digest('hex');
  return { sources: hashSources(packageRoot), configuration, libtorch: { root, lib, version, variant } };
}

function isUpToDate(folder: string, stamp: BuildStamp): boolean {
  const last = readStamp(folder);
  return existsSync(join(folder, ADDON_FILE)) && last?.sources === stamp.sources && last.configuration === stamp.configuration;
}

/** Puts a file in place in one step, so that a reader sees the old one or the new one. */
function place(file: string, write: (temporary: string) => void): void {
  const temporary = `${file}.${process.pid}.tmp`;
  write(temporary);
  renameSync(temporary, file);
}

function cmakeJsArguments(folder: string, libtorch: LibTorch, packageRoot: string, jobs: number): string[] {
  const cmakeJs = join(dirname(require.resolve('cmake-js/package.json', { paths: [packageRoot] })), 'bin/cmake-js');
  return [
    cmakeJs, 'build', '--directory', packageRoot, '--out', join(folder, 'cmake'), '--parallel', String(jobs),
    `--CDCOVIDCT_LIBTORCH=${libtorch.root}`,
    `--CDCOVIDCT_LIBTORCH_INCLUDE=${libtorch.include.join(';')}`,
    `--CDCOVIDCT_LIBTORCH_LIB=${libtorch.lib}`,
  ];
}

/** Compiles in `<folder>/cmake`, which is kept for the next time unless the configuration has changed. */
async function compile(folder: string, stamp: BuildStamp, libtorch: LibTorch, options: BuildOptions): Promise<void> {
  const { packageRoot = PACKAGE_ROOT, jobs = 2, force = false, onOutput, signal } = options;
  const cmakeFolder = join(folder, 'cmake');
  const configured = join(cmakeFolder, 'configuration');
  const last = existsSync(configured) ? readFileSync(configured, 'utf8') : undefined;
  if (force || last !== stamp.configuration) rmSync(cmakeFolder, { recursive: true, force: true });
  mkdirSync(cmakeFolder, { recursive: true });
  writeFileSync(configured, stamp.configuration);

  const log = join(folder, 'build.log');
  const { status, tail } = await runLogged(process.execPath, cmakeJsArguments(folder, libtorch, packageRoot, jobs), {
    cwd: packageRoot, log, onOutput,
  });
  throwIfAborted(signal);
  if (status !== 0) {
    throw new CovidCtError('ERR_BUILD_FAILED', [`the addon could not be compiled for LibTorch ${libtorchKey(libtorch)} at ${libtorch.root}; the whole output is in ${log}, its end:`, ...tail.split('\n')]);
  }
}

/**
 * Builds the addon for the LibTorch that is found, into `build/<version>+<variant>-<platform>-<arch>/`. Returns at once
 * when sources, LibTorch and compiler variables are as they were; compiles only what changed otherwise. A second
 * process that asks meanwhile waits and then finds the work done. The addon and its stamp appear whole.
 *
 * @param options see {@link BuildOptions}
 * @returns where the addon lies and whether anything was compiled
 * @throws LibTorchNotFoundError when there is nothing to build against
 * @throws CovidCtError ERR_BUILD_FAILED when a tool is missing (naming what to install) or the compiler fails
 * @throws AbortedError when `signal` has fired
 */
export async function buildAddon(options: BuildOptions = {}): Promise<BuildResult> {
  const { packageRoot = PACKAGE_ROOT, force = false, onOutput, signal } = options;
  const libtorch = options.libtorch ?? findLibTorch();
  const folder = addonFolder(libtorch, packageRoot);
  const addon = join(folder, ADDON_FILE);
  if (!force && isUpToDate(folder, currentStamp(libtorch, packageRoot))) return { addon, libtorch, built: false };

  return withLock(folder, async (held) => {
    const stamp = currentStamp(libtorch, packageRoot);
    if (!force && isUpToDate(folder, stamp)) return { addon, libtorch, built: false };
    checkTools();
    await compile(folder, stamp, libtorch, options);
    held.assertHeld();
    place(addon, (temporary) => copyFileSync(join(folder, 'cmake', ADDON_FILE), temporary));
    place(join(folder, 'build.json'), (temporary) => writeFileSync(temporary, `${JSON.stringify(stamp, null, 2)}\n`));
    return { addon, libtorch, built: true };
  }, { signal, onWait: () => onOutput?.('another process is building the addon; waiting for it') });
}

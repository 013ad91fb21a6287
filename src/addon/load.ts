/** Loads the addon on first use: finds it through LibTorch, and turns every failure into advice. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { CovidCtError, linesOf, messageOf } from '../errors';
import { ADDON_FILE, addonFolder, readStamp, usedSources } from './addon-folder';
import { findLibTorch } from './libtorch';
import { libtorchKey, minorOf, untestedRemark, type LibTorch } from './libtorch-folder';
import { forced, loadAdvice } from './load-advice';
import { buildCommand, packageRoot } from './package-root';
import { placeAddonSync } from './place-addon';
import { findPlatformAddon, prebuiltStamp, type NoPrebuilt } from './prebuilt';
import { assertTrustedFolder } from '../files/trusted-folder';
import type { NativeModule } from './types';

/** Takes the platform package's addon where it matches; returns the reason where it does not. */
function takePrebuilt(libtorch: LibTorch, sources: string, folder: string, root: string): string | NoPrebuilt {
  const found = findPlatformAddon(libtorch, sources, root);
  if ('reason' in found) return found;
  try {
    return placeAddonSync(found.file, folder, prebuiltStamp(found, libtorch, sources));
  } catch (error) {
    if (!(error instanceof CovidCtError)) throw error;
    return { reason: linesOf(error).join('; ') };
  }
}

/**
 * The addon for the LibTorch that was found: the cache's, else a prebuilt one, which is tried once and put there.
 *
 * @throws CovidCtError ERR_ADDON_NOT_BUILT naming the command to run, ERR_CACHE when others can write where it
 *   lies, ERR_PACKAGE_FILES when this is a bundle and the cache has none
 */
export function locateAddon(libtorch: LibTorch): string {
  const sources = usedSources();
  const folder = addonFolder(libtorch, sources);
  if (readStamp(folder)?.libtorch.lib === libtorch.lib) {
    assertTrustedFolder(join(folder, ADDON_FILE));
    return join(folder, ADDON_FILE);
  }
  const taken = takePrebuilt(libtorch, sources, folder, packageRoot());
  if (typeof taken === 'string') return taken;
  throw new CovidCtError('ERR_ADDON_NOT_BUILT', [
    `the addon has not been built for LibTorch ${libtorchKey(libtorch)} (${libtorch.root}, ` +
      `from ${libtorch.source}): ${join(folder, ADDON_FILE)} does not exist, and ${taken.reason}.`,
    `Run \`${buildCommand()}\`.`,
  ]);
}

/**
 * How often OpenMP's threads look for work before they sleep: about 0.05 ms. Between two layers of a step less passes,
 * and a sleep in each of these gaps doubles a step of small layers. OpenMP's own choice, 3 ms, takes the cores from the
 * event loop, from sharp and from other processes, and with every core in demand makes a step many times slower.
 */
const SPIN_COUNT = '5000';

/**
 * OpenMP reads the setting when it is loaded; a choice of the user's own is left alone, and child processes inherit
 * nothing.
 */
function withShortSpins<T>(work: () => T): T {
  const { env } = process;
  if (env['OMP_WAIT_POLICY'] !== undefined || env['GOMP_SPINCOUNT'] !== undefined) return work();
  env['GOMP_SPINCOUNT'] = SPIN_COUNT;
  try {
    return work();
  } finally {
    delete env['GOMP_SPINCOUNT'];
  }
}

function load(file: string): NativeModule {
  try {
    return withShortSpins(() => createRequire(file)(file) as NativeModule);
  } catch (error) {
    const message = messageOf(error);
    throw new CovidCtError(
      'ERR_ADDON_LOAD',
      [`the addon ${file} could not be loaded: ${message}`, loadAdvice(message)],
      { cause: error },
    );
  }
}

function checkVersion(native: NativeModule, libtorch: LibTorch, file: string): void {
  const loaded = native.info().libtorchVersion;
  if (minorOf(loaded) !== minorOf(libtorch.version)) {
    throw new CovidCtError('ERR_ADDON_LOAD', [
      `the addon ${file} was built with the headers of LibTorch ${loaded}, ` +
        `but LibTorch ${libtorch.version} was found at ${libtorch.root}.`,
      `Run \`${forced(buildCommand())}\`.`,
    ]);
  }
}

/** The path named by `COVIDCT_TORCH_ADDON`, for trying an addon that was built by hand. */
function chosenAddon(): string | undefined {
  const chosen = process.env['COVIDCT_TORCH_ADDON'];
  if (chosen === undefined || chosen === '') return undefined;
  const file = resolve(chosen);
  if (!existsSync(file))
    throw new CovidCtError('ERR_ADDON_NOT_BUILT', [
      `COVIDCT_TORCH_ADDON names ${file}, which does not exist.`,
      'Correct it or unset it.',
    ]);
  return file;
}

let loaded: NativeModule | undefined;

/**
 * The addon, loaded at the first call and kept; costs about half a second and 160 MB then. Never called by an import.
 * Works in worker threads, each of which calls it for itself.
 * Warns once (`process` event `warning`, code COVIDCT_UNTESTED_LIBTORCH) of a LibTorch newer than the tested ones.
 *
 * @returns the native surface
 * @throws LibTorchNotFoundError when no LibTorch is found, with every place tried
 * @throws CovidCtError ERR_ADDON_NOT_BUILT naming the command to run, or ERR_ADDON_LOAD with what the system's message
 *   means; a later call tries again
 */
export function loadNative(): NativeModule {
  if (loaded !== undefined) return loaded;
  const chosen = chosenAddon();
  if (chosen !== undefined) {
    return keep(load(chosen));
  }
  const libtorch = findLibTorch();
  const file = locateAddon(libtorch);
  const native = load(file);
  checkVersion(native, libtorch, file);
  const remark = untestedRemark(libtorch.version);
  if (remark !== undefined) process.emitWarning(remark, { code: 'COVIDCT_UNTESTED_LIBTORCH' });
  return keep(native);
}

/** Remembers the addon, and ends its threads with the process: LibTorch must not go while one of them computes. */
function keep(native: NativeModule): NativeModule {
  loaded = native;
  process.once('exit', () => native.join());
  return native;
}

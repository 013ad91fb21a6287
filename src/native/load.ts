/** Loads the addon on first use: finds it through LibTorch, and turns every failure into advice. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import { ADDON_FILE, addonFolder, buildCommand, readStamp } from './addon-folder';
import { findLibTorch } from './libtorch';
import { libtorchKey, type LibTorch } from './libtorch-folder';
import type { NativeModule } from './types';

/** What the system's dynamic linker says, and what it means here. */
const ADVICE: readonly { pattern: RegExp; advice: (command: string) => string }[] = [
  {
    pattern: /lib(cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|cusparseLt|nccl|nvrtc|nvToolsExt|nvJitLink|nvshmem\w*|cupti|cufile|cuda)\b[^:]*: cannot open shared object/,
    advice: () => "this LibTorch is built for CUDA and NVIDIA's libraries are not there: install its wheel with pip, which brings them, or use a CPU LibTorch",
  },
  {
    pattern: /(lib(torch|c10)\w*\.(so|dylib))[^:]*: (cannot open shared object|image not found)|Library not loaded:.*lib(torch|c10)/,
    advice: (command) => `the LibTorch it was built for has been moved or is incomplete: run \`${command}\``,
  },
  { pattern: /undefined symbol|symbol not found|Symbol not found/, advice: (command) => `it was built for another LibTorch than the one that is loaded: run \`${command} -- --force\`` },
  { pattern: /GLIBC(XX)?_[\d.]+' not found|CXXABI_[\d.]+' not found/, advice: () => "this system's C or C++ library is older than LibTorch needs (glibc 2.28): use a newer system or container" },
  { pattern: /static TLS block/, advice: () => 'too many large libraries were loaded before it: load it earlier, or start node with LD_PRELOAD set to the library that is named' },
  { pattern: /invalid ELF header|wrong ELF class|mach-o|incompatible architecture|cannot execute/i, advice: (command) => `it was built for another platform: run \`${command}\`` },
];

/** What to do about a message of the system's dynamic linker. */
export function loadAdvice(message: string, command: string = buildCommand()): string {
  return ADVICE.find(({ pattern }) => pattern.test(message))?.advice(command) ?? `run \`${command}\`, and \`npx covidct doctor\` to see what is there`;
}

/** Checks that the addon was built, and for the LibTorch that was found; gives its path. */
export function locateAddon(libtorch: LibTorch, packageRoot?: string): string {
  const folder = addonFolder(libtorch, packageRoot);
  const file = join(folder, ADDON_FILE);
  const command = buildCommand(packageRoot);
  const stamp = readStamp(folder);
  if (!existsSync(file) || stamp === undefined) {
    throw new CovidCtError('ERR_ADDON_NOT_BUILT', [`the addon has not been built for LibTorch ${libtorchKey(libtorch)} (${libtorch.root}, from ${libtorch.source}): ${file} does not exist.`, `Run \`${command}\`.`]);
  }
  if (stamp.libtorch.lib !== libtorch.lib) {
    throw new CovidCtError('ERR_ADDON_NOT_BUILT', [`the addon was built for the LibTorch in ${stamp.libtorch.lib}, but the one found is in ${libtorch.lib} (from ${libtorch.source}).`, `Run \`${command}\`.`]);
  }
  return file;
}

/**
 * OpenMP's threads wait by spinning unless told otherwise, which takes the cores from the event loop, from sharp and
 * from other processes, and with every core in demand makes a step many times slower. OpenMP reads the setting when it
 * is loaded; a choice of the user's own is left alone, and child processes inherit nothing.
 */
function withPassiveWaiting<T>(work: () => T): T {
  const { env } = process;
  if (env['OMP_WAIT_POLICY'] !== undefined || env['GOMP_SPINCOUNT'] !== undefined) return work();
  env['OMP_WAIT_POLICY'] = 'PASSIVE';
  try {
    return work();
  } finally {
    delete env['OMP_WAIT_POLICY'];
  }
}

function load(file: string): NativeModule {
  try {
    return withPassiveWaiting(() => createRequire(__filename)(file) as NativeModule);
  } catch (error) {
    const message = messageOf(error);
    throw new CovidCtError('ERR_ADDON_LOAD', [`the addon ${file} could not be loaded: ${message}`, loadAdvice(message)], { cause: error });
  }
}

/** `[major, minor]` as text: LibTorch keeps its interface stable within those. */
function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function checkVersion(native: NativeModule, libtorch: LibTorch, file: string): void {
  const loaded = native.info().libtorchVersion;
  if (minorOf(loaded) !== minorOf(libtorch.version)) {
    throw new CovidCtError('ERR_ADDON_LOAD', [`the addon ${file} was built with the headers of LibTorch ${loaded}, but LibTorch ${libtorch.version} was found at ${libtorch.root}.`, `Run \`${buildCommand()} -- --force\`.`]);
  }
}

/** The path named by `COVIDCT_TORCH_ADDON`, for trying an addon that was built by hand. */
function chosenAddon(): string | undefined {
  const chosen = process.env['COVIDCT_TORCH_ADDON'];
  if (chosen === undefined || chosen === '') return undefined;
  const file = resolve(chosen);
  if (!existsSync(file)) throw new CovidCtError('ERR_ADDON_NOT_BUILT', [`COVIDCT_TORCH_ADDON names ${file}, which does not exist.`, 'Correct it or unset it.']);
  return file;
}

let loaded: NativeModule | undefined;

/**
 * The addon, loaded at the first call and kept; costs about half a second and 160 MB then. Never called by an import.
 * Works in worker threads, each of which calls it for itself.
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
  return keep(native);
}

/** Remembers the addon, and ends its threads with the process: LibTorch must not go while one of them computes. */
function keep(native: NativeModule): NativeModule {
  loaded = native;
  process.once('exit', () => native.join());
  return native;
}

/** The version in package.json, for logs, reports and the doctor. */
export function packageVersion(packageRoot: string = resolve(__dirname, '../..')): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}

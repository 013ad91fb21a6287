/**
 * Gathers the facts about this machine's native set-up and what is wrong with it, as plain data for the command line.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CovidCtError, LibTorchNotFoundError } from '../errors';
import { ADDON_FILE, addonFolder, hashSources, readStamp, type BuildStamp } from '../addon/addon-folder';
import { cacheFolder, findLibTorch, SET_UP_COMMAND } from '../addon/libtorch';
import { untestedRemark, type LibTorch } from '../addon/libtorch-folder';
import { loadNative } from '../addon/load';
import { buildCommand, packageRoot, packageVersion } from '../addon/package-root';
import { findCompiler, findTool, installAdvice, missingTools, type Tool } from './tools';
import type { NativeInfo } from '../addon/types';

/** Something that is wrong and what to do about it. */
export interface Problem {
  what: string;
  remedy: string;
}

/** Everything {@link diagnose} found; plain data that can be printed or sent as JSON. */
export interface Diagnosis {
  package: { version: string; root: string };
  node: { version: string; napi: string; executable: string };
  platform: { os: NodeJS.Platform; arch: string; glibc: string | undefined };
  /** The LibTorch that was found; undefined where there is none. */
  libtorch: LibTorch | undefined;
  /** Places that were looked at in vain; empty when one was found. */
  libtorchTried: readonly { path: string; reason: string }[];
  cache: string;
  /**
   * The addon for that LibTorch. `loads` tells whether it could be loaded just now, `origin` what it was taken from.
   */
  addon:
    | {
        path: string;
        built: boolean;
        builtFor: BuildStamp['libtorch'] | undefined;
        origin: string | undefined;
        upToDate: boolean;
        loads: boolean;
      }
    | undefined;
  /** What LibTorch says of itself once loaded: version, CPU capability, threads, GPUs. */
  native: NativeInfo | undefined;
  tools: { compiler: Tool | undefined; cmake: Tool | undefined; ninja: Tool | undefined; python: Tool | undefined };
  /** Empty when all is well. */
  problems: Problem[];
}

function glibc(): string | undefined {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime;
}

function lookForLibTorch(problems: Problem[]): Pick<Diagnosis, 'libtorch' | 'libtorchTried'> {
  try {
    const libtorch = findLibTorch();
    return { libtorch, libtorchTried: [] };
  } catch (error) {
    if (error instanceof CovidCtError && error.code === 'ERR_CACHE') {
      problems.push({ what: 'the LibTorch in the cache is not used', remedy: error.message });
      return { libtorch: undefined, libtorchTried: [] };
    }
    if (!(error instanceof LibTorchNotFoundError)) throw error;
    const own = process.env['COVIDCT_TORCH_LIBTORCH'];
    problems.push(
      own !== undefined && own !== ''
        ? {
            what: `COVIDCT_TORCH_LIBTORCH (${own}) ${error.tried[0]?.reason ?? 'is not usable'}`,
            remedy: 'set it to a folder with include/ and lib/, or unset it',
          }
        : { what: 'no LibTorch was found', remedy: `run \`${SET_UP_COMMAND}\`, or set COVIDCT_TORCH_LIBTORCH` },
    );
    return { libtorch: undefined, libtorchTried: error.tried };
  }
}

/** The addon's state; where there is nothing to load, the reason is reported as a problem. */
function examineAddon(libtorch: LibTorch | undefined, problems: Problem[]): Pick<Diagnosis, 'addon' | 'native'> {
  const chosen = process.env['COVIDCT_TORCH_ADDON'];
  if (libtorch === undefined && !chosen) return { addon: undefined, native: undefined };
  const folder = libtorch === undefined ? undefined : addonFolder(libtorch);
  const path = chosen || join(folder ?? '', ADDON_FILE);
  const stampNow = (): BuildStamp | undefined => (folder === undefined || chosen ? undefined : readStamp(folder));
  const state = (): Omit<NonNullable<Diagnosis['addon']>, 'loads'> => {
    const stamp = stampNow();
    const upToDate = Boolean(chosen) || stamp?.sources === hashSources(packageRoot());
    return { path, built: existsSync(path), builtFor: stamp?.libtorch, origin: stamp?.origin, upToDate };
  };
  let addon = { ...state(), loads: false };
  try {
    const native = loadNative().info();
    addon = { ...state(), loads: true }; // a prebuilt addon is put in place by loading it
    if (!addon.upToDate)
      problems.push({
        what: 'the C++ sources have changed since the addon was built',
        remedy: `run \`${buildCommand()}\``,
      });
    return { addon, native };
  } catch (error) {
    if (!(error instanceof CovidCtError)) throw error;
    const [what = '', ...rest] = error.message.split('\n');
    problems.push({ what, remedy: rest.join(' ') || `run \`${buildCommand()}\`` });
    return { addon, native: undefined };
  }
}

function examineTools(needed: boolean, problems: Problem[]): Diagnosis['tools'] {
  const tools = {
    compiler: findCompiler(),
    cmake: findTool(['cmake']),
    ninja: findTool(['ninja']),
    python: findTool(['python3', 'python']),
  };
  if (needed)
    for (const what of missingTools())
      problems.push({ what: `missing for the build: ${what}`, remedy: installAdvice() });
  return tools;
}

/**
 * Looks at everything the native part needs. Loads the addon where it is built, which takes about half a second.
 *
 * @returns plain data; `problems` is empty when all is well, and names each fault with its remedy otherwise
 * @example
 * ```ts
 * import { diagnose } from 'covidct-torch/setup';
 *
 * const { libtorch, problems } = await diagnose();
 * console.log(libtorch?.version);
 * for (const { what, remedy } of problems) console.log(what, remedy);
 * ```
 */
export async function diagnose(): Promise<Diagnosis> {
  const problems: Problem[] = [];
  const found = lookForLibTorch(problems);
  const examined = examineAddon(found.libtorch, problems);
  const tools = examineTools(examined.native === undefined, problems);
  const remark = found.libtorch === undefined ? undefined : untestedRemark(found.libtorch.version);
  if (remark !== undefined) problems.push({ what: remark, remedy: 'nothing to do while it works' });
  return Promise.resolve({
    package: { version: packageVersion(), root: packageRoot() },
    node: { version: process.version, napi: process.versions['napi'] ?? '', executable: process.execPath },
    platform: { os: process.platform, arch: process.arch, glibc: glibc() },
    ...found,
    cache: cacheFolder(),
    ...examined,
    tools,
    problems,
  });
}

/** The message of a diagnosis' problems, one line each; empty when all is well. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems.map(({ what, remedy }) => `${what}: ${remedy}`).join('\n');
}

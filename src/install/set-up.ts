/** The whole native set-up in one call: find LibTorch, fetch it where there is none, provide the addon. */
import { CovidCtError, LibTorchNotFoundError, linesOf } from '../errors';
import { checkOptions } from '../options/check';
import { setUpOptionsSchema } from './options';
import { buildAddon } from './build';
import { installLibTorch, type InstallOptions, type InstallProgress } from './install-libtorch';
import { findLibTorch } from '../addon/libtorch';
import { TESTED_LIBTORCH, untestedRemark, type LibTorch } from '../addon/libtorch-folder';

/** Options of {@link setUpNative}. */
export interface SetUpOptions {
  /**
   * `ifMissing` (default) fetches LibTorch where none is found, `always` has it
   * in the cache whatever is found, `never` does not fetch.
   */
  fetch?: 'ifMissing' | 'always' | 'never';
  /** Build the addon from nothing. */
  force?: boolean;
  /** SHA-256 of the one wheel of PyTorch's to take from pip, where it is none of the known ones. */
  wheelSha256?: string;
  /** Compiler processes at once. Default 2. */
  jobs?: number;
  onProgress?: (progress: SetUpProgress) => void;
  signal?: AbortSignal;
}

/** How far the set-up is. */
export type SetUpProgress =
  | InstallProgress
  | { phase: 'found'; libtorch: LibTorch; remark?: string | undefined }
  | { phase: 'compile'; reason: string }
  | { phase: 'build'; line: string };

/** What {@link setUpNative} did. */
export interface SetUpResult {
  libtorch: LibTorch;
  /** LibTorch was fetched just now. */
  installed: boolean;
  addon: string;
  /** The addon was compiled just now. */
  built: boolean;
  /** `compiled`, or the platform package that the addon is from: `@covidct-torch/linux-x64-libtorch2.13@0.1.0`. */
  origin: string;
}

async function provideLibTorch(options: SetUpOptions): Promise<{ libtorch: LibTorch; installed: boolean }> {
  const { fetch = 'ifMissing', wheelSha256, onProgress, signal } = options;
  const install: InstallOptions = { wheelSha256, onProgress, signal };
  const own = process.env['COVIDCT_TORCH_LIBTORCH'];
  if (fetch === 'always') return installLibTorch(install);
  try {
    return { libtorch: findLibTorch(), installed: false };
  } catch (error) {
    // Someone who named a folder wants that one: a silent download in its place would hide the typing mistake.
    if (fetch === 'never' || !(error instanceof LibTorchNotFoundError) || (own !== undefined && own !== ''))
      throw error;
    return installLibTorch(install);
  }
}

/**
 * Makes the native part usable: LibTorch found or fetched, and for it the addon: the cache's, a prebuilt
 * one that matches exactly, or compiled. Quick when nothing is to be done.
 *
 * @param options see {@link SetUpOptions}
 * @returns what is there now and what was done
 * @throws LibTorchNotFoundError when there is none and it may not be fetched, or COVIDCT_TORCH_LIBTORCH is wrong
 * @throws CovidCtError ERR_DOWNLOAD, ERR_BAD_ARCHIVE or ERR_BUILD_FAILED
 * @example
 * ```ts
 * import { Classifier } from 'covidct-torch';
 * import { setUpNative } from 'covidct-torch/setup';
 *
 * await setUpNative(); // finds or fetches LibTorch, then finds or compiles the addon
 * using model = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'] });
 * ```
 */
export async function setUpNative(options: SetUpOptions = {}): Promise<SetUpResult> {
  checkOptions(setUpOptionsSchema, options, 'setUpNative');
  const { force, jobs, onProgress, signal } = options;
  const { libtorch, installed } = await provideLibTorch(options);
  onProgress?.({ phase: 'found', libtorch, remark: untestedRemark(libtorch.version) });
  try {
    const { addon, built, origin } = await buildAddon({
      libtorch,
      force,
      jobs,
      signal,
      onCompile: (reason) => onProgress?.({ phase: 'compile', reason }),
      onOutput: (line) => onProgress?.({ phase: 'build', line }),
    });
    return { libtorch, installed, addon, built, origin };
  } catch (error) {
    if (!(error instanceof CovidCtError) || error.code !== 'ERR_BUILD_FAILED' || libtorch.version === TESTED_LIBTORCH)
      throw error;
    throw new CovidCtError(
      'ERR_BUILD_FAILED',
      [
        ...linesOf(error),
        `LibTorch ${libtorch.version} (${libtorch.source}) is not the ${TESTED_LIBTORCH} that ` +
          `is fetched; \`npx covidct install-libtorch --fetch-always\` fetches that one.`,
      ],
      { cause: error },
    );
  }
}

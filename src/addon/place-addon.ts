/** Puts an addon into its folder of the cache, beside a link to its LibTorch: tried first, whole or not at all. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileError, makeFolderSync } from '../files/write';
import { ADDON_FILE, LIBTORCH_LINK, type BuildStamp } from './addon-folder';
import { makeTrustedFolder } from '../files/trusted-folder';
import { tryAddon, tryAddonSync } from './try-addon';

/** Loads an addon once; replaced in tests, whose addons are made of paper. */
export type Trial = (file: string, libtorchVersion: string) => Promise<void>;

function inWords<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError('put the addon into the cache (XDG_CACHE_HOME moves it)', folder, error, 'ERR_BUILD_FAILED');
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Removes what processes that were killed have left half done. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^\.new-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** An addon that is ready but not in place yet. */
class StagedAddon {
  readonly addon: string;
  readonly #staging: string;

  constructor(
    file: string,
    readonly folder: string,
    stamp: BuildStamp,
  ) {
    makeTrustedFolder(folder);
    this.#staging = join(folder, `.new-${process.pid}-${randomBytes(4).toString('hex')}`);
    this.addon = join(this.#staging, ADDON_FILE);
    try {
      inWords(folder, () => {
        removeLeftovers(folder);
        makeFolderSync(this.#staging);
        copyFileSync(file, this.addon);
        symlinkSync(stamp.libtorch.lib, join(this.#staging, LIBTORCH_LINK));
        writeFileSync(join(this.#staging, 'build.json'), `${JSON.stringify(stamp, null, 2)}\n`);
      });
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Each rename is whole, and the stamp comes last: whoever reads it finds the rest. */
  commit(): string {
    inWords(this.folder, () => {
      for (const name of [LIBTORCH_LINK, ADDON_FILE, 'build.json'])
        renameSync(join(this.#staging, name), join(this.folder, name));
    });
    return join(this.folder, ADDON_FILE);
  }

  discard(): void {
    rmSync(this.#staging, { recursive: true, force: true });
  }
}

/**
 * Tries the addon `file` and puts it into `folder`. Processes that do so at once put the same there, each in whole
 * files.
 *
 * @throws CovidCtError ERR_ADDON_LOAD when it cannot be loaded, ERR_CACHE or ERR_BUILD_FAILED when the folder
 *   cannot be written or is not to be trusted
 */
export async function placeAddon(
  file: string,
  folder: string,
  stamp: BuildStamp,
  trial: Trial = tryAddon,
): Promise<string> {
  const staged = new StagedAddon(file, folder, stamp);
  try {
    await trial(staged.addon, stamp.libtorch.version);
    return staged.commit();
  } finally {
    staged.discard();
  }
}

/** {@link placeAddon} for the loader, which cannot wait: blocks for about a second, once. */
export function placeAddonSync(file: string, folder: string, stamp: BuildStamp): string {
  const staged = new StagedAddon(file, folder, stamp);
  try {
    tryAddonSync(staged.addon, stamp.libtorch.version);
    return staged.commit();
  } finally {
    staged.discard();
  }
}

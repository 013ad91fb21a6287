/** Where the built addon lies and what its stamp says; the builder writes the stamp, the loader reads it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { libtorchKey, type LibTorch } from './libtorch-folder';

/** The package's own folder: two above this file, as source or compiled. */
export const PACKAGE_ROOT = resolve(__dirname, '../..');

/** The addon's file name. */
export const ADDON_FILE = 'covidct_torch.node';

/** What a finished build was made of, kept as `build.json` beside the addon. */
export interface BuildStamp {
  /** Hash of the C++ sources and CMakeLists.txt. */
  sources: string;
  /** Hash of everything else that decides the result: LibTorch, compiler variables, header packages. */
  configuration: string;
  libtorch: { root: string; lib: string; version: string; variant: string };
}

/** `build/<version>+<variant>-<platform>-<arch>`: an addon loads with no LibTorch but the one it was built for. */
export function addonFolder(libtorch: Pick<LibTorch, 'version' | 'variant'>, packageRoot: string = PACKAGE_ROOT): string {
  return join(packageRoot, 'build', `${libtorchKey(libtorch)}-${process.platform}-${process.arch}`);
}

/** Is this the project's own repository rather than an installed package? The sources are not published. */
export function isCheckout(packageRoot: string = PACKAGE_ROOT): boolean {
  return existsSync(join(packageRoot, 'src')) && existsSync(join(packageRoot, 'tsconfig.json'));
}

/** The command that builds the addon here: a checkout's own script, or the installed command. */
export function buildCommand(packageRoot: string = PACKAGE_ROOT): string {
  return isCheckout(packageRoot) ? 'npm run build' : 'npx covidct install-libtorch';
}

/** The stamp of a finished build; undefined where there is none or it cannot be read. */
export function readStamp(folder: string): BuildStamp | undefined {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8')) as Partial<BuildStamp> | null;
    return typeof stamp?.libtorch?.lib === 'string' ? (stamp as BuildStamp) : undefined;
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

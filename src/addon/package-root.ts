/** Where the package's own files lie, also told when they cannot be found because the package was put into a bundle. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CovidCtError } from '../errors';

/** What a bundler's user has to do; named in every message that a bundle causes. */
const BUNDLE_ADVICE = [
  'A bundle cannot hold them: leave `covidct-torch` and `sharp` ' +
    'external (esbuild: `--external:covidct-torch --external:sharp`; ' +
    'vite: `ssr.external`; webpack: `externals`) and install both beside the bundle.',
  'A bundle of it can still load an addon that `npx covidct install-libtorch` of the ' +
    'same version has put into the cache, or the one that COVIDCT_TORCH_ADDON names.',
] as const;

/** The folder two above this file, as source or compiled; undefined in an ESM bundle, which has no `__dirname`. */
function guessedRoot(): string | undefined {
  return typeof __dirname === 'string' ? resolve(__dirname, '../..') : undefined;
}

/**
 * The package's own folder.
 *
 * @throws CovidCtError ERR_PACKAGE_FILES in a bundle, where there is none
 */
export function packageRoot(): string {
  const root = guessedRoot();
  if (root !== undefined && existsSync(join(root, 'CMakeLists.txt')) && existsSync(join(root, 'native/addon.cc')))
    return root;
  throw new CovidCtError('ERR_PACKAGE_FILES', [
    'covidct-torch cannot find its own ' +
      `files${root === undefined ? '' : ` in ${root}`}: it seems to be part of a bundle.`,
    ...BUNDLE_ADVICE,
  ]);
}

/**
 * A file of the package that another process runs or the builder reads.
 *
 * @param name relative to the package's folder, e.g. `scripts/bench_pytorch.py`
 * @throws CovidCtError ERR_PACKAGE_FILES when it is not there
 */
export function packageFile(name: string): string {
  const file = join(packageRoot(), name);
  if (existsSync(file)) return file;
  throw new CovidCtError('ERR_PACKAGE_FILES', [
    `covidct-torch's file ${file} is missing: install the package again, if this is no bundle.`,
    ...BUNDLE_ADVICE,
  ]);
}

/** Is this the project's own repository rather than an installed package? The sources are not published. */
export function isCheckout(root: string): boolean {
  return existsSync(join(root, 'src')) && existsSync(join(root, 'tsconfig.json'));
}

/** The command that builds the addon here: a checkout's own script, or the installed command. */
export function buildCommand(root: string | undefined = guessedRoot()): string {
  return root !== undefined && isCheckout(root) ? 'npm run build' : 'npx covidct install-libtorch';
}

/**
 * The version in package.json, for logs, reports and the doctor. A literal `require`, so that a bundler takes it in.
 *
 * @example
 * ```ts
 * import { packageVersion } from 'covidct-torch/setup';
 *
 * console.log(packageVersion()); // e.g. 0.1.0
 * ```
 */
export function packageVersion(): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('../../package.json') as { version: string }).version;
}

/** Finds, or makes once for this user, a Python that can import the modules a parity test needs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** A Python that has the modules, or the reason why there is none. */
export type PythonFound = { readonly python: string } | { readonly python: null; readonly reason: string };

const REPOSITORY = path.resolve(__dirname, '..', '..');
const INSTALL_TIMEOUT_MS = 480_000;

function canImport(python: string, modules: readonly string[]): boolean {
  return (
    spawnSync(python, ['-c', modules.map((name) => `import ${name}`).join('\n')], { stdio: 'ignore', timeout: 120_000 })
      .status === 0
  );
}

function venvPython(folder: string): string {
  return process.platform === 'win32' ? path.join(folder, 'Scripts', 'python.exe') : path.join(folder, 'bin', 'python');
}

function complaint(result: ReturnType<typeof spawnSync>): string {
  return (result.error?.message ?? String(result.stderr)).trim().split('\n').slice(-3).join(' ');
}

/**
 * A Python that can import every one of `modules`, looked for in this order: COVIDCT_TEST_PYTHON, `.venv` in the
 * repository, `python3` on the PATH, a virtual environment in the user's cache, which is made and filled by pip when it
 * is missing. A COVIDCT_TEST_PYTHON that lacks a module is not passed over in silence.
 *
 * @param modules what is imported, e.g. `tensorboard`
 * @param packages what pip calls them
 */
export function findPython(modules: readonly string[], packages: readonly string[] = modules): PythonFound {
  const asked = process.env['COVIDCT_TEST_PYTHON'];
  if (asked !== undefined && asked !== '') {
    return canImport(asked, modules)
      ? { python: asked }
      : { python: null, reason: `COVIDCT_TEST_PYTHON (${asked}) cannot import ${modules.join(', ')}` };
  }
  const cache = path.join(
    process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'),
    'covidct-torch',
    'test-venv',
  );
  const candidates = [venvPython(path.join(REPOSITORY, '.venv')), 'python3', venvPython(cache)];
  const found = candidates.find((candidate) => canImport(candidate, modules));
  if (found !== undefined) return { python: found };
  if (!existsSync(venvPython(cache))) {
    mkdirSync(path.dirname(cache), { recursive: true });
    const made = spawnSync('python3', ['-m', 'venv', cache], { timeout: INSTALL_TIMEOUT_MS });
    if (made.status !== 0) return { python: null, reason: `python3 -m venv ${cache} failed: ${complaint(made)}` };
  }
  const installed = spawnSync(
    venvPython(cache),
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages],
    { timeout: INSTALL_TIMEOUT_MS },
  );
  if (installed.status !== 0)
    return { python: null, reason: `pip install ${packages.join(' ')} failed: ${complaint(installed)}` };
  return canImport(venvPython(cache), modules)
    ? { python: venvPython(cache) }
    : { python: null, reason: `pip installed ${packages.join(', ')}, but ${modules.join(', ')} cannot be imported` };
}

/**
 * `test` where the Python was found or CI is set (the test then fails with the reason); elsewhere a skipped test whose
 * name carries the reason.
 */
export function testWithPython(
  found: PythonFound,
  name: string,
  body: (python: string) => void | Promise<void>,
  timeoutMs = 120_000,
): void {
  if (found.python !== null)
    test(
      name,
      async () => {
        await body(found.python);
      },
      timeoutMs,
    );
  else if (process.env['CI']) test(name, () => Promise.reject(new Error(found.reason)));
  else test.skip(`${name} (${found.reason})`, () => {});
}

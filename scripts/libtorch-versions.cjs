/**
 * Shows which versions of LibTorch the addon works with: fetches each through pip, builds the addon for it, runs the
 * native tests on it and compares it with the PyTorch of the same version. Prints a table; exit code 1 when one fails.
 *
 *   node scripts/libtorch-versions.cjs [VERSION ...]      minors (2.11: its newest release) or releases (2.12.1);
 *                                                         without any, every minor of the supported range
 *   --folder DIR     where each version's virtual environment is made (default: the cache's libtorch-versions); one
 *                    that is there is used again. On Linux pip's wheels are the CUDA builds: about 5 GB a version
 *   --remove         remove each version's environment when it is done
 *   --python PATH    the Python whose version the wheels are for (default: python3)
 *   --jobs N         compilers at once (default 2)
 *   --tests PATH     run these alone; may be given several times (default: the native tests and those of the network)
 *   --no-parity      leave out the comparison with PyTorch
 */
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync, rmSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { buildTypeScript } = require('./typescript.cjs');

const root = path.resolve(__dirname, '..');
const TESTS = ['test/native', 'test/parity/network', 'test/parity/optimizers'];
const PARITY = ['tiny', 'vgg11_bn', 'resnet18', 'densenet121'];

const words = {
  allowPositionals: true,
  options: {
    folder: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    jobs: { type: 'string', default: '2' },
    tests: { type: 'string', multiple: true, default: TESTS },
    remove: { type: 'boolean', default: false },
    'no-parity': { type: 'boolean', default: false },
  },
};

/** Runs a program to its end with its output shown; throws naming the step when it fails. */
function run(step, command, args, env) {
  console.error(`== ${step}: ${[command, ...args].join(' ')}`);
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${step} failed: ${error?.message ?? `exit ${status}`}`);
}

/** Makes the virtual environment with that torch, and what the comparison needs; returns its Python. */
function provide(version, folder, python) {
  const home = path.join(folder, version);
  const own = path.join(home, 'bin/python');
  const release = /^\d+\.\d+$/.test(version) ? `${version}.*` : version;
  const pip = ['-m', 'pip', 'install', '--no-cache-dir', '--quiet', '--disable-pip-version-check'];
  if (!existsSync(own)) run(`${version}: environment`, python, ['-m', 'venv', home]);
  run(`${version}: torch`, own, [...pip, `torch==${release}`]);
  // The torchvision of torch 2.N is 0.(N+15); its compiled part is not needed, so that it may be any build of it.
  const vision = `0.${Number(version.split('.')[1]) + 15}.*`;
  run(`${version}: torchvision`, own, [...pip, '--no-deps', `torchvision==${vision}`]);
  run(`${version}: the rest`, own, [...pip, 'numpy', 'pillow', 'safetensors']);
  return own;
}

/** Where that Python's torch lies. */
function libtorchOf(python) {
  const program = "import importlib.util, os; print(os.path.dirname(importlib.util.find_spec('torch').origin))";
  const cwd = path.dirname(python); // not the repository: Python looks for modules where it stands
  const { stdout, status, stderr } = spawnSync(python, ['-c', program], { encoding: 'utf8', cwd });
  if (status !== 0) throw new Error(`no torch in ${python}: ${stderr}`);
  return stdout.trim();
}

/** Builds the addon; returns the LibTorch that was found and whether it is one of the supported range. */
function build(libtorch, env, jobs) {
  const { inspectLibTorch, libtorchKey } = require('../dist/addon/libtorch-folder.js');
  const inspection = inspectLibTorch({ root: libtorch }, 'COVIDCT_TORCH_LIBTORCH');
  if ('reason' in inspection) throw new Error(`refused: ${inspection.reason}`);
  run('addon', process.execPath, ['scripts/build.cjs', '--native', `--jobs=${jobs}`], env);
  return libtorchKey(inspection.libtorch);
}

/** Runs the tests; `236 passed` or `234 passed, 2 failed: <names>`. */
function test(paths, env, folder) {
  const report = path.join(folder, 'tests.json');
  const jest = [require.resolve('jest/bin/jest'), '-w', '1', '--json', `--outputFile=${report}`, ...paths];
  rmSync(report, { force: true });
  console.error(`== tests: ${paths.join(' ')}`);
  spawnSync(process.execPath, jest, { cwd: root, env, stdio: ['ignore', 'ignore', 2] });
  if (!existsSync(report)) throw new Error('tests: jest did not end');
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, testResults } = result;
  const each = testResults.flatMap(({ assertionResults }) => assertionResults);
  const names = each.filter(({ status }) => status === 'failed');
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  const said = failed === 0 ? '' : `, ${failed} failed: ${names.map(({ fullName }) => fullName).join('; ')}`;
  return { ok: failed === 0 && numPassedTests > 0, text: `${numPassedTests} passed${said}` };
}

/** Compares with the PyTorch beside it: `equal` is within the bounds of `npm run parity`. */
function compare(python, env) {
  const args = ['test/parity/network/live.cjs', '--python', python, ...PARITY];
  console.error(`== parity: ${PARITY.join(' ')}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' });
  console.error(stdout);
  if (status === 0) return { ok: true, text: 'equal' };
  return { ok: false, text: stdout.includes('DIFFERS') ? 'DIFFERS' : `failed: ${stderr.trim().split('\n').at(-1)}` };
}

function check(version, options) {
  const { folder, python, jobs, remove } = options;
  const row = { version, libtorch: '', addon: '', tests: '', 'PyTorch of that version': '' };
  let ok = false;
  try {
    const own = provide(version, folder, python);
    const libtorch = libtorchOf(own);
    const env = { ...process.env, COVIDCT_TORCH_LIBTORCH: libtorch };
    delete env.COVIDCT_TORCH_ADDON;
    row.libtorch = build(libtorch, env, jobs);
    row.addon = 'built';
    const tests = test(options.tests, env, path.join(folder, version));
    row.tests = tests.text;
    const parity = options['no-parity'] ? { ok: true, text: 'not asked' } : compare(own, env);
    row['PyTorch of that version'] = parity.text;
    ok = tests.ok && parity.ok;
  } catch (error) {
    row.addon ||= error.message;
  }
  if (remove) {
    rmSync(path.join(folder, version), { recursive: true, force: true });
  }
  return { row, ok };
}

function main() {
  const { values, positionals } = parseArgs(words);
  buildTypeScript();
  const { SUPPORTED_LIBTORCH } = require('../dist/addon/libtorch-folder.js');
  const { cacheFolder } = require('../dist/files/cache-folder.js');
  const { makeTrustedFolder } = require('../dist/files/trusted-folder.js');
  const folder =
    values.folder === undefined
      ? makeTrustedFolder(path.join(cacheFolder(), 'libtorch-versions'))
      : path.resolve(values.folder);
  const versions = positionals.length > 0 ? positionals : SUPPORTED_LIBTORCH;
  const results = versions.map((version) => check(version, { ...values, folder }));
  console.table(results.map(({ row }) => row));
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

main();

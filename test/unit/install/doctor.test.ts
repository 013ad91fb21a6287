/** The doctor's facts and remedies: nothing found, a wrong folder, an addon that is not built, and all well. */
import { realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findLibTorch } from '../../../src/addon/libtorch';
import { describeProblems, diagnose } from '../../../src/install/doctor';
import { fakePython, libtorchFiles, temporaryFolder, writeFiles } from './fake-libtorch';

let folder: string;
const saved = { ...process.env };

beforeEach(() => {
  folder = realpathSync(temporaryFolder());
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
  Object.assign(process.env, saved);
  rmSync(folder, { recursive: true, force: true });
});

/** An environment without LibTorch, compiler, cmake and Python's torch. */
function bareEnvironment(): void {
  for (const name of [
    'COVIDCT_TORCH_LIBTORCH',
    'COVIDCT_TORCH_ADDON',
    'LIBTORCH',
    'LIBTORCH_INCLUDE',
    'LIBTORCH_LIB',
    'Torch_DIR',
    'CMAKE_PREFIX_PATH',
    'CXX',
  ])
    delete process.env[name];
  fakePython(join(folder, 'bin'), 'case "$1" in --version) echo Python 3.9.9;; *) echo;; esac');
  Object.assign(process.env, { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') });
}

test('nothing found: where was looked, what is missing, the command', async () => {
  bareEnvironment();
  // A machine may have a LibTorch in a system folder; then this case cannot be set up by variables alone.
  const systemHasOne = (() => {
    try {
      return findLibTorch().source === 'system';
    } catch {
      return false;
    }
  })();
  if (systemHasOne) return expect((await diagnose()).libtorch?.source).toBe('system');
  const diagnosis = await diagnose();
  expect(diagnosis).toMatchObject({
    libtorch: undefined,
    addon: undefined,
    native: undefined,
    node: { version: process.version },
    platform: { os: process.platform, arch: process.arch },
  });
  expect(diagnosis.libtorchTried.map(({ path }) => path)).toContain(
    `${join(folder, 'cache/covidct-torch/libtorch/2.13.0+cpu')} (cache)`,
  );
  expect(diagnosis.tools).toMatchObject({
    compiler: undefined,
    cmake: undefined,
    python: { command: 'python3', version: 'Python 3.9.9' },
  });
  expect(diagnosis.problems[0]).toEqual({
    what: 'no LibTorch was found',
    remedy: expect.stringContaining('npx covidct install-libtorch'),
  });
  expect(describeProblems(diagnosis.problems)).toMatch(
    /missing for the build: a C\+\+20 compiler.*: Install them.*\n.*cmake 3\.21/,
  );
  expect(JSON.parse(JSON.stringify(diagnosis))).toMatchObject({ problems: diagnosis.problems });
});

test('a folder that was named and is wrong is told with the reason', async () => {
  bareEnvironment();
  process.env['COVIDCT_TORCH_LIBTORCH'] = join(folder, 'typo');
  const [problem] = (await diagnose()).problems;
  expect(problem).toEqual({
    what: `COVIDCT_TORCH_LIBTORCH (${join(folder, 'typo')}) does not exist`,
    remedy: expect.stringContaining('unset it'),
  });
});

test('a LibTorch without an addon for it is told with the build command', async () => {
  bareEnvironment();
  writeFiles(join(folder, 'libtorch'), { ...libtorchFiles('2.13.99') });
  process.env['COVIDCT_TORCH_LIBTORCH'] = join(folder, 'libtorch');
  const diagnosis = await diagnose();
  expect(diagnosis.libtorch).toMatchObject({ version: '2.13.99', source: 'COVIDCT_TORCH_LIBTORCH' });
  expect(diagnosis.addon).toMatchObject({ built: false, loads: false, upToDate: false });
  expect(diagnosis.problems[0]).toEqual({
    what: expect.stringMatching(/has not been built for LibTorch 2\.13\.99\+cpu/),
    remedy: 'Run `npm run build`.',
  });
});

test('all well: the addon loads and LibTorch tells its version', async () => {
  const diagnosis = await diagnose();
  expect(describeProblems(diagnosis.problems)).toBe('');
  expect(diagnosis.addon).toMatchObject({ built: true, loads: true, upToDate: true });
  expect(diagnosis.native?.libtorchVersion).toBe(diagnosis.libtorch?.version);
  expect(diagnosis.native?.threads).toBeGreaterThan(0);
});

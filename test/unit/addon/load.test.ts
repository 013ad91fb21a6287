/** The loader's refusals, each with the command to run, and what the system's messages are taken to mean. */
import { realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CovidCtError } from '../../../src/errors';
import { addonFolder } from '../../../src/addon/addon-folder';
import { inspectLibTorch, type LibTorch } from '../../../src/addon/libtorch-folder';
import { loadNative, locateAddon } from '../../../src/addon/load';
import { forced, loadAdvice } from '../../../src/addon/load-advice';
import { buildCommand, packageVersion } from '../../../src/addon/package-root';
import { libtorchFiles, temporaryFolder, writeFiles } from '../install/fake-libtorch';

let folder: string;
let libtorch: LibTorch;
const saved = { ...process.env };

beforeEach(() => {
  folder = realpathSync(temporaryFolder());
  writeFiles(join(folder, 'libtorch'), libtorchFiles('2.13.7'));
  const inspection = inspectLibTorch({ root: join(folder, 'libtorch') }, 'LIBTORCH', 'linux');
  if ('reason' in inspection) throw new Error(inspection.reason);
  libtorch = inspection.libtorch;
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
});
afterEach(() => {
  for (const name of ['COVIDCT_TORCH_ADDON', 'COVIDCT_TORCH_LIBTORCH', 'XDG_CACHE_HOME']) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
  rmSync(folder, { recursive: true, force: true });
});

function failure(action: () => unknown): CovidCtError {
  try {
    action();
  } catch (error) {
    if (error instanceof CovidCtError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

function putAddon(lib: string): void {
  writeFiles(addonFolder(libtorch), {
    'covidct_torch.node': 'x',
    'build.json': JSON.stringify({
      sources: '',
      configuration: '',
      origin: 'compiled',
      libtorch: { root: '', lib, version: '2.13.7', variant: 'cpu' },
    }),
  });
}

test('an addon that is not built names the LibTorch, the file, why there is no prebuilt one, and the command', () => {
  const error = failure(() => locateAddon(libtorch));
  expect(error.code).toBe('ERR_ADDON_NOT_BUILT');
  expect(error.message).toMatch(
    /LibTorch 2\.13\.7\+cpu .*from LIBTORCH.*covidct_torch\.node does not exist, and @covidct-torch\/\S+-libtorch2\.13 is not installed.\nRun `npm run build`/s,
  );
});

test('a checkout is told its own command, a project the installed one', () => {
  expect(buildCommand(folder)).toBe('npx covidct install-libtorch');
  expect(forced(buildCommand(folder))).toBe('npx covidct install-libtorch --force');
  writeFiles(folder, { 'tsconfig.json': '{}', 'src/index.ts': '' });
  expect(buildCommand(folder)).toBe('npm run build');
  expect(forced(buildCommand(folder))).toBe('npm run build -- --force');
});

test('an addon built for a LibTorch in another place is not taken, one for this place is located', () => {
  putAddon('/elsewhere/lib');
  expect(failure(() => locateAddon(libtorch)).code).toBe('ERR_ADDON_NOT_BUILT');
  putAddon(libtorch.lib);
  expect(locateAddon(libtorch)).toBe(join(addonFolder(libtorch), 'covidct_torch.node'));
});

test('COVIDCT_TORCH_ADDON goes before everything; a wrong one is an error, a damaged one tells why', () => {
  process.env['COVIDCT_TORCH_ADDON'] = join(folder, 'none.node');
  expect(failure(loadNative)).toMatchObject({
    code: 'ERR_ADDON_NOT_BUILT',
    message: expect.stringContaining('COVIDCT_TORCH_ADDON'),
  });
  process.env['COVIDCT_TORCH_ADDON'] = join(folder, 'bad.node');
  writeFileSync(join(folder, 'bad.node'), 'not a library');
  expect(failure(loadNative)).toMatchObject({
    code: 'ERR_ADDON_LOAD',
    message: expect.stringContaining(join(folder, 'bad.node')),
  });
});

test('a failure is not kept: the next call looks again', () => {
  delete process.env['COVIDCT_TORCH_ADDON'];
  for (const name of ['one', 'two']) {
    process.env['COVIDCT_TORCH_LIBTORCH'] = join(folder, name);
    expect(failure(loadNative)).toMatchObject({
      code: 'ERR_LIBTORCH_NOT_FOUND',
      message: expect.stringContaining(join(folder, name)),
    });
  }
});

test.each([
  ['libcudart.so.13: cannot open shared object file: No such file or directory', /NVIDIA's libraries/],
  ['libtorch_cpu.so: cannot open shared object file: No such file or directory', /moved or is incomplete: run `CMD`/],
  ['libc10.so: cannot open shared object file: No such file or directory', /moved or is incomplete/],
  ['dlopen(x.node): Library not loaded: @rpath/libtorch_cpu.dylib', /moved or is incomplete/],
  ['x.node: undefined symbol: _ZN2at4addmmE', /another LibTorch .*`CMD --force`/],
  ["/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by x.node)", /older than LibTorch needs/],
  ['libgomp.so.1: cannot allocate memory in static TLS block', /LD_PRELOAD/],
  ['x.node: invalid ELF header', /another platform/],
  ['something new', /run `CMD`.*covidct doctor/],
])('"%s" becomes advice', (message, advice) => {
  expect(loadAdvice(message, 'CMD')).toMatch(advice);
});

test('the package says its version', () => {
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
});

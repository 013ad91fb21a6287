/** The builder's stamp, its lock and its errors, with a stand-in for cmake-js; and the tools it looks for. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CovidCtError } from '../../../src/errors';
import { addonFolder, hashSources, nativeSources, readStamp, systemAbi } from '../../../src/addon/addon-folder';
import { buildAddon, type BuildOptions } from '../../../src/install/build';
import { inspectLibTorch, type LibTorch } from '../../../src/addon/libtorch-folder';
import { packageVersion } from '../../../src/addon/package-root';
import { checkTools, missingTools } from '../../../src/install/tools';
import { libtorchFiles, temporaryFolder, writeFiles } from './fake-libtorch';

let folder: string;
let packageRoot: string;
let libtorch: LibTorch;

/** Stands where cmake-js stands: notes that it ran, and "compiles" by copying the sources' text into the addon. */
const STAND_IN = `
const fs = require('fs'), path = require('path');
const args = process.argv.slice(2);
const of = (name) => args[args.indexOf(name) + 1];
const root = of('--directory'), out = of('--out');
const kept = fs.existsSync(path.join(out, 'CMakeCache.txt'));
fs.appendFileSync(path.join(root, 'calls'), JSON.stringify({ args, kept }) + '\\n');
fs.writeFileSync(path.join(out, 'CMakeCache.txt'), '');
console.log('[1/2] compiling');
const text = fs.readFileSync(path.join(root, 'native/addon.cc'), 'utf8');
if (text.includes('#error')) { console.error('addon.cc:1: error: asked for'); process.exit(1); }
setTimeout(() => fs.writeFileSync(path.join(out, 'covidct_torch.node'), text), 200);
`;

function inspect(root: string): LibTorch {
  const inspection = inspectLibTorch({ root }, 'system', 'linux');
  if ('reason' in inspection) throw new Error(inspection.reason);
  return inspection.libtorch;
}

const savedCache = process.env['XDG_CACHE_HOME'];

beforeEach(() => {
  folder = realpathSync(temporaryFolder());
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  packageRoot = join(folder, 'package');
  writeFiles(join(folder, 'libtorch'), libtorchFiles());
  writeFiles(packageRoot, {
    'CMakeLists.txt': 'project(x)',
    'native/addon.cc': 'one',
    'native/core/vgg.cc': 'two',
    'native/core/vgg.h': 'three',
    'native/notes.md': 'not a source',
    'node_modules/cmake-js/package.json': '{"version":"1.0.0"}',
    'node_modules/cmake-js/bin/cmake-js': STAND_IN,
    'node_modules/node-addon-api/package.json': '{"version":"1.0.0"}',
    'node_modules/node-api-headers/package.json': '{"version":"1.0.0"}',
  });
  libtorch = inspect(join(folder, 'libtorch'));
});
afterEach(() => {
  if (savedCache === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = savedCache;
  rmSync(folder, { recursive: true, force: true });
});

/** What is tried before it is put in place, with the link to its LibTorch beside it. */
let tried: string[];
const trial = (file: string, version: string): Promise<void> => {
  tried.push(`${version} ${readFileSync(file, 'utf8')} ${readlinkSync(join(dirname(file), 'libtorch'))}`);
  return Promise.resolve();
};
beforeEach(() => {
  tried = [];
});

const build = (more: BuildOptions = {}) => buildAddon({ libtorch, packageRoot, trial, ...more });
const place = () => addonFolder(libtorch, hashSources(packageRoot));
/** Makes the package look like the repository, where objects are kept. */
const makeCheckout = () => writeFiles(packageRoot, { 'tsconfig.json': '{}', 'src/index.ts': '' });
const edit = (name: string, text: string) => writeFileSync(join(packageRoot, name), text);
const calls = () =>
  readFileSync(join(packageRoot, 'calls'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { args: string[]; kept: boolean });

describe('the sources', () => {
  test('are CMakeLists.txt and every .cc and .h below native/', () => {
    expect(nativeSources(packageRoot).map((file) => file.slice(packageRoot.length + 1))).toEqual([
      'CMakeLists.txt',
      'native/addon.cc',
      'native/core/vgg.cc',
      'native/core/vgg.h',
    ]);
  });

  test('have a hash that follows contents and names, not times', () => {
    const first = hashSources(packageRoot);
    utimesSync(join(packageRoot, 'native/addon.cc'), 1, 1);
    edit('native/notes.md', 'changed');
    expect(hashSources(packageRoot)).toBe(first);
    const seen = new Set([first]);
    for (const [name, text] of [
      ['native/addon.cc', 'One'],
      ['native/new.cc', ''],
      ['CMakeLists.txt', 'project(y)'],
      ['native/core/vgg.h', 'threee'],
    ] as const) {
      edit(name, text);
      seen.add(hashSources(packageRoot));
    }
    rmSync(join(packageRoot, 'native/core/vgg.cc'));
    seen.add(hashSources(packageRoot));
    expect(seen.size).toBe(6);
  });
});

describe('a build', () => {
  test('ends in a folder of the cache of its own, with a stamp and a link to its LibTorch', async () => {
    const lines: string[] = [];
    const result = await build({ jobs: 3, onOutput: (line) => lines.push(line) });
    const version = join(
      folder,
      'cache/covidct-torch/addons',
      `${packageVersion()}-${hashSources(packageRoot).slice(0, 12)}`,
    );
    expect(dirname(place())).toBe(version);
    expect(place().slice(version.length + 1)).toMatch(
      new RegExp(`^2\\.13\\.0\\+cpu-${process.platform}-${process.arch}-${systemAbi()}-[0-9a-f]{8}$`),
    );
    expect(result).toEqual({ addon: join(place(), 'covidct_torch.node'), libtorch, built: true, origin: 'compiled' });
    expect(readFileSync(result.addon, 'utf8')).toBe('one');
    expect(readlinkSync(join(place(), 'libtorch'))).toBe(libtorch.lib);
    expect(readStamp(place())?.libtorch).toEqual({
      root: libtorch.root,
      lib: libtorch.lib,
      version: '2.13.0',
      variant: 'cpu',
    });
    expect(calls()[0]?.args).toEqual([
      'build',
      '--directory',
      packageRoot,
      '--out',
      join(place(), '.cmake'),
      '--parallel',
      '3',
      `--CDCOVIDCT_LIBTORCH=${libtorch.root}`,
      `--CDCOVIDCT_LIBTORCH_INCLUDE=${libtorch.include.join(';')}`,
      `--CDCOVIDCT_LIBTORCH_LIB=${libtorch.lib}`,
    ]);
    expect(lines).toContain('[1/2] compiling');
    expect(readFileSync(join(place(), 'build.log'), 'utf8')).toContain('[1/2] compiling');
  });

  test('warnings are errors in a checkout alone', async () => {
    makeCheckout();
    await build();
    expect(calls()[0]?.args).toContain('--CDCOVIDCT_WERROR=ON');
  });

  test('leaves nothing but the addon, its stamp, its link and the log; and nothing in the package', async () => {
    const before = readdirSync(packageRoot).sort();
    await build();
    expect(readdirSync(place()).sort()).toEqual(['build.json', 'build.log', 'covidct_torch.node', 'libtorch']);
    expect(readdirSync(packageRoot).sort()).toEqual([...before, 'calls'].sort());
  });

  test('is not made again while nothing changes', async () => {
    await build();
    expect(await build()).toMatchObject({ built: false, origin: 'compiled' });
    expect(calls()).toHaveLength(1);
    expect(tried).toHaveLength(1);
  });

  test('serves a second project, also one with other header packages, and survives the removal of node_modules', async () => {
    const { addon } = await build();
    rmSync(join(packageRoot, 'calls'));
    writeFiles(packageRoot, { 'node_modules/node-addon-api/package.json': '{"version":"1.0.1"}' });
    expect(await build()).toMatchObject({ addon, built: false });
    expect(existsSync(join(packageRoot, 'calls'))).toBe(false);
  });

  test('in a checkout goes on from the last one when a source changes, from nothing when asked or when the configuration changes', async () => {
    makeCheckout();
    await build();
    const first = place();
    edit('native/addon.cc', 'changed');
    expect(readFileSync((await build()).addon, 'utf8')).toBe('changed');
    expect(place()).not.toBe(first);
    await build({ force: true });
    writeFiles(packageRoot, { 'node_modules/node-addon-api/package.json': '{"version":"1.0.1"}' });
    expect((await build()).built).toBe(true);
    expect(calls().map(({ kept }) => kept)).toEqual([false, true, false, false]);
    edit('native/addon.cc', 'one');
    writeFiles(packageRoot, { 'node_modules/node-addon-api/package.json': '{"version":"1.0.0"}' });
    expect((await build()).built).toBe(false);
  });

  test('in a checkout notes whose addon is to be loaded, and keeps the last few of older sources', async () => {
    makeCheckout();
    const folders: string[] = [];
    for (let i = 0; i < 8; i++) {
      edit('native/addon.cc', `version ${i}`);
      await build();
      folders.push(place());
      utimesSync(join(place(), 'build.json'), 1000 + i, 1000 + i);
      expect(JSON.parse(readFileSync(join(packageRoot, 'dist/addon/sources.json'), 'utf8'))).toEqual({
        sources: hashSources(packageRoot),
      });
    }
    expect(folders.map((each) => existsSync(each))).toEqual([false, false, false, true, true, true, true, true]);
  });

  test('for another LibTorch lies beside the first, and neither disturbs the other', async () => {
    await build();
    writeFiles(join(folder, 'cuda'), libtorchFiles('2.13.0', { cuda: '13.0' }));
    const cuda = inspect(join(folder, 'cuda'));
    expect((await build({ libtorch: cuda })).addon).toContain('2.13.0+cu130-');
    expect((await build()).built).toBe(false);
    expect((await build({ libtorch: cuda })).built).toBe(false);
    expect(calls()).toHaveLength(2);
  });

  test('for the same release of LibTorch in another place is taken from the first, tried there, with a link of its own', async () => {
    const { addon } = await build();
    writeFiles(join(folder, 'elsewhere'), libtorchFiles());
    const elsewhere = inspect(join(folder, 'elsewhere'));
    const second = await build({ libtorch: elsewhere });
    expect(second).toMatchObject({ built: false, origin: 'compiled' });
    expect(second.addon).not.toBe(addon);
    expect(readlinkSync(join(dirname(second.addon), 'libtorch'))).toBe(elsewhere.lib);
    expect(tried).toEqual([`2.13.0 one ${libtorch.lib}`, `2.13.0 one ${elsewhere.lib}`]);
    const distrustful = (file: string): Promise<void> =>
      readlinkSync(join(dirname(file), 'libtorch')).includes('third') && calls().length === 1
        ? Promise.reject(new CovidCtError('ERR_ADDON_LOAD', 'undefined symbol'))
        : Promise.resolve();
    writeFiles(join(folder, 'third'), libtorchFiles());
    const reasons: string[] = [];
    expect(
      await build({
        libtorch: inspect(join(folder, 'third')),
        trial: distrustful,
        onCompile: (reason) => reasons.push(reason),
      }),
    ).toMatchObject({ built: true });
    expect(reasons).toEqual([expect.stringMatching(/^undefined symbol; @covidct-torch\/.* is not installed$/)]);
  });

  test('is made again when the addon is gone or the stamp is cut off', async () => {
    const { addon } = await build();
    rmSync(addon);
    expect((await build()).built).toBe(true);
    writeFileSync(join(place(), 'build.json'), '{"sources": "');
    expect((await build()).built).toBe(true);
  });

  test('of two at once one compiles and the other waits and finds it done', async () => {
    const results = await Promise.all([build(), build()]);
    expect(results.map(({ built }) => built).sort()).toEqual([false, true]);
    expect(calls()).toHaveLength(1);
  });

  test('that fails says what the compiler said, removes its objects, and is tried again', async () => {
    const { addon } = await build();
    edit('native/addon.cc', '#error');
    const error = await build().then(
      () => undefined,
      (thrown: unknown) => thrown as CovidCtError,
    );
    expect(error?.code).toBe('ERR_BUILD_FAILED');
    expect(error?.message).toContain('addon.cc:1: error: asked for');
    expect(error?.message).toContain(join(place(), 'build.log'));
    expect(readdirSync(place())).toEqual(['build.log']);
    expect(readFileSync(addon, 'utf8')).toBe('one');
    edit('native/addon.cc', 'mended');
    expect((await build()).built).toBe(true);
    expect(existsSync(`${place()}.lock`)).toBe(false);
  });

  test('that cannot be loaded is not put in place', async () => {
    await expect(buildAddon({ libtorch, packageRoot })).rejects.toMatchObject({
      code: 'ERR_ADDON_LOAD',
      message: expect.stringContaining('covidct_torch.node could not be loaded'),
    });
    expect(readdirSync(place())).toEqual(['build.log']);
    expect((await build()).built).toBe(true);
  });

  test('into a cache that cannot be used is an error that says so', async () => {
    writeFileSync(join(folder, 'cache'), 'a file');
    await expect(build()).rejects.toMatchObject({
      code: 'ERR_CACHE',
      message: expect.stringContaining('XDG_CACHE_HOME'),
    });
  });
});

describe('the tools', () => {
  const path = () => join(folder, 'bin');
  const tool = (name: string, says: string) => {
    mkdirSync(path(), { recursive: true });
    writeFileSync(join(path(), name), `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 });
  };

  test('that are missing are named, with what to install', () => {
    try {
      checkTools({ PATH: path() });
      throw new Error('nothing was missing');
    } catch (error) {
      expect((error as CovidCtError).code).toBe('ERR_BUILD_FAILED');
      expect((error as Error).message).toMatch(/a C\+\+20 compiler .*; cmake 3\.21\.0 or newer\. Install them/);
    }
  });

  test('a compiler named by CXX is the one that counts, and a cmake that is too old is told', () => {
    tool('g++', 'g++ 12');
    tool('cmake', 'cmake version 3.10.2');
    expect(missingTools({ PATH: path() })).toEqual(['cmake 3.21.0 or newer (there is 3.10.2)']);
    tool('cmake', 'cmake version 3.25.1');
    expect(missingTools({ PATH: path() })).toEqual([]);
    expect(missingTools({ PATH: path(), CXX: 'icpx -fast' })).toEqual(['the C++ compiler that CXX names (icpx -fast)']);
  });
});

/** The finder: every place, their order, the version check, and what is said when nothing is found. */
import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LibTorchNotFoundError } from '../../../src/errors';
import { cacheFolder, findLibTorch, type FinderOptions } from '../../../src/addon/libtorch';
import {
  compareVersions,
  inspectLibTorch,
  libtorchKey,
  SUPPORTED_LIBTORCH,
  TESTED_LIBTORCH,
  untestedRemark,
} from '../../../src/addon/libtorch-folder';
import { fakePython, libtorchFiles, temporaryFolder, writeFiles } from '../install/fake-libtorch';

let folder: string;
beforeEach(() => {
  folder = realpathSync(temporaryFolder());
  mkdirSync(join(folder, 'bin'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function make(name: string, ...how: Parameters<typeof libtorchFiles>): string {
  writeFiles(join(folder, name), libtorchFiles(...how));
  return join(folder, name);
}

/** An environment in which nothing is found but what the test puts there. */
function options(env: NodeJS.ProcessEnv = {}, systemFolders: string[] = []): FinderOptions {
  return {
    env: { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache'), HOME: folder, ...env },
    platform: 'linux',
    systemFolders,
  };
}

function failure(how: FinderOptions): LibTorchNotFoundError {
  try {
    findLibTorch(how);
  } catch (error) {
    if (error instanceof LibTorchNotFoundError) return error;
    throw error;
  }
  throw new Error('a LibTorch was found where there is none');
}

describe('each place', () => {
  test('COVIDCT_TORCH_LIBTORCH', () => {
    const root = make('own');
    expect(findLibTorch(options({ COVIDCT_TORCH_LIBTORCH: root }))).toEqual({
      root,
      include: [join(root, 'include'), join(root, 'include/torch/csrc/api/include')],
      lib: join(root, 'lib'),
      version: '2.13.0',
      variant: 'cpu',
      source: 'COVIDCT_TORCH_LIBTORCH',
    });
  });

  test('LIBTORCH alone, and with LIBTORCH_INCLUDE and LIBTORCH_LIB, given as the folder or as its parent', () => {
    const [a, b] = [make('a'), make('b')];
    expect(findLibTorch(options({ LIBTORCH: a }))).toMatchObject({ root: a, source: 'LIBTORCH' });
    for (const [include, lib] of [
      [b, b],
      [join(b, 'include'), join(b, 'lib')],
    ]) {
      const found = findLibTorch(options({ LIBTORCH: a, LIBTORCH_INCLUDE: include, LIBTORCH_LIB: lib }));
      expect(found).toMatchObject({ root: a, lib: join(b, 'lib') });
      expect(found.include[0]).toBe(join(b, 'include'));
    }
  });

  test('Torch_DIR and each entry of CMAKE_PREFIX_PATH', () => {
    const root = make('c');
    expect(findLibTorch(options({ Torch_DIR: join(root, 'share/cmake/Torch') }))).toMatchObject({
      root,
      source: 'Torch_DIR',
    });
    expect(findLibTorch(options({ CMAKE_PREFIX_PATH: ['/nowhere', root].join(delimiter) }))).toMatchObject({
      root,
      source: 'CMAKE_PREFIX_PATH',
    });
    expect(findLibTorch(options({ CMAKE_PREFIX_PATH: `/nowhere;${root}` }))).toMatchObject({ root });
  });

  test('the cache: the tested minor first, CUDA before CPU; half-unpacked folders are not looked at', () => {
    for (const version of ['2.14.0', '2.13.0', '2.12.1']) make(`cache/covidct-torch/libtorch/${version}+cpu`, version);
    make('cache/covidct-torch/libtorch/.unpacking-1');
    expect(findLibTorch(options())).toMatchObject({ version: '2.13.0', variant: 'cpu', source: 'cache' });
    make('cache/covidct-torch/libtorch/2.13.0+cu130', '2.13.0', { cuda: '13.0' });
    expect(findLibTorch(options())).toMatchObject({ version: '2.13.0', variant: 'cu130' });
  });

  test('the torch package of Python, which is asked but not imported', () => {
    const root = make('site/torch', '2.13.0', { wheel: true });
    writeFiles(join(folder, 'site/torch'), { '__init__.py': 'raise SystemExit("imported")\n' });
    const { PATH } = process.env;
    expect(findLibTorch(options({ PATH, PYTHONPATH: join(folder, 'site') }))).toMatchObject({
      root,
      version: '2.13.0',
      variant: 'cpu',
      source: 'python',
    });
  });

  test('system folders', () => {
    const root = make('usr/local');
    expect(findLibTorch(options({}, ['/nowhere', root]))).toMatchObject({ root, source: 'system' });
  });
});

test('precedence: each place is taken only when none before it is usable', () => {
  const names = [
    'own',
    'libtorch',
    'torchdir',
    'prefix',
    'cache/covidct-torch/libtorch/2.13.0+cpu',
    'python/torch',
    'system',
  ];
  const [own, libtorch, torchDir, prefix, , python, system] = names.map((name) => make(name));
  fakePython(join(folder, 'bin'), `echo ${python}`);
  const how = options(
    {
      COVIDCT_TORCH_LIBTORCH: own,
      LIBTORCH: libtorch,
      Torch_DIR: join(torchDir ?? '', 'share/cmake/Torch'),
      CMAKE_PREFIX_PATH: prefix,
    },
    [system ?? ''],
  );
  const order: string[] = [];
  for (const next of [
    'COVIDCT_TORCH_LIBTORCH',
    'LIBTORCH',
    'Torch_DIR',
    'CMAKE_PREFIX_PATH',
    'XDG_CACHE_HOME',
    'PATH',
  ]) {
    order.push(findLibTorch(how).source);
    if (how.env !== undefined) how.env[next] = next === 'XDG_CACHE_HOME' || next === 'PATH' ? join(folder, 'none') : '';
  }
  order.push(findLibTorch(how).source);
  expect(order).toEqual([
    'COVIDCT_TORCH_LIBTORCH',
    'LIBTORCH',
    'Torch_DIR',
    'CMAKE_PREFIX_PATH',
    'cache',
    'python',
    'system',
  ]);
});

describe('what cannot be used', () => {
  test('COVIDCT_TORCH_LIBTORCH that is wrong is an error at once, whatever else there is', () => {
    const error = failure(options({ COVIDCT_TORCH_LIBTORCH: join(folder, 'typo'), LIBTORCH: make('good') }));
    expect(error.code).toBe('ERR_LIBTORCH_NOT_FOUND');
    expect(error.tried).toEqual([
      { path: `${join(folder, 'typo')} (COVIDCT_TORCH_LIBTORCH)`, reason: 'does not exist' },
    ]);
    expect(error.message).toContain('unset it');
  });

  test('the parent of a LibTorch is named as such', () => {
    make('parent/libtorch');
    expect(failure(options({ COVIDCT_TORCH_LIBTORCH: join(folder, 'parent') })).message).toContain(
      join(folder, 'parent/libtorch'),
    );
  });

  test('too old, without headers, without libraries, without a version: each with its reason, the search goes on', () => {
    const old = make('old', '1.13.1');
    const headless = make('headless');
    rmSync(join(headless, 'include/ATen'), { recursive: true });
    const empty = make('empty');
    rmSync(join(empty, 'lib'), { recursive: true });
    const nameless = make('nameless', '2.13.0', { label: 'x' });
    rmSync(join(nameless, 'include/torch/headeronly'), { recursive: true });
    const good = make('good');
    const error = failure(options({ LIBTORCH: old, CMAKE_PREFIX_PATH: [headless, empty, nameless].join(delimiter) }));
    const reasons = Object.fromEntries(error.tried.map(({ path, reason }) => [path, reason]));
    expect(reasons[`${old} (LIBTORCH)`]).toMatch(/is LibTorch 1\.13\.1, too old: 2\.11\.0 or newer/);
    expect(reasons[`${headless} (CMAKE_PREFIX_PATH)`]).toMatch(/has no .*ATen\.h/);
    expect(reasons[`${empty} (CMAKE_PREFIX_PATH)`]).toMatch(/has no .*libtorch_cpu\.so/);
    expect(reasons[`${nameless} (CMAKE_PREFIX_PATH)`]).toBe('does not say its version');
    expect(findLibTorch(options({ LIBTORCH: old }, [good])).root).toBe(good);
  });

  test('the range: older is refused, the supported is taken without a word, of newer one is said', () => {
    expect(SUPPORTED_LIBTORCH).toEqual([...SUPPORTED_LIBTORCH].sort(compareVersions));
    expect(SUPPORTED_LIBTORCH).toContain(TESTED_LIBTORCH.split('.').slice(0, 2).join('.'));
    const [oldest = '', newest = ''] = [SUPPORTED_LIBTORCH[0], SUPPORTED_LIBTORCH.at(-1)];
    const older = `2.${Number(oldest.split('.')[1]) - 1}.9`;
    const newer = `2.${Number(newest.split('.')[1]) + 1}.0`;
    const look = (version: string) => findLibTorch(options({ COVIDCT_TORCH_LIBTORCH: make(version, version) })).version;
    expect(() => look(older)).toThrow(
      expect.objectContaining({
        code: 'ERR_LIBTORCH_NOT_FOUND',
        message: expect.stringContaining(`is LibTorch ${older}, too old: ${oldest}.0 or newer is needed`),
      }),
    );
    for (const version of [...SUPPORTED_LIBTORCH.map((minor) => `${minor}.0`), `${newest}.7`, newer, '3.0.0'])
      expect(look(version)).toBe(version);
    for (const version of [...SUPPORTED_LIBTORCH.map((minor) => `${minor}.3`), older])
      expect(untestedRemark(version)).toBeUndefined();
    for (const version of [newer, '3.0.0'])
      expect(untestedRemark(version)).toBe(
        `LibTorch ${version} is newer than those this version of ` +
          `covidct-torch was tested with (${oldest} to ${newest})`,
      );
  });

  test('nothing anywhere: every path with its reason, and the command', () => {
    const error = failure(options({}, ['/nowhere/a', '/nowhere/b']));
    expect(error.tried.map(({ path }) => path)).toEqual([
      `${join(folder, 'cache/covidct-torch/libtorch/2.13.0+cpu')} (cache)`,
      "Python's torch package",
      '/nowhere/a (system)',
      '/nowhere/b (system)',
    ]);
    expect(error.tried[1]?.reason).toBe('python3: not on PATH; python: not on PATH');
    expect(error.message).toContain('npx covidct install-libtorch');
    for (const { path, reason } of error.tried) expect(error.message).toContain(`  ${path}: ${reason}`);
  });

  test('a Python without torch, or one that fails, is told', () => {
    fakePython(join(folder, 'bin'), 'echo');
    expect(failure(options()).tried[1]?.reason).toContain('python3: has no torch package');
    fakePython(join(folder, 'bin'), 'echo "broken python" >&2; exit 3');
    expect(failure(options()).tried[1]?.reason).toContain('broken python');
  });
});

describe('version and variant', () => {
  test.each([
    [{ cuda: '13.0', wheel: true }, 'cu130'],
    [{ cuda: '12.8', wheel: true, label: '2.13.0' }, 'cu128'],
    [{ cuda: '13.0', label: '2.13.0' }, 'cuda'],
    [{ cuda: '13.0', label: '2.13.0+cu130' }, 'cu130'],
    [{ label: '2.13.0' }, 'cpu'],
    [{ label: '2.13.0+cu130' }, 'cpu'], // the label says CUDA, the library is not there
  ])('%j is %s', (how, variant) => {
    const inspection = inspectLibTorch({ root: make('v', '2.13.0', how) }, 'x', 'linux');
    expect('libtorch' in inspection && inspection.libtorch.variant).toBe(variant);
  });

  test('the headers say the version, not the label beside them', () => {
    const inspection = inspectLibTorch({ root: make('v', '2.12.1', { label: '2.13.0+cpu' }) }, 'x', 'linux');
    expect('libtorch' in inspection && libtorchKey(inspection.libtorch)).toBe('2.12.1+cpu');
  });

  test('versions are ordered by number', () => {
    expect(['2.9.1', '2.13.0', '2.11.0', '2.13.0rc1'].sort(compareVersions)).toEqual([
      '2.9.1',
      '2.11.0',
      '2.13.0',
      '2.13.0rc1',
    ]);
  });

  test('the cache lies below XDG_CACHE_HOME, or below the home folder', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe(join('/x', 'covidct-torch'));
    expect(cacheFolder({ HOME: '/h', XDG_CACHE_HOME: '' })).toBe(join('/h', '.cache', 'covidct-torch'));
  });
});

/** Prebuilt addons: what must match, each reason in words, and that one is tried before it is put in place. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { familySync, versionSync } from 'detect-libc';
import { CovidCtError } from '../../../src/errors';
import { addonFolder, hashSources, readStamp } from '../../../src/addon/addon-folder';
import { buildAddon } from '../../../src/install/build';
import { inspectLibTorch, type LibTorch } from '../../../src/addon/libtorch-folder';
import { packageVersion } from '../../../src/addon/package-root';
import { placeAddonSync } from '../../../src/addon/place-addon';
import {
  findPlatformAddon,
  mismatch,
  platformPackage,
  prebuiltStamp,
  type PrebuiltFacts,
} from '../../../src/addon/prebuilt';
import { libtorchFiles, temporaryFolder, writeFiles } from '../install/fake-libtorch';

const SOURCES = 'a'.repeat(64);
const LIBC = { family: familySync() ?? 'none', version: versionSync() ?? '0' };
const FACTS: PrebuiltFacts = {
  package: packageVersion(),
  sources: SOURCES,
  libtorch: { minor: '2.13', variant: 'cpu' },
  platform: process.platform,
  arch: process.arch,
  libc: LIBC,
};
const NAME = platformPackage({ version: '2.13.0', variant: 'cpu' });
const savedCache = process.env['XDG_CACHE_HOME'];

let folder: string;
let libtorch: LibTorch;

beforeEach(() => {
  folder = realpathSync(temporaryFolder());
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  writeFiles(join(folder, 'libtorch'), libtorchFiles('2.13.1'));
  const inspection = inspectLibTorch({ root: join(folder, 'libtorch') }, 'system', 'linux');
  if ('reason' in inspection) throw new Error(inspection.reason);
  libtorch = inspection.libtorch;
});
afterEach(() => {
  if (savedCache === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = savedCache;
  rmSync(folder, { recursive: true, force: true });
});

const install = (facts: unknown, addon = 'prebuilt') =>
  writeFiles(join(folder, 'node_modules', NAME), {
    'package.json': '{}',
    'addon.json': typeof facts === 'string' ? facts : JSON.stringify(facts),
    'covidct_torch.node': addon,
  });

test('the package is named after platform, LibTorch minor and variant', () => {
  const start = `@covidct-torch/${process.platform}-${process.arch}`;
  expect(platformPackage({ version: '2.13.4', variant: 'cpu' })).toMatch(
    new RegExp(`^${start}(-musl)?-libtorch2\\.13$`),
  );
  expect(platformPackage({ version: '2.12.0', variant: 'cu130' })).toMatch(
    new RegExp(`^${start}(-musl)?-libtorch2\\.12-cu130$`),
  );
});

test('another patch of the same LibTorch minor matches', () => {
  expect(mismatch(FACTS, { version: '2.13.9', variant: 'cpu' }, SOURCES)).toBeUndefined();
});

test.each<[string, Partial<PrebuiltFacts>, RegExp]>([
  ['package version', { package: '9.9.9' }, /is for covidct-torch 9\.9\.9, not \d/],
  ['sources', { sources: 'b'.repeat(64) }, /other C\+\+ sources/],
  ['platform', { platform: 'beos' }, /is for beos-\w+, not /],
  ['processor', { arch: 'vax' }, /is for \w+-vax, not /],
  ['LibTorch minor', { libtorch: { minor: '2.12', variant: 'cpu' } }, /is for LibTorch 2\.12\+cpu, not 2\.13\+cpu/],
  ['variant', { libtorch: { minor: '2.13', variant: 'cu130' } }, /is for LibTorch 2\.13\+cu130, not 2\.13\+cpu/],
  ['C library', { libc: { family: 'newlib', version: '1.0' } }, /needs newlib/],
  ['age of the C library', { libc: { ...LIBC, version: '99.0' } }, /needs \w+ 99\.0/],
])('another %s does not', (_, facts, reason) => {
  expect(mismatch({ ...FACTS, ...facts }, libtorch, SOURCES)).toMatch(reason);
});

test.each<[string, () => void, RegExp]>([
  ['not installed', () => undefined, /is not installed$/],
  ['of another version', () => install({ ...FACTS, package: '9.9.9' }), /is for covidct-torch 9\.9\.9/],
  ['damaged', () => install('{"package": '), /cannot be read/],
  ['without its facts', () => install({ package: packageVersion() }), /cannot be read/],
])('a package that is %s is not used, with the reason', (_, prepare, reason) => {
  prepare();
  const found = findPlatformAddon(libtorch, SOURCES, folder);
  expect('reason' in found && found.reason).toMatch(reason);
});

test('one that matches is found, and where it cannot be loaded it is not put in place', () => {
  install(FACTS);
  const found = findPlatformAddon(libtorch, SOURCES, folder);
  if ('reason' in found) throw new Error(found.reason);
  expect(found).toEqual({
    file: join(folder, 'node_modules', NAME, 'covidct_torch.node'),
    origin: `${NAME}@${packageVersion()}`,
  });
  const place = addonFolder(libtorch, SOURCES);
  expect(() => placeAddonSync(found.file, place, prebuiltStamp(found, libtorch, SOURCES))).toThrow(
    expect.objectContaining({ code: 'ERR_ADDON_LOAD' }),
  );
  expect(readdirSync(place)).toEqual([]);
});

describe('a build', () => {
  /** The package whose dependency the platform package is: C++ sources of its own, and nothing to compile them with. */
  const build = (more: Parameters<typeof buildAddon>[0] = {}) => buildAddon({ libtorch, packageRoot: folder, ...more });
  beforeEach(() => {
    writeFiles(folder, {
      'CMakeLists.txt': 'project(x)',
      'native/addon.cc': 'one',
      'node_modules/node-addon-api/package.json': '{"version":"1"}',
      'node_modules/node-api-headers/package.json': '{"version":"1"}',
      'node_modules/cmake-js/package.json': '{"version":"1"}',
      'node_modules/cmake-js/bin/cmake-js': "console.log('asked to compile'); process.exit(1);",
    });
  });

  test('takes it, tries it once and remembers where it is from', async () => {
    install({ ...FACTS, sources: hashSources(folder) });
    const tried: string[] = [];
    const trial = (file: string): Promise<void> => {
      tried.push(readlinkSync(join(dirname(file), 'libtorch')));
      return Promise.resolve();
    };
    const origin = `${NAME}@${packageVersion()}`;
    const place = addonFolder(libtorch, hashSources(folder));
    expect(await build({ trial })).toMatchObject({ addon: join(place, 'covidct_torch.node'), built: false, origin });
    expect(await build({ trial })).toMatchObject({ built: false, origin });
    expect(tried).toEqual([libtorch.lib]);
    expect(readFileSync(join(place, 'covidct_torch.node'), 'utf8')).toBe('prebuilt');
    expect(readStamp(place)).toMatchObject({ origin, libtorch: { lib: libtorch.lib } });
  });

  test('that finds one that cannot be loaded says why and compiles', async () => {
    install({ ...FACTS, sources: hashSources(folder) }, 'not a library');
    const reasons: string[] = [];
    await expect(build({ onCompile: (reason) => reasons.push(reason) })).rejects.toMatchObject({
      code: 'ERR_BUILD_FAILED',
      message: expect.stringContaining('asked to compile'),
    });
    expect(reasons).toEqual([expect.stringContaining('could not be loaded')]);
    expect(existsSync(addonFolder(libtorch, hashSources(folder)) + '/build.json')).toBe(false);
  });

  test('whose sibling in the cache cannot be loaded takes the platform package; what a killed process left is removed', async () => {
    install({ ...FACTS, sources: hashSources(folder) });
    const place = addonFolder(libtorch, hashSources(folder));
    const sibling = place.replace(/[0-9a-f]{8}$/, '00000000');
    const stamp = { ...prebuiltStamp({ file: '', origin: 'compiled' }, libtorch, hashSources(folder)) };
    writeFiles(sibling, { 'covidct_torch.node': 'sibling', 'build.json': JSON.stringify(stamp) });
    const dead = spawnSync(process.execPath, ['-e', '0']).pid;
    writeFiles(join(place, `.new-${dead}-abcd`), { 'covidct_torch.node': 'half' });
    writeFiles(join(place, `.new-${process.pid}-abcd`), { 'covidct_torch.node': 'of one that lives' });
    const tried: string[] = [];
    const trial = (file: string): Promise<void> => {
      tried.push(readFileSync(file, 'utf8'));
      return tried.at(-1) === 'sibling' ? Promise.reject(new CovidCtError('ERR_ADDON_LOAD', 'no')) : Promise.resolve();
    };
    expect(await build({ trial })).toMatchObject({ built: false, origin: `${NAME}@${packageVersion()}` });
    expect(tried).toEqual(['sibling', 'prebuilt']);
    expect(readdirSync(place).filter((name) => name.startsWith('.new-'))).toEqual([`.new-${process.pid}-abcd`]);
  });
});

/**
 * The platform package in a project without a compiler: taken, tried
 * once, remembered; and where it does not match, said so.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findLibTorch } from '../../src/addon/libtorch';
import { platformPackage } from '../../src/addon/prebuilt';
import { makeConsumer, manifest, ROOT, type Consumer } from './consumer';

const libtorch = findLibTorch();
const name = platformPackage(libtorch);

jest.setTimeout(240_000); // compilers and processes of their own, on a machine that may be busy

let project: Consumer;
let release: string;
let installed: string;

beforeAll(() => {
  project = makeConsumer();
  release = join(project.folder, 'release');
  execFileSync(process.execPath, [join(ROOT, 'scripts/pack-platform.cjs'), '--out', release], { stdio: 'pipe' });
  execFileSync(process.execPath, [join(ROOT, 'scripts/pack-release.cjs'), '--out', release], { stdio: 'pipe' });
  installed = join(project.folder, 'node_modules', name);
}, 600_000);
afterAll(() => project.remove());

beforeEach(() => {
  rmSync(join(project.folder, 'cache'), { recursive: true, force: true });
  mkdirSync(dirname(installed), { recursive: true });
  cpSync(join(release, name.replace('/', '-').replace('@', '')), installed, { recursive: true });
});

/** Nothing on PATH, a cache of its own, and the LibTorch of this machine. */
const env = () => ({
  PATH: join(project.folder, 'nothing'),
  HOME: project.folder,
  XDG_CACHE_HOME: join(project.folder, 'cache'),
  COVIDCT_TORCH_LIBTORCH: libtorch.root,
});
const covidct = (...args: string[]) =>
  project.node([join('node_modules/covidct-torch', manifest.bin.covidct), ...args], env());
const addons = () => join(project.folder, 'cache/covidct-torch/addons');
const editFacts = (more: object) => {
  const file = join(installed, 'addon.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...more }));
};

const PREDICT = `
const { Classifier } = require('covidct-torch');
const { encodeImage } = require('covidct-torch/report');
(async () => {
  const model = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'] });
  const pixels = { data: new Uint8Array(64 * 64 * 3).fill(99), width: 64, height: 64 };
  const [prediction] = await model.predict(await encodeImage(pixels));
  model.dispose();
  console.log(prediction.label);
})().catch((error) => console.log(error.code + ' ' + error.message));
`;
const predict = () => {
  writeFileSync(join(project.folder, 'predict.cjs'), PREDICT);
  return project.node(['predict.cjs'], env()).stdout;
};

test('says for which machines it is, holds nothing else, and looks for LibTorch beside itself alone', () => {
  const {
    name: own,
    version,
    os,
    cpu,
  } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect({ own, version, os, cpu }).toEqual({
    own: name,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    os: [process.platform],
    cpu: [process.arch],
  });
  expect(readdirSync(installed).sort()).toEqual([
    'LICENSE',
    'README.md',
    'addon.json',
    'covidct_torch.node',
    'package.json',
  ]);
  expect(statSync(join(installed, 'covidct_torch.node')).size).toBeLessThan(5e6);
  const addon = readFileSync(join(installed, 'covidct_torch.node'), 'latin1');
  const whole = {
    size: addon.length,
    besideItself: addon.includes(process.platform === 'darwin' ? '@loader_path/libtorch' : '$ORIGIN/libtorch'),
    here: addon.includes(libtorch.lib),
  };
  expect(whole).toEqual({ size: addon.length, besideItself: true, here: false });
});

test('is an optional dependency of the main package, which has no scripts', () => {
  const main = JSON.parse(readFileSync(join(release, 'covidct-torch/package.json'), 'utf8')) as Record<string, unknown>;
  expect(main).toMatchObject({
    name: 'covidct-torch',
    optionalDependencies: { [name]: main['version'] },
    binary: { napi_versions: [8] },
  });
  expect(main).not.toHaveProperty('scripts');
  expect(main).not.toHaveProperty('devDependencies');
  expect(
    readdirSync(join(release, 'covidct-torch'), { recursive: true, encoding: 'utf8' })
      .filter((each) => statSync(join(release, 'covidct-torch', each)).isFile())
      .sort(),
  ).toEqual([...project.packed].sort());
});

test('install-libtorch takes it where nothing could be compiled, and says so', () => {
  const { status, stdout, stderr } = covidct('install-libtorch');
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining(`prebuilt: ${name}@`) });
  expect(stderr).not.toContain('compiling');
  expect(predict()).toMatch(/^[ab]\n$/);
});

test('the first classifier takes it without any command, once', () => {
  expect(predict()).toMatch(/^[ab]\n$/);
  const [version = ''] = readdirSync(addons());
  const [leaf = ''] = readdirSync(join(addons(), version));
  expect(readdirSync(join(addons(), version, leaf)).sort()).toEqual(['build.json', 'covidct_torch.node', 'libtorch']);
  rmSync(installed, { recursive: true });
  expect(predict()).toMatch(/^[ab]\n$/);
  expect(covidct('doctor').stdout).toContain(`prebuilt: ${name}@`);
});

test.each<[string, () => void, RegExp]>([
  ['of other sources', () => editFacts({ sources: 'f'.repeat(64) }), /was compiled from other C\+\+ sources/],
  ['of another version', () => editFacts({ package: '0.0.1' }), /is for covidct-torch 0\.0\.1/],
  ['that is not installed', () => rmSync(installed, { recursive: true }), /is not installed/],
  [
    'that is damaged',
    () =>
      writeFileSync(
        join(installed, 'covidct_torch.node'),
        readFileSync(join(installed, 'covidct_torch.node')).subarray(0, 50_000),
      ),
    /could not be loaded|which was ended/,
  ],
])('one %s is not used: the reason, and what a compilation needs', (_, spoil, reason) => {
  spoil();
  const { status, stderr } = covidct('install-libtorch');
  expect(status).not.toBe(0);
  expect(stderr).toMatch(reason);
  expect(stderr).toContain('a C++20 compiler');
  expect(predict()).toMatch(new RegExp(`^ERR_ADDON_NOT_BUILT .*(${reason.source})`, 's'));
  expect(
    existsSync(addons())
      ? readdirSync(addons(), { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.node'))
      : [],
  ).toEqual([]);
});

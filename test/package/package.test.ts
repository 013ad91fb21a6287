/**
 * The package as a consumer gets it: what is in it, that both module
 * systems import it, and what it does without LibTorch.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeConsumer, manifest, ROOT, type Consumer } from './consumer';

let project: Consumer;
let consumer: string;
let packed: string[];
const node = (args: string[]) => project.node(args);

/** What a program prints as JSON; a failure shows its own words. */
function run(name: string, program: string): unknown {
  writeFileSync(join(consumer, name), program);
  const { status, stdout, stderr } = node([name]);
  if (status !== 0) throw new Error(`${name} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout);
}

beforeAll(() => {
  project = makeConsumer();
  consumer = project.folder;
  packed = project.packed;
});
afterAll(() => project.remove());

describe('what is packed', () => {
  test('everything a consumer needs to use and to build it', () => {
    const sources = readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(cc|h)$/.test(name),
    );
    expect(sources.length).toBeGreaterThan(10);
    for (const name of [
      'package.json',
      'README.md',
      'LICENSE',
      'CMakeLists.txt',
      'binding.gyp',
      'scripts/build.cjs',
      'scripts/set-up.cjs',
      'scripts/typescript.cjs',
      'scripts/measure_pytorch.py',
      'scripts/bench_pytorch.py',
      'dist/bench/worker.js',
      'dist/bench/onnxruntime-worker.js',
      'dist/index.js',
      'dist/addon/sources.json',
      'dist/index.mjs',
      'dist/index.d.ts',
      'dist/index.d.mts',
      manifest.bin.covidct.slice(2),
      ...sources.map((name) => `native/${name}`),
    ])
      expect(packed).toContain(name);
  });

  test('nothing else: no sources, tests, maps, builds or data', () => {
    const allowed =
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|docs\/[\w-]+\.md|CMakeLists\.txt|binding\.gyp|scripts\/(build|set-up|typescript)\.cjs|scripts\/(bench|measure)_pytorch\.py|bench\/README\.md|dist\/[\w/.-]+\.(js|mjs|d\.ts|d\.mts)|dist\/addon\/sources\.json|native\/[\w/]+\.(cc|h))$/;
    expect(packed.filter((name) => !allowed.test(name))).toEqual([]);
  });

  test('every compiled file has its source: nothing is left over from an older build', () => {
    const orphans = packed.filter(
      (name) =>
        /^dist\/.*\.js$/.test(name) && !existsSync(join(ROOT, name.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts'))),
    );
    expect(orphans).toEqual([]);
  });
});

const NAMES = ['Trainer', 'EarlyStopping', 'CovidCtDataset', 'Classifier', 'compose', 'resize'];
const SUBPATHS = ['metrics', 'report', 'runs', 'weights', 'bench', 'setup'];

describe('both module systems', () => {
  test('require', () => {
    const types = run(
      'names.cjs',
      `const api = require('covidct-torch'); ` +
        'console.log(JSON.stringify(Object.fromEntries(Object.keys(api).map((k) => [k, typeof api[k]]))))',
    );
    for (const name of NAMES) expect(types).toHaveProperty(name, 'function');
  });

  test('import, by name, the very same objects, none missing', () => {
    const result = run(
      'names.mjs',
      `
      import { ${NAMES.join(', ')} } from 'covidct-torch';
      import * as esm from 'covidct-torch';
      import { createRequire } from 'node:module';
      const cjs = createRequire(import.meta.url)('covidct-torch');
      console.log(JSON.stringify({
        functions: [${NAMES.join(', ')}].every((each) => typeof each === 'function'),
        different: Object.keys(cjs).filter((name) => esm[name] !== cjs[name]),
        extra: Object.keys(esm).filter((name) => !(name in cjs)),
      }))`,
    );
    expect(result).toEqual({ functions: true, different: [], extra: [] });
  });

  test.each(SUBPATHS)('covidct-torch/%s, by require and by import', (subpath) => {
    const result = run(
      `${subpath}.mjs`,
      `
      import * as esm from 'covidct-torch/${subpath}';
      import { createRequire } from 'node:module';
      const cjs = createRequire(import.meta.url)('covidct-torch/${subpath}');
      console.log(JSON.stringify({
        names: Object.keys(cjs).length,
        different: Object.keys(cjs).filter((name) => esm[name] !== cjs[name]),
        extra: Object.keys(esm).filter((name) => !(name in cjs)),
      }))`,
    );
    expect(result).toEqual({ names: expect.any(Number), different: [], extra: [] });
    expect((result as { names: number }).names).toBeGreaterThan(1);
    for (const ending of ['js', 'mjs', 'd.ts', 'd.mts'])
      expect(packed).toContain(`dist/${subpath === 'setup' ? 'install' : subpath}/index.${ending}`);
  });

  test('package.json can be read, what is inside cannot be reached', () => {
    expect(
      run(
        'inside.cjs',
        `
      const code = (name) => { try { require(name); return 'found'; } catch (error) { return error.code; } };
      const { name } = require('covidct-torch/package.json');
      console.log(JSON.stringify([name, code('covidct-torch/dist/addon/load.js')]))`,
      ),
    ).toEqual(['covidct-torch', 'ERR_PACKAGE_PATH_NOT_EXPORTED']);
  });
});

describe('without LibTorch', () => {
  test('the pure parts work and the first native use says what to do', () => {
    const result = run(
      'pure.cjs',
      `
      const { EarlyStopping, compose, resize, toTensor, Classifier, LibTorchNotFoundError } = require('covidct-torch');
      const { rocAuc } = require('covidct-torch/metrics');
      const stopper = new EarlyStopping();
      stopper.addData(0.5, 0.8);
      const auc = rocAuc([0, 1, 1], [0.1, 0.9, 0.4]);
      const pure = { stop: stopper.stop(), auc, steps: compose([resize([64, 64]), toTensor()]).steps.length };
      const made = () => { throw new Error('a classifier without LibTorch'); };
      Classifier.create({ architecture: 'tiny', classes: ['a', 'b'] }).then(made, (error) => {
        const { code, message, tried } = error;
        console.log(JSON.stringify({ pure, known: error instanceof LibTorchNotFoundError, code, message, tried }));
      });`,
    ) as { pure: object; known: boolean; code: string; message: string; tried: { path: string; reason: string }[] };
    expect(result.pure).toEqual({ stop: 0, auc: 1, steps: 2 });
    expect(result).toMatchObject({ known: true, code: 'ERR_LIBTORCH_NOT_FOUND' });
    expect(result.message).toContain('npx covidct install-libtorch');
    expect(result.tried.map(({ path }) => path)).toContain("Python's torch package");
    for (const { path } of result.tried) expect(result.message).toContain(path);
  });

  test('npm has no script to run on installation, nor one to guess', () => {
    const { scripts, gypfile } = JSON.parse(
      readFileSync(join(consumer, 'node_modules/covidct-torch/package.json'), 'utf8'),
    ) as { scripts: object; gypfile: boolean };
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
    expect(gypfile).toBe(false);
  });

  test('the build that node-gyp calls downloads nothing: it fails and says what to do', () => {
    const { status, stderr } = node(['node_modules/covidct-torch/scripts/build.cjs', '--native']);
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_LIBTORCH_NOT_FOUND');
    expect(stderr).toContain('npx covidct install-libtorch');
    expect(existsSync(join(consumer, 'cache'))).toBe(false);
  });

  test('the command line answers', () => {
    const { status, stdout } = node([join('node_modules/covidct-torch', manifest.bin.covidct), '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('install-libtorch');
  });
});

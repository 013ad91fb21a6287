/** The package as a consumer gets it: what is in it, that both module systems import it, and what it does without LibTorch. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string>; bin: { covidct: string }; exports: object };

let consumer: string;
let packed: string[];

/** Runs node in the consumer, on a machine that has no LibTorch, no Python and no compiler. */
function node(args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: join(consumer, 'nothing'), HOME: join(consumer, 'home'), XDG_CACHE_HOME: join(consumer, 'cache') };
  return spawnSync(process.execPath, args, { cwd: consumer, env, encoding: 'utf8' });
}

/** What a program prints as JSON; a failure shows its own words. */
function run(name: string, program: string): unknown {
  writeFileSync(join(consumer, name), program);
  const { status, stdout, stderr } = node([name]);
  if (status !== 0) throw new Error(`${name} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout);
}

beforeAll(() => {
  consumer = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-consumer-')));
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', consumer], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [pack] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  packed = pack.files.map(({ path }) => path);
  // Unpacked as npm would, without its network: the dependencies are the checkout's own.
  const modules = join(consumer, 'node_modules');
  mkdirSync(join(modules, 'covidct-torch'), { recursive: true });
  execFileSync('tar', ['-xzf', join(consumer, pack.filename), '--strip-components=1', '-C', join(modules, 'covidct-torch')]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
});
afterAll(() => rmSync(consumer, { recursive: true, force: true }));

describe('what is packed', () => {
  test('everything a consumer needs to use and to build it', () => {
    const sources = readdirSync(join(ROOT, 'native'), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(cc|h)$/.test(name));
    expect(sources.length).toBeGreaterThan(10);
    for (const name of [
      'package.json', 'README.md', 'LICENSE', 'CMakeLists.txt', 'binding.gyp', 'scripts/build.cjs', 'scripts/set-up.cjs', 'scripts/typescript.cjs', 'scripts/measure_pytorch.py', 'scripts/bench_pytorch.py', 'dist/bench/own-process.js', 'dist/bench/onnxruntime-process.js',
      'dist/index.js', 'dist/native/sources.json', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts', manifest.bin.covidct.slice(2), ...sources.map((name) => `native/${name}`),
    ]) expect(packed).toContain(name);
  });

  test('nothing else: no sources, tests, maps, builds or data', () => {
    const allowed = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|docs\/[\w-]+\.md|CMakeLists\.txt|binding\.gyp|scripts\/(build|set-up|typescript)\.cjs|scripts\/(bench|measure)_pytorch\.py|bench\/README\.md|dist\/[\w/.-]+\.(js|mjs|d\.ts|d\.mts)|dist\/native\/sources\.json|native\/[\w/]+\.(cc|h))$/;
    expect(packed.filter((name) => !allowed.test(name))).toEqual([]);
  });

  test('every compiled file has its source: nothing is left over from an older build', () => {
    const orphans = packed.filter((name) => /^dist\/.*\.js$/.test(name) && !existsSync(join(ROOT, name.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts'))));
    expect(orphans).toEqual([]);
  });
});

const NAMES = ['Trainer', 'EarlyStopping', 'CovidCtDataset', 'Classifier', 'compose', 'resize', 'rocAuc'];

describe('both module systems', () => {
  test('require', () => {
    const types = run('names.cjs', `const api = require('covidct-torch'); console.log(JSON.stringify(Object.fromEntries(Object.keys(api).map((k) => [k, typeof api[k]]))))`);
    for (const name of NAMES) expect(types).toHaveProperty(name, 'function');
  });

  test('import, by name, the very same objects, none missing', () => {
    const result = run('names.mjs', `
      import { ${NAMES.join(', ')} } from 'covidct-torch';
      import * as esm from 'covidct-torch';
      import { createRequire } from 'node:module';
      const cjs = createRequire(import.meta.url)('covidct-torch');
      console.log(JSON.stringify({
        functions: [${NAMES.join(', ')}].every((each) => typeof each === 'function'),
        different: Object.keys(cjs).filter((name) => esm[name] !== cjs[name]),
        extra: Object.keys(esm).filter((name) => !(name in cjs)),
      }))`);
    expect(result).toEqual({ functions: true, different: [], extra: [] });
  });

  test('package.json can be read, what is inside cannot be reached', () => {
    expect(run('inside.cjs', `
      const code = (name) => { try { require(name); return 'found'; } catch (error) { return error.code; } };
      console.log(JSON.stringify([require('covidct-torch/package.json').name, code('covidct-torch/dist/native/load.js')]))`)).toEqual(['covidct-torch', 'ERR_PACKAGE_PATH_NOT_EXPORTED']);
  });

  test.each(['mts', 'cts'])('the types are seen from a .%s file', (extension) => {
    const program = join(consumer, `types.${extension}`);
    writeFileSync(program, `import { Trainer, EarlyStopping, rocAuc } from 'covidct-torch';
      const code: 0 | 1 | 2 | 3 = new EarlyStopping({ patience: 2 }).stop();
      const area: number = rocAuc([0, 1], [0.1, 0.9]);
      // @ts-expect-error patience is a number
      new EarlyStopping({ patience: 'two' });
      export { code, area, Trainer };`);
    const { status, stdout } = spawnSync(process.execPath, [
      require.resolve('typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'node16', '--moduleResolution', 'node16',
      '--lib', 'es2023,esnext.disposable', '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types'), program,
    ], { cwd: consumer, encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});

describe('without LibTorch', () => {
  test('the pure parts work and the first native use says what to do', () => {
    const result = run('pure.cjs', `
      const { EarlyStopping, rocAuc, compose, resize, toTensor, Classifier, LibTorchNotFoundError } = require('covidct-torch');
      const stopper = new EarlyStopping();
      stopper.addData(0.5, 0.8);
      const pure = { stop: stopper.stop(), auc: rocAuc([0, 1, 1], [0.1, 0.9, 0.4]), steps: compose([resize([64, 64]), toTensor()]).steps.length };
      Classifier.create({ architecture: 'tiny', classes: ['a', 'b'] }).then(() => { throw new Error('a classifier without LibTorch'); }, (error) => {
        console.log(JSON.stringify({ pure, known: error instanceof LibTorchNotFoundError, code: error.code, message: error.message, tried: error.tried }));
      });`) as { pure: object; known: boolean; code: string; message: string; tried: { path: string; reason: string }[] };
    expect(result.pure).toEqual({ stop: 0, auc: 1, steps: 2 });
    expect(result).toMatchObject({ known: true, code: 'ERR_LIBTORCH_NOT_FOUND' });
    expect(result.message).toContain('npx covidct install-libtorch');
    expect(result.tried.map(({ path }) => path)).toContain("Python's torch package");
    for (const { path } of result.tried) expect(result.message).toContain(path);
  });

  test('npm has no script to run on installation, nor one to guess', () => {
    const { scripts, gypfile } = JSON.parse(readFileSync(join(consumer, 'node_modules/covidct-torch/package.json'), 'utf8')) as { scripts: object; gypfile: boolean };
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

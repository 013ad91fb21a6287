/**
 * Shows that nobody has to compile: publishes this checkout's packages to a registry of its own on this machine
 * (verdaccio, installed for the time), installs covidct-torch from there in a new project on a PATH without compiler,
 * cmake, make and ninja, fetches LibTorch, and predicts. Every other package comes through the same registry from
 * npm's.
 *   node scripts/prove-platform-package.cjs [--libtorch DIR] [--npm 12] [--keep]
 *   --libtorch: a LibTorch that is there instead of fetching one (190 MB or more); --npm: npm of that version installs;
 *   --keep: leave the folder for a look
 */
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:net');
const os = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const valueOf = (flag) => (process.argv.includes(flag) ? process.argv[process.argv.indexOf(flag) + 1] : undefined);
const work = mkdtempSync(path.join(os.tmpdir(), 'covidct-prove-'));
const release = path.join(work, 'release');
const project = path.join(work, 'project');
const bin = path.join(work, 'bin');

const VERDACCIO = (port, registry) => `
storage: ${path.join(work, 'storage')}
uplinks: { npmjs: { url: '${registry}', maxage: 60m } }
packages:
  'covidct-torch': { access: $all, publish: $all }
  '@covidct-torch/*': { access: $all, publish: $all }
  '**': { access: $all, proxy: npmjs }
listen: 127.0.0.1:${port}
max_body_size: 100mb
log: { type: file, path: ${path.join(work, 'verdaccio.log')}, level: warn }
`;

const PREDICT = `
import { Classifier } from 'covidct-torch';
import { encodeImage } from 'covidct-torch/report';
await main();
async function main() {
  const started = Date.now();
  const model = await Classifier.create({ architecture: 'tiny', classes: ['NonCOVID', 'COVID'] });
  const data = new Uint8Array(64 * 64 * 3).fill(128);
  const [{ label, probabilities }] = await model.predict(await encodeImage({ data, width: 64, height: 64 }));
  console.log(JSON.stringify({ label, probabilities, milliseconds: Date.now() - started }));
  model.dispose();
}
`;

/** The registry that npm is set up to ask here. */
function npmRegistry() {
  return spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim();
}

function step(text) {
  console.log(`\n== ${text}`);
}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1e8, ...options });
  const output = `${stdout ?? ''}${stderr ?? ''}`.trim();
  const short = (text) => (path.relative(work, text).startsWith('..') ? text : path.relative(work, text));
  console.log(`$ ${path.basename(command)} ${args.map(short).join(' ')}\n${output}`);
  if (error !== undefined || status !== 0) throw new Error(`${command} ended with ${status ?? error?.message}`);
  return output;
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/**
 * Verdaccio asks for node-fetch by the tag `cjs`, which not every mirror of npm's registry knows: the version is named.
 */
const TOOLS = { private: true, dependencies: { verdaccio: '^6' }, overrides: { 'node-fetch': '^2.7.0' } };

async function startRegistry(port) {
  const tools = path.join(work, 'tools');
  mkdirSync(tools);
  writeFileSync(path.join(tools, 'package.json'), JSON.stringify(TOOLS));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], { cwd: tools });
  writeFileSync(path.join(work, 'verdaccio.yaml'), VERDACCIO(port, npmRegistry()));
  const program = path.join(tools, 'node_modules/verdaccio/bin/verdaccio');
  const child = spawn(process.execPath, [program, '--config', path.join(work, 'verdaccio.yaml')], { stdio: 'ignore' });
  for (let i = 0; i < 120; i++) {
    if (child.exitCode !== null)
      throw new Error(`verdaccio ended with ${child.exitCode}; see ${path.join(work, 'verdaccio.log')}`);
    const up = await fetch(`http://127.0.0.1:${port}/-/ping`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) return child;
    await new Promise((done) => setTimeout(done, 500));
  }
  throw new Error('verdaccio did not start within a minute');
}

/**
 * node, npm, the shell that npx starts, python3 (pip fetches LibTorch
 * where PyTorch's host cannot be reached): nothing else.
 */
function barePath() {
  mkdirSync(bin);
  const npm = execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim();
  symlinkSync('/bin/sh', path.join(bin, 'sh'));
  symlinkSync(process.execPath, path.join(bin, 'node'));
  symlinkSync(npm, path.join(bin, 'npm'));
  symlinkSync(path.join(path.dirname(npm), 'npx-cli.js'), path.join(bin, 'npx'));
  const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  if (python.status === 0)
    writeFileSync(path.join(bin, 'python3'), `#!/bin/sh\nexec ${python.stdout.trim()} "$@"\n`, { mode: 0o755 });
  for (const name of ['g++', 'c++', 'clang++', 'cmake', 'make', 'ninja']) {
    if (spawnSync(name, ['--version'], { env: { PATH: bin } }).error === undefined)
      throw new Error(`${name} is on the bare PATH`);
  }
}

function publish(registry) {
  const token = `--${registry.slice('http:'.length)}:_authToken=anybody`;
  run(process.execPath, [path.join(root, 'scripts/pack-platform.cjs'), '--out', release]);
  run(process.execPath, [path.join(root, 'scripts/pack-release.cjs'), '--out', release]);
  for (const name of readdirSync(release).sort().reverse()) {
    run('npm', [
      'publish',
      path.join(release, name),
      '--registry',
      registry,
      token,
      '--access',
      'public',
      '--loglevel',
      'error',
    ]);
  }
}

function prove(registry) {
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  writeFileSync(path.join(project, 'predict.mjs'), PREDICT);
  const given = valueOf('--libtorch');
  const passed = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(https?_proxy|no_proxy|PIP_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS)$/i.test(name),
    ),
  );
  const env = {
    ...passed,
    PATH: bin,
    HOME: work,
    XDG_CACHE_HOME: path.join(work, 'cache'),
    npm_config_registry: registry,
    npm_config_cache: path.join(work, 'npm'),
    npm_config_update_notifier: 'false',
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    ...(given === undefined ? {} : { COVIDCT_TORCH_LIBTORCH: path.resolve(given) }),
  };
  const inProject = { cwd: project, env };
  step('npm install covidct-torch');
  const version = valueOf('--npm');
  const npm = version === undefined ? ['npm'] : ['npx', '--yes', `npm@${version}`];
  const installed = run(path.join(bin, npm[0]), [...npm.slice(1), 'install', 'covidct-torch'], inProject);
  // npm 12 on Node 20 warns about its own age limit, which is not ours.
  const warnings = installed.split('\n').filter((line) => /\bwarn\b/i.test(line) && !/EBADENGINE|warn cli/.test(line));
  if (warnings.length > 0) throw new Error(`npm install warned: ${warnings.join('; ')}`);
  step('npx covidct install-libtorch');
  const set = run(path.join(bin, 'npx'), ['covidct', 'install-libtorch'], inProject);
  if (!/prebuilt: @covidct-torch\//.test(set)) throw new Error('the prebuilt addon was not used');
  step('the first prediction');
  if (!/"label":"(Non)?COVID"/.test(run(path.join(bin, 'node'), ['predict.mjs'], inProject)))
    throw new Error('no prediction');
}

async function main() {
  const registry = `http://127.0.0.1:${await freePort()}/`;
  step('a registry of our own');
  const verdaccio = await startRegistry(new URL(registry).port);
  try {
    step('packing and publishing');
    publish(registry);
    barePath();
    prove(registry);
    step('proved: installed, set up and predicted without a compiler');
  } finally {
    verdaccio.kill();
    if (process.argv.includes('--keep')) console.log(work);
    else rmSync(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

main().catch((error) => {
  console.error(`not proved: ${error.message}`);
  process.exitCode = 1;
});

/**
 * Makes the platform package for the LibTorch that is found (COVIDCT_TORCH_LIBTORCH chooses another one): the addon,
 * what it was made of, and the fields by which npm installs it on the right machines alone.
 *   node scripts/pack-platform.cjs [--out build/release]
 * Prints the package's folder, which `npm pack` and `npm publish` take; scripts/pack-release.cjs names it as an
 * optional dependency of the main package.
 */
const { spawnSync } = require('node:child_process');
const { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

/** The newest version of the C library that the addon asks for: the oldest system on which it can be loaded. */
function oldestLibc(file, family) {
  const names = readFileSync(file, 'latin1').match(/\bGLIBC_2\.\d+(\.\d+)?\b/g) ?? [];
  const versions = names
    .map((name) => name.slice('GLIBC_'.length))
    .sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]));
  return family === 'glibc' ? (versions.at(-1) ?? '2.28') : '1.1';
}

/** Debugging symbols are of no use to anybody else; a system without `strip` publishes them. */
function strip(file) {
  const [flag] = process.platform === 'darwin' ? ['-x'] : ['--strip-unneeded'];
  const run = spawnSync('strip', [flag, file], { encoding: 'utf8' });
  if (run.error !== undefined || run.status !== 0) console.error(`not stripped: ${run.error?.message ?? run.stderr}`);
}

function packageManifest(name, libtorch, libc) {
  const main = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return {
    name,
    version: main.version,
    description:
      `The addon of covidct-torch ${main.version}, compiled ` +
      `for ${process.platform}-${process.arch} and LibTorch ${libtorch.version} (${libtorch.variant}).`,
    license: main.license,
    os: [process.platform],
    cpu: [process.arch],
    ...(libc === null ? {} : { libc: [libc.family] }),
    engines: main.engines,
    files: ['addon.json', 'covidct_torch.node'],
    preferUnplugged: true,
  };
}

async function main() {
  const at = process.argv.indexOf('--out');
  const out = path.resolve(at === -1 ? path.join(root, 'build/release') : process.argv[at + 1]);
  require('./typescript.cjs').compileNativeRoom();
  const { buildAddon } = require('../dist/install/build.js');
  const { hashSources } = require('../dist/addon/addon-folder.js');
  const { minorOf } = require('../dist/addon/libtorch-folder.js');
  const { platformPackage } = require('../dist/addon/prebuilt.js');
  const { familySync } = require('detect-libc');
  const { addon, libtorch, origin } = await buildAddon({ onCompile: () => console.error('compiling the addon …') });
  if (origin !== 'compiled')
    throw new Error(
      `the addon in the cache is ${origin}, not compiled here; run node scripts/build.cjs --native --force`,
    );

  const name = platformPackage(libtorch);
  const folder = path.join(out, name.replace('/', '-').replace('@', ''));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'covidct_torch.node');
  copyFileSync(addon, file);
  chmodSync(file, 0o755);
  strip(file);
  const family = familySync();
  const libc = family === null ? null : { family, version: oldestLibc(file, family) };
  const manifest = packageManifest(name, libtorch, libc);
  const facts = {
    package: manifest.version,
    sources: hashSources(root),
    libtorch: { minor: minorOf(libtorch.version), variant: libtorch.variant },
    platform: process.platform,
    arch: process.arch,
    libc,
  };
  const put = (what, value) => writeFileSync(path.join(folder, what), `${JSON.stringify(value, null, 2)}\n`);
  put('package.json', manifest);
  put('addon.json', facts);
  copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  writeFileSync(
    path.join(folder, 'README.md'),
    `# ${name}\n\n${manifest.description} It is installed with covidct-torch, ` +
      `which uses it where it matches exactly and compiles its own otherwise.\n`,
  );
  console.error(
    `${name}@${manifest.version}: ${(statSync(file).size / 1e6).toFixed(1)} MB, ` +
      `needs ${libc === null ? process.platform : `${libc.family} ${libc.version}`}`,
  );
  console.log(folder);
}

main().catch((error) => {
  console.error(error.code === undefined ? error : `${error.code}: ${error.message}`);
  process.exitCode = 1;
});

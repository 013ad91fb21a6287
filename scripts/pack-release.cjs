/**
 * Makes the folder that is published as `covidct-torch`: the files that npm would pack, with a package.json that has no
 * scripts and names every platform package in the same folder as an optional dependency of exactly this version.
 *   node scripts/pack-release.cjs [--out build/release]
 * The platform packages are made before, by scripts/pack-platform.cjs on each platform. Prints the folder.
 */
const { execFileSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const readJson = (...names) => JSON.parse(readFileSync(path.join(...names), 'utf8'));

/** Names and versions of the platform packages in a folder; one that was made from other sources is an error. */
function platformPackages(out, version, sources) {
  const found = {};
  for (const each of existsSync(out) ? readdirSync(out) : []) {
    if (!existsSync(path.join(out, each, 'addon.json'))) continue;
    const facts = readJson(out, each, 'addon.json');
    if (facts.package !== version || facts.sources !== sources) {
      throw new Error(
        `${path.join(out, each)} was made from other sources or for another version (${facts.package}); make it again`,
      );
    }
    found[readJson(out, each, 'package.json').name] = version;
  }
  return found;
}

function main() {
  const at = process.argv.indexOf('--out');
  const out = path.resolve(at === -1 ? path.join(root, 'build/release') : process.argv[at + 1]);
  const { buildTypeScript, writeEsmEntries, noteSources } = require('./typescript.cjs');
  buildTypeScript();
  writeEsmEntries();
  noteSources();
  const { hashSources } = require('../dist/addon/addon-folder.js');

  const manifest = readJson(root, 'package.json');
  delete manifest.scripts;
  delete manifest.devDependencies;
  const optionalDependencies = platformPackages(out, manifest.version, hashSources(root));
  const folder = path.join(out, manifest.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const listed = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  for (const { path: name } of listed[0].files) cpSync(path.join(root, name), path.join(folder, name));
  writeFileSync(
    path.join(folder, 'package.json'),
    `${JSON.stringify({ ...manifest, optionalDependencies }, null, 2)}\n`,
  );
  const packages = Object.keys(optionalDependencies).join(', ') || 'no platform package: every user compiles';
  console.error(`${manifest.name}@${manifest.version}: ${packages}`);
  console.log(folder);
}

try {
  main();
} catch (error) {
  console.error(error.code === undefined ? error.message : `${error.code}: ${error.message}`);
  process.exitCode = 1;
}

/**
 * Every architecture against the real torchvision, every number of it:
 *   npm run parity -- [--python PATH] [ARCHITECTURE ...]
 * Needs a Python with torch, torchvision and safetensors, and the built library. Prints one row an architecture with
 * the largest relative difference, per tensor, of each section: |ours - theirs| / |theirs| in the Euclidean norm.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const { register } = require('./register.cjs');
register();
const { BOUNDS, runRecipe } = require('./recipe.ts');
const { readSection, worst } = require('./sections.cjs');
const { loadNative } = require('../../../src/addon/load.ts');

async function compare(architecture, python) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-live-'));
  try {
    execFileSync(python, [join(__dirname, 'reference.py'), 'dump', dir, architecture], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const row = {};
    const pending = [];
    await runRecipe(architecture, (section, ours) => {
      pending.push(
        readSection(join(dir, `${section}.safetensors`)).then((theirs) => {
          row[section] = worst(ours, theirs);
        }),
      );
    });
    await Promise.all(pending);
    return row;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function main() {
  const names = process.argv.slice(2);
  const at = names.indexOf('--python');
  const python = at < 0 ? 'python3' : names.splice(at, 2)[1];
  const sections = Object.keys(BOUNDS);
  console.log(['architecture', ...sections, 'verdict'].map((text) => text.padStart(12)).join(''));
  for (const name of names.length > 0 ? names : loadNative().architectures()) {
    const row = await compare(name, python);
    const fits = sections.every((section) => row[section] <= BOUNDS[section]);
    if (!fits) process.exitCode = 1;
    console.log(
      [name, ...sections.map((section) => row[section].toExponential(1)), fits ? 'equal' : 'DIFFERS']
        .map((text) => text.padStart(12))
        .join(''),
    );
  }
}

main();

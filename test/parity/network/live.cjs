/**
 * Every architecture against the real torchvision, every number of it:
 *   npm run parity -- [--python PATH] [ARCHITECTURE ...]
 * Needs a Python with torch, torchvision and safetensors, and the built library. Prints one row an architecture with the
 * largest relative difference, per tensor, of each section: |ours - theirs| / |theirs| in the Euclidean norm.
 */
const { execFileSync } = require('node:child_process');
const { closeSync, mkdtempSync, openSync, readSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const { register } = require('./register.cjs');
register();
const { BOUNDS, runRecipe } = require('./recipe.ts');
const { readSafetensorsHeader } = require('../../../src/model/safetensors.ts');
const { loadNative } = require('../../../src/native/load.ts');

async function readSection(file) {
  const { tensors } = await readSafetensorsHeader(file);
  const handle = openSync(file, 'r');
  const section = {};
  for (const { name, dtype, shape, offset } of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = Buffer.alloc(count * (dtype === 'I64' ? 8 : 4));
    readSync(handle, bytes, 0, bytes.length, offset);
    section[name] = dtype === 'I64' ? Float64Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, count), Number) : new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }
  closeSync(handle);
  return section;
}

function relative(ours, theirs) {
  let apart = 0;
  let size = 0;
  for (let i = 0; i < theirs.length; i += 1) {
    apart += (ours[i] - theirs[i]) ** 2;
    size += theirs[i] ** 2;
  }
  return Math.sqrt(apart) / Math.max(Math.sqrt(size), 1e-30);
}

/** A bias in front of batch norm has no gradient but rounding: there the weight's norm beside it is the measure. */
function worst(ours, theirs) {
  let largest = 0;
  for (const name of Object.keys(theirs)) {
    if (!(name in ours)) return Infinity;
    const weight = theirs[name.replace(/\.bias$/, '.weight')] ?? theirs[name];
    const scale = Math.sqrt(weight.reduce((sum, x) => sum + x * x, 0) / weight.length) * Math.sqrt(theirs[name].length);
    const own = Math.sqrt(theirs[name].reduce((sum, x) => sum + x * x, 0));
    const difference = relative(ours[name], theirs[name]) * (own / Math.max(own, scale, 1e-30));
    largest = Math.max(largest, difference);
  }
  return largest;
}

async function compare(architecture, python) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-live-'));
  try {
    execFileSync(python, [join(__dirname, 'reference.py'), 'dump', dir, architecture], { stdio: ['ignore', 'ignore', 'inherit'] });
    const row = {};
    const pending = [];
    await runRecipe(architecture, (section, ours) => {
      pending.push(readSection(join(dir, `${section}.safetensors`)).then((theirs) => { row[section] = worst(ours, theirs); }));
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
    console.log([name, ...sections.map((section) => row[section].toExponential(1)), fits ? 'equal' : 'DIFFERS'].map((text) => text.padStart(12)).join(''));
  }
}

main();

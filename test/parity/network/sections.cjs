/**
 * What the live comparisons share: tensors of a safetensors file, and the largest distance between two sets of them.
 */
const { CANCELING_MEAN } = require('./recipe.ts');
const { closeSync, openSync, readSync } = require('node:fs');
const { readSafetensorsHeader } = require('../../../src/weights/safetensors.ts');

async function readSection(file) {
  const { tensors } = await readSafetensorsHeader(file);
  const handle = openSync(file, 'r');
  const section = {};
  for (const { name, dtype, shape, offset } of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = new Uint8Array(count * (dtype === 'F32' ? 4 : 8));
    readSync(handle, bytes, 0, bytes.length, offset);
    section[name] =
      dtype === 'I64'
        ? Float64Array.from(new BigInt64Array(bytes.buffer), Number)
        : dtype === 'F64'
          ? new Float64Array(bytes.buffer)
          : new Float32Array(bytes.buffer);
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

const meanSquare = (values) => values.reduce((sum, x) => sum + x * x, 0) / values.length;

/**
 * What a tensor's root mean square is at least taken for. A bias in front of batch norm has no gradient but rounding:
 * the weight beside it is the measure. So is the deviation beside a running mean that is a sum of numbers that cancel.
 */
function scaleBeside(name, theirs) {
  const variance = theirs[name.replace(/\.running_mean$/, '.running_var')];
  if (CANCELING_MEAN.test(name)) return Math.sqrt(variance.reduce((sum, x) => sum + x, 0) / variance.length);
  return Math.sqrt(meanSquare(theirs[name.replace(/\.bias$/, '.weight')] ?? theirs[name]));
}

function worst(ours, theirs) {
  let largest = 0;
  for (const name of Object.keys(theirs)) {
    if (!(name in ours)) return Infinity;
    const scale = scaleBeside(name, theirs) * Math.sqrt(theirs[name].length);
    const own = Math.sqrt(meanSquare(theirs[name]) * theirs[name].length);
    const difference = relative(ours[name], theirs[name]) * (own / Math.max(own, scale, 1e-30));
    largest = Math.max(largest, difference);
  }
  return largest;
}

module.exports = { readSection, worst };

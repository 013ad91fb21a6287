/**
 * One instruction set, in a process of its own: `COVIDCT_SIMD=base node simd.cjs`. Prints logits and gradients of a
 * step, and a head's logits, as JSON. Uses the built library.
 */
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createNetwork } = require('../../../dist/model/open-network.js');

const SIDE = 45; // odd before and behind every pool
const N = 3;
const MOST_ROWS = 34; // two more than our own linear layers take

const input = {
  images: Array.from({ length: N }, (_, i) =>
    Uint8Array.from({ length: SIDE * SIDE * 3 }, (_unused, k) => (k * (7 + 4 * i) + i * 37 + (k * k) / 64) % 256),
  ),
  sizes: new Int32Array(2 * N).fill(SIDE),
  programs: new Int32Array(0),
  programOffsets: new Int32Array(N + 1),
  height: SIDE,
  width: SIDE,
  mean: new Float64Array(3).fill(0.5),
  std: new Float64Array(3).fill(0.25),
  labels: Int32Array.from({ length: N }, (_, i) => i % 2),
};

async function gradients(model) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-simd-'));
  const names = model.tensors.filter(
    ({ name, kind }) => kind === 'parameter' && name.startsWith('features.') && name.endsWith('weight'),
  );
  const file = join(dir, 'gradients');
  writeFileSync(file, '');
  await model.writeTensors(
    file,
    0,
    names.map(({ name }) => `grad.${name}`),
  );
  const bytes = readFileSync(file);
  rmSync(dir, { recursive: true });
  let at = 0;
  return Object.fromEntries(
    names.map(({ name, shape }) => {
      const count = shape.reduce((product, side) => product * side, 1);
      const values = Array.from({ length: count }, (_, i) => bytes.readFloatLE(at + 4 * i));
      at += 4 * count;
      return [name, values];
    }),
  );
}

// Answers to 1, 2, ... rows of features, three outputs: an odd one.
async function heads(convolution) {
  const model = await createNetwork({
    architecture: 'tiny',
    classes: ['a', 'b', 'c'],
    device: 'cpu',
    threads: 2,
    convolution,
  });
  const width = 64 * 4 * 4;
  const features = Float32Array.from({ length: MOST_ROWS * width }, (_, i) => Math.sin(i * 1.7) + (i % 7) / 10);
  const answers = [];
  for (let n = 1; n <= MOST_ROWS; n += 1)
    answers.push([...(await model.predict({ features: features.slice(0, n * width) })).logits]);
  model.dispose();
  return answers;
}

async function main() {
  const rows = { heads: { auto: await heads('auto'), libtorch: await heads('libtorch') } };
  for (const architecture of ['tiny', 'resnet18']) {
    for (const convolution of ['libtorch', 'winograd']) {
      const model = await createNetwork({
        architecture,
        classes: ['a', 'b'],
        device: 'cpu',
        threads: 2,
        dropout: 0,
        convolution,
      });
      const { logits } = await model.predict(input);
      if (architecture === 'tiny')
        await model.trainStep(input, { divisor: N, dropoutSeed: 1, classWeights: new Float32Array(0) });
      rows[`${architecture} ${convolution}`] = {
        logits: [...logits],
        gradients: architecture === 'tiny' ? await gradients(model) : {},
      };
      model.dispose();
    }
  }
  process.stdout.write(`${JSON.stringify(rows)}\n`);
}

void main();

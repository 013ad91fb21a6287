/**
 * bfloat16 on the CPU against PyTorch's autocast, bit for bit:
 *   npm run parity:bf16 -- [--python PYTHON] [ARCHITECTURE ...]
 * Weights and input of ours go to torchvision's network; compared are the logits of prediction and of a training step,
 * and the gradient of every parameter. Needs the built library and a Python with torch, torchvision and safetensors.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { createNetwork } = require('../../../dist/model/open-network.js');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string', default: 'python3' } },
});
const [COUNT, SIDE] = [4, 64];

function batch() {
  const image = (i) =>
    Uint8Array.from(
      { length: SIDE * SIDE * 3 },
      (_, k) => (k * (7 + 2 * i) + i * 31 + Math.floor((k * k) / 128) * (1 + (i % 2))) % 256,
    );
  return {
    images: Array.from({ length: COUNT }, (_, i) => image(i)),
    sizes: new Int32Array(2 * COUNT).fill(SIDE),
    programs: new Int32Array(0),
    programOffsets: new Int32Array(COUNT + 1),
    height: SIDE,
    width: SIDE,
    mean: Float64Array.of(0.485, 0.456, 0.406),
    std: Float64Array.of(0.229, 0.224, 0.225),
    labels: Int32Array.from({ length: COUNT }, (_, i) => i % 2),
  };
}

async function compare(architecture) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-bf16-'));
  const model = await createNetwork({
    architecture,
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 2,
    dropout: 0,
    precision: 'bf16',
  });
  try {
    const write = (name, numbers) =>
      writeFileSync(join(dir, name), new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    await model.saveWeights(join(dir, 'weights.safetensors'));
    write('input', await model.input(batch()));
    write('prediction', (await model.predict(batch())).logits);
    write(
      'training',
      (await model.trainStep(batch(), { divisor: COUNT, dropoutSeed: 0, classWeights: new Float32Array(0) })).logits,
    );
    const names = model.tensors.filter(({ kind }) => kind === 'parameter').map(({ name }) => name);
    writeFileSync(join(dir, 'gradients'), '');
    await model.writeTensors(
      join(dir, 'gradients'),
      0,
      names.map((name) => `grad.${name}`),
    );
    writeFileSync(join(dir, 'task.json'), JSON.stringify({ architecture, names, count: COUNT, side: SIDE }));
    return JSON.parse(
      execFileSync(values.python, [join(__dirname, 'autocast.py'), dir], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
  } finally {
    model.dispose();
    rmSync(dir, { recursive: true });
  }
}

async function main() {
  for (const architecture of positionals.length > 0 ? positionals : ['vgg11', 'vgg11_bn', 'resnet18', 'densenet121']) {
    const { prediction, training, equal, gradients } = await compare(architecture);
    if (!prediction || !training || equal !== gradients) process.exitCode = 1;
    console.log(
      `${architecture.padEnd(12)} logits of prediction ${prediction ? 'equal' : 'DIFFER'}, ` +
        `of training ${training ? 'equal' : 'DIFFER'}; ${equal} of ${gradients} gradients equal`,
    );
  }
}

void main();

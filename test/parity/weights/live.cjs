/**
 * A whole VGG19-BN (575 MB) between PyTorch and us, both ways, bit for bit:
 *   npm run parity:weights -- --python PYTHON [--files DIR]
 * PyTorch writes it as zip .pth, legacy .pth, oldest legacy .pth, safetensors, and in half precision; we turn each into
 * safetensors (convertWeights), and load each into a network and save that (saveWeights). Python's safetensors then
 * reads what we wrote and asks torch.equal of every tensor. Needs torch, torchvision and safetensors, and 6 GB of disk.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier } = require('../../../dist/index.js');
const { convertWeights } = require('../../../dist/weights/index.js');

const { values } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, files: { type: 'string' } },
});
const python = (...args) =>
  execFileSync(values.python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const NAMES = ['zip.pth', 'legacy.pth', 'oldest.pth', 'python.safetensors', 'half.pth', 'bfloat.safetensors'];

async function saved(from, to) {
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
  const model = await Classifier.create({ architecture: 'vgg19_bn', classes, device: 'cpu' });
  try {
    await model.loadWeights(from);
    await model.saveWeights(to);
  } finally {
    model.dispose();
  }
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-weights-'));
  const files = values.files ?? dir;
  try {
    if (!values.files) python(join(__dirname, 'make_files.py'), 'full', files);
    python(join(__dirname, 'check_files.py'), 'halves', files);
    let wrong = 0;
    for (const name of NAMES) {
      for (const [way, write] of [
        ['converted', convertWeights],
        ['loaded and saved', saved],
      ]) {
        const out = join(dir, 'ours.safetensors');
        await write(join(files, name), out);
        const { tensors, equal, absent } = JSON.parse(
          python(join(__dirname, 'check_files.py'), 'compare', join(files, name), out),
        );
        if (equal !== tensors) wrong += 1;
        console.log(
          `${name.padEnd(20)} ${way.padEnd(17)} ${equal} of ${tensors} tensors equal in ` +
            `Python${absent > 0 ? ` (${absent} more that the file lacks: batch counters)` : ''}`,
        );
      }
    }
    process.exitCode = wrong === 0 ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

void main();

/**
 * Prediction and training step of an architecture: ours with LibTorch's convolutions, ours with our own, and PyTorch
 * eager, in turn, each in a process of its own with the same threads:
 *   npm run bench:step -- --python PYTHON [--arch vgg19_bn] [--batch 8] [--rounds 3] [--image-size 224] [--threads 2]
 * ARCH is one that torchvision has. Prints the median of the rounds' best times, the ratio to PyTorch with its spread, and the peak memory of the process.
 */
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { lastLine, median, sorted } = require('./turns.cjs');

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({ options: { python: text('python3'), arch: text('vgg19_bn'), batch: text('8'), rounds: text('3'), 'image-size': text('224'), threads: text('2') } });
const task = JSON.stringify({ architecture: values.arch, batch: Number(values.batch), side: Number(values['image-size']), threads: Number(values.threads) });
const own = (convolution) => () => lastLine(process.execPath, [join(__dirname, 'step-own.cjs'), task, convolution]);
const RUNNERS = { libtorch: own('libtorch'), auto: own('auto'), pytorch: () => lastLine(values.python, [join(__dirname, 'step_peer.py'), task]) };

const results = { libtorch: [], auto: [], pytorch: [] };
for (let round = 0; round < Number(values.rounds); round += 1) {
  const names = Object.keys(RUNNERS);
  for (const name of round % 2 === 0 ? names : names.reverse()) results[name].push(RUNNERS[name]());
}
console.log(`${values.arch}, batch ${values.batch}, ${values['image-size']} pixels, ${values.threads} threads, ${values.rounds} rounds; ms, ratio to PyTorch eager (spread of the rounds)`);
for (const [name, list] of Object.entries(results)) {
  const cells = ['predict', 'train'].map((what) => {
    const ratios = sorted(list.map((each, i) => each[what] / results.pytorch[i][what]));
    return `${what} ${median(list.map((each) => each[what])).toFixed(0).padStart(6)} ${median(ratios).toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`;
  });
  console.log(`${name.padEnd(9)} ${cells.join('   ')}   peak ${(median(list.map(({ peak }) => peak)) / 2 ** 20).toFixed(0)} MiB`);
}

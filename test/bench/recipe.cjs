/**
 * The tutorial's whole recipe, ours and a script in PyTorch in turn on the same device, from the same weights:
 * npm run bench:recipe -- --data COVID-CT --python PYTHON [--device cuda] [--epochs 60] [--image-size 224] [--arch
 *   vgg19_bn]
 *                           [--precision float32] [--threads 0] [--rounds 1] [--limit N]
 * Micro-batches of 8, 8 of them in a step, SGD with momentum, crops, flips, validation and TensorBoard in every epoch,
 * the best weights kept; no early stopping, so that both do the same work, and in the same numbers: no TF32 but with
 * `--precision tf32`. Prints seconds from the open data set to the end, the first epoch, the median of the later ones,
 * and how often the peer's time is ours. `--limit`: at most N slices of each split. The peer needs torch, torchvision,
 * scikit-learn, tensorboard and safetensors.
 */
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier, openDataset } = require('../../dist/index.js');
const { lastLine, median, sorted } = require('./turns.cjs');

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    data: text(process.env.COVIDCT_DATA),
    python: text('python3'),
    device: text('auto'),
    epochs: text('60'),
    'image-size': text('224'),
    arch: text('vgg19_bn'),
    precision: text('float32'),
    threads: text('0'),
    rounds: text('1'),
    limit: text('1000000'),
  },
});

/** At most so many, from the whole list: it is in the order of the classes. */
const spread = (list, limit) => list.filter((_, i) => i % Math.ceil(list.length / limit) === 0);

function report(name, list, peers) {
  const ratios = sorted(list.map(({ seconds }, round) => peers[round].seconds / seconds));
  const { device, last } = list.at(-1);
  const figures = [
    median(list.map(({ seconds }) => seconds)),
    median(list.map(({ epochs }) => epochs[0])),
    median(list.flatMap(({ epochs }) => epochs.slice(1))),
  ];
  const ratio = `${median(ratios).toFixed(2)} (${ratios[0].toFixed(2)}–${ratios.at(-1).toFixed(2)})`;
  const cells = figures.map((each) => (each ?? NaN).toFixed(1).padStart(10)).join('');
  console.log(
    `${name.padEnd(8)} ${cells}   ${ratio}   ${device}; ` +
      `last epoch: train loss ${last.trainLoss.toFixed(3)}, validation loss ${last.validationLoss.toFixed(3)}, ` +
      `accuracy ${last.validationAccuracy.toFixed(3)}`,
  );
}

async function main() {
  if (values.data === undefined) throw new Error('give --data DIR or set COVIDCT_DATA');
  const data = await openDataset(values.data);
  const limit = Number(values.limit);
  const splits = Object.fromEntries(
    ['train', 'validation'].map((name) => [
      name,
      spread(data[name].samples, limit).map(({ source, label, id }) => ({ source, label, id })),
    ]),
  );
  if (
    !Object.values(splits)
      .flat()
      .every(({ source }) => typeof source === 'string')
  )
    throw new Error('--data must name image files: a packed data set has none for the peer');
  const dir = mkdtempSync(join(tmpdir(), 'covidct-recipe-'));
  try {
    const weights = join(dir, 'weights.safetensors');
    const model = await Classifier.create({
      architecture: values.arch,
      classes: [...data.classes],
      seed: 0,
      device: 'cpu',
      imageSize: Number(values['image-size']),
    });
    await model.saveWeights(weights);
    model.dispose();
    const task = {
      splits,
      classes: data.classes,
      weights,
      out: join(dir, 'run'),
      arch: values.arch,
      device: values.device,
      precision: values.precision,
      threads: Number(values.threads),
      epochs: Number(values.epochs),
      imageSize: Number(values['image-size']),
    };
    const file = join(dir, 'task.json');
    writeFileSync(file, JSON.stringify(task));
    const runners = {
      ours: () => lastLine(process.execPath, [join(__dirname, 'recipe-own.cjs'), file]),
      PyTorch: () => lastLine(values.python, [join(__dirname, 'recipe_peer.py'), file]),
    };
    const results = { ours: [], PyTorch: [] };
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const names = Object.keys(runners);
      for (const name of round % 2 === 0 ? names : names.reverse()) results[name].push(runners[name]());
    }
    console.log(
      `${values.arch}, ${values['image-size']} pixels, ${values.precision}, ${values.epochs} epochs ` +
        `of ${splits.train.length} slices, ${splits.validation.length} to validate; ${values.rounds} rounds`,
    );
    console.log(`seconds        in all     first     later   PyTorch / it`);
    for (const [name, list] of Object.entries(results)) report(name, list, results.PyTorch);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

void main();

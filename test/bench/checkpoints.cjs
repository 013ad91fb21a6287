/**
 * What checkpoints cost a training, in time and memory: one epoch with a checkpoint after so many optimizer steps, in
 * turn with one without, each in a process of its own.
 *   node test/bench/checkpoints.cjs [--arch vgg19_bn] [--images 96] [--steps 1] [--rounds 3] [--epoch-images 425]
 * Batches of 8 at 224 pixels, two in an optimizer step: one after every step, so that what they cost stands out of what
 * two trainings differ by on a busy machine. Prints the time of a micro-batch and the most memory of both,
 * the time that one checkpoint costs, and its share of an epoch of `--epoch-images` images, which is how often one is
 * written. Exit code 1 above 2 % of the time or 5 % of the memory.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { loadavg, tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'vgg19_bn' },
    images: { type: 'string', default: '96' },
    steps: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    'epoch-images': { type: 'string', default: '425' },
    child: { type: 'string' },
    data: { type: 'string' },
  },
});

/** Trains one epoch; prints milliseconds from the first step to the last, and the most memory. */
async function child() {
  const { Classifier, openDataset, Trainer } = require('../../dist/index.js');
  const { train, classes } = await openDataset(values.data);
  const model = await Classifier.create({ architecture: values.arch, classes: [...classes], device: 'cpu' });
  const out = mkdtempSync(join(tmpdir(), 'covidct-checkpoints-run-'));
  const checkpoints =
    values.child === 'with'
      ? { checkpointEvery: { steps: Number(values.steps) }, keepCheckpoints: 1 }
      : { keepCheckpoints: 0 };
  try {
    const trainer = new Trainer({ model, out, epochs: 1, batchSize: 8, accumulate: 2, ...checkpoints });
    const times = [];
    for await (const event of trainer.events(train, null)) if (event.type === 'step') times.push(performance.now());
    // The first step makes what later ones use; the last checkpoint is of the end of the epoch.
    console.log(JSON.stringify({ ms: times.at(-1) - times[0], rss: process.resourceUsage().maxRSS * 1024 }));
  } finally {
    model.dispose();
    rmSync(out, { recursive: true, force: true });
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function main() {
  const { makePhantoms } = require('../../dist/index.js');
  const dir = mkdtempSync(join(tmpdir(), 'covidct-checkpoints-'));
  try {
    // Two thirds of the phantoms are for training.
    await makePhantoms(join(dir, 'data'), { count: Math.ceil(Number(values.images) * 1.7), size: 224 });
    const results = { without: [], with: [] };
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const kind of round % 2 === 0 ? ['without', 'with'] : ['with', 'without']) {
        const args = [__filename, '--child', kind, '--data', join(dir, 'data'), '--arch', values.arch];
        const text = execFileSync(process.execPath, [...args, '--steps', values.steps], { encoding: 'utf8' });
        results[kind].push(JSON.parse(text.trim().split('\n').at(-1)));
      }
    report(results, (await require('../../dist/index.js').openDataset(join(dir, 'data'))).train.samples.length);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function report(results, images) {
  const batches = Math.ceil(images / 8);
  const [plain, checked] = [results.without, results.with].map((list) => ({
    ms: median(list.map(({ ms }) => ms)),
    rss: median(list.map(({ rss }) => rss)),
  }));
  const written = Math.floor((batches - 1) / 2 / Number(values.steps));
  const each = (checked.ms - plain.ms) / written;
  const batch = plain.ms / (batches - 1);
  const epoch = batch * Math.ceil(Number(values['epoch-images']) / 8);
  const memory = checked.rss / plain.rss - 1;
  console.log(`${values.arch}, ${batches} micro-batches of 8, ${written} checkpoints, load ${loadavg()[0].toFixed(1)}`);
  console.log(`a micro-batch: ${batch.toFixed(0)} ms without, ${(checked.ms / (batches - 1)).toFixed(0)} ms with`);
  console.log(`a checkpoint: ${each.toFixed(0)} ms, ${((100 * each) / epoch).toFixed(2)} % of an epoch`);
  console.log(`memory: ${(plain.rss / 2 ** 20).toFixed(0)} MiB, ${(100 * memory).toFixed(1)} % more with checkpoints`);
  if (each / epoch > 0.02 || memory > 0.05) process.exitCode = 1;
}

void (values.child === undefined ? main() : child());

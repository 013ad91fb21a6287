/**
 * Does memory stay flat? Trains for ten epochs and prints the process's memory after each:
 *   npm run leak -- [--arch tiny] [--epochs 10] [--image-size 64] [--data DIR]
 * Fails when the resident set after the last epoch is more than 5 % and 24 MiB above that after the third.
 * Without --data on made-up slices. Predictions and Grad-CAMs run between the epochs, as in a service.
 */
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier, makePhantoms, openDataset, Trainer } = require('../../dist/index.js');

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'tiny' },
    epochs: { type: 'string', default: '10' },
    'image-size': { type: 'string', default: '64' },
    data: { type: 'string' },
  },
});
const MiB = 1024 ** 2;

function memory() {
  global.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, external, arrayBuffers };
}

async function measure(data) {
  const model = await Classifier.create({
    architecture: values.arch,
    classes: [...data.train.classes],
    imageSize: Number(values['image-size']),
  });
  const some = data.validation.samples.slice(0, 8).map(({ source }) => source);
  const trainer = new Trainer({
    model,
    epochs: Number(values.epochs),
    imageSize: Number(values['image-size']),
    accumulate: 2,
    learningRate: 0.001,
    patience: 1000,
  });
  const rows = [];
  console.log(
    ['epoch', 'rss MiB', 'heap MiB', 'external MiB', 'native MiB', 'seconds'].map((text) => text.padStart(13)).join(''),
  );
  for await (const event of trainer.events(data.train, data.validation)) {
    if (event.type !== 'epoch') continue;
    await model.predict(some);
    await model.explain(some);
    const now = memory();
    rows.push(now.rss);
    console.log(
      [event.epoch, now.rss / MiB, now.heapUsed / MiB, now.external / MiB, model.bytes / MiB, event.seconds]
        .map((value, i) => (i === 0 ? String(value) : value.toFixed(1)).padStart(13))
        .join(''),
    );
  }
  model.dispose();
  return rows;
}

async function main() {
  const dir = values.data ?? mkdtempSync(join(tmpdir(), 'covidct-leak-'));
  try {
    if (values.data === undefined) await makePhantoms(dir, { count: 96, seed: 1 });
    const rows = await measure(await openDataset(dir));
    const growth = rows.at(-1) - rows[Math.min(2, rows.length - 1)];
    const flat = growth <= Math.max(24 * MiB, 0.05 * rows[2]);
    console.log(`from epoch 3 to epoch ${rows.length}: ${(growth / MiB).toFixed(1)} MiB, ${flat ? 'flat' : 'GROWING'}`);
    if (!flat) process.exitCode = 1;
  } finally {
    if (values.data === undefined) rmSync(dir, { recursive: true });
  }
}

main();

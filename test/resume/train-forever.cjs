/** Trains without end, a new model after every epoch, until it is told to stop: node train-forever.cjs DATA OUT */
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { Classifier, openDataset, Trainer } = require('../../dist/index.js');

const [data, out] = process.argv.slice(2);
let stopped = false;
process.on('message', () => {
  stopped = true;
});

async function main() {
  const { train, validation, classes } = await openDataset(data);
  const model = await Classifier.create({
    architecture: 'tiny',
    classes: [...classes],
    device: 'cpu',
    threads: 1,
    imageSize: 32,
  });
  const recipe = { epochs: 100_000, batchSize: 4, accumulate: 1, imageSize: 32, keep: 'last', patience: 100_000 };
  const trainer = new Trainer({ model, out, learningRate: 1e-4, ...recipe });
  let told = false;
  for await (const event of trainer.events(train, validation)) {
    if (!told && event.type === 'checkpoint' && existsSync(join(out, 'model.json'))) {
      told = true;
      process.send('ready');
    }
    if (stopped) break;
  }
  model.dispose();
  process.disconnect();
}

void main();

/** Trains into a folder when it is told to, and tells how it ended: node train-once.cjs DATA OUT SEED */
const { Classifier, openDataset, Trainer } = require('../../dist/index.js');

const [data, out, seed] = process.argv.slice(2);

async function main() {
  const { train, validation, classes } = await openDataset(data);
  const options = { architecture: 'tiny', classes: [...classes], device: 'cpu', threads: 1, imageSize: 32 };
  const model = await Classifier.create({ ...options, seed: Number(seed) });
  process.send('ready');
  await new Promise((resolve) => process.once('message', resolve));
  try {
    const trainer = new Trainer({ model, out, epochs: 20, batchSize: 4, imageSize: 32, seed: Number(seed) });
    const { epochs } = await trainer.fit(train, validation);
    process.send({ epochs: epochs.length, seed: Number(seed) });
  } catch (error) {
    process.send({ code: error.code, pid: error.owner?.pid, message: error.message });
  }
  model.dispose();
  process.disconnect();
}

void main();

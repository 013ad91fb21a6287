/** Our half of recipe.cjs: trains in a process of its own and prints seconds and figures as JSON. */
const { readFileSync } = require('node:fs');
const { Classifier, Trainer, TensorBoardLogger, fromSamples } = require('../../dist/index.js');

async function main() {
  const { splits, classes, weights, out, arch, device, precision, threads, epochs, imageSize } = JSON.parse(
    readFileSync(process.argv[2], 'utf8'),
  );
  const dataset = (name) => fromSamples({ name, classes, samples: splits[name] });
  const model = await Classifier.create({
    architecture: arch,
    classes,
    seed: 0,
    device,
    precision,
    threads,
    imageSize,
  });
  await model.loadWeights(weights);
  const began = performance.now();
  const trainer = new Trainer({
    model,
    preset: 'tutorial',
    epochs,
    imageSize,
    batchSize: 8,
    accumulate: 8,
    patience: epochs,
    seed: 0,
    out,
    overwrite: true,
    loggers: [new TensorBoardLogger({ dir: `${out}-logs` })],
  });
  const seconds = [];
  let last = null;
  for await (const event of trainer.events(dataset('train'), dataset('validation'))) {
    if (event.type !== 'epoch') continue;
    seconds.push(event.seconds);
    last = event;
  }
  const { trainLoss, validationLoss, validationAccuracy } = last;
  console.log(
    JSON.stringify({
      seconds: (performance.now() - began) / 1000,
      epochs: seconds,
      device: model.device,
      last: { trainLoss, validationLoss, validationAccuracy },
    }),
  );
  model.dispose();
}

void main();

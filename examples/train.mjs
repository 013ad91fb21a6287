/**
 * Trains on a folder of images, evaluates the best weights on images held out, and writes a report.
 *
 *   node examples/train.mjs [FOLDER [POSITIVE]]
 *
 * FOLDER holds one folder of images for each class; POSITIVE is the class to be found, where there are two. Without
 * them, made-up slices are drawn into ./phantoms: no patient is behind them.
 */
// @ts-check
import { Classifier, evaluate, makePhantoms, openDataset, Trainer } from 'covidct-torch';
import { addEvaluation, addTraining, writeReport } from 'covidct-torch/report';

const OUT = 'runs/example';
const [folder, positive] = process.argv.slice(2);

const data =
  folder === undefined
    ? await openDataset((await makePhantoms('phantoms', { count: 120, size: 64, seed: 1 })).dir)
    : await openDataset(folder, { positive, validationSplit: 0.2, testSplit: 0.2 });
const { train, validation, test } = data;
if (test === null) throw new Error(`${data.name} has no test split`);
console.log(`${data.name}: ${train.samples.length} images to train on, ${test.samples.length} to test`);

// `tiny` trains in seconds on a processor; `resnet18` or `vgg19_bn` are what one takes for real images.
const model = await Classifier.create({ architecture: 'tiny', classes: data.classes, dropout: 0.2, seed: 1 });
const trainer = new Trainer({
  model,
  out: OUT,
  overwrite: true, // an earlier run of this example
  imageSize: 48,
  epochs: 15,
  batchSize: 8,
  accumulate: 1,
  learningRate: 0.01,
});

// `await trainer.fit(train, validation)` does the same without a look at each epoch.
for await (const event of trainer.events(train, validation)) {
  if (event.type === 'epoch')
    console.log(`epoch ${event.epoch}: loss ${event.trainLoss.toFixed(3)}, AUC ${event.validationAuc?.toFixed(3)}`);
}

const evaluation = await evaluate(model, test, { split: 'test' });
const { value, interval } = evaluation.intervals.accuracy;
const limits = interval?.map((limit) => limit.toFixed(3)).join(' to ');
console.log(`accuracy ${value?.toFixed(3)} (95 % interval ${limits})`);
console.log(`confusion matrix [true][predicted]: ${JSON.stringify(evaluation.confusionMatrix)}`);

await addTraining(OUT, { dataset: train });
await addEvaluation(OUT, { model, dataset: test, evaluation });
console.log(`report: ${await writeReport(OUT)}`);
model.dispose();

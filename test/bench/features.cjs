/**
 * What keeping the features of a frozen backbone saves: the same training of the head with and without, in one process,
 * on made-up slices. Seconds of each epoch; the losses of both must be the same.
 *   npm run bench:features -- [--arch resnet18] [--images 64] [--image-size 224] [--epochs 4]
 */
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier, makePhantoms, openDataset, Trainer } = require('../../dist/index.js');

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'resnet18' },
    images: { type: 'string', default: '64' },
    'image-size': { type: 'string', default: '224' },
    epochs: { type: 'string', default: '4' },
  },
});
const imageSize = Number(values['image-size']);

async function train(data, cacheFeatures) {
  const model = await Classifier.create({
    architecture: values.arch,
    classes: [...data.classes],
    device: 'cpu',
    dropout: 0,
  });
  const seconds = [],
    losses = [];
  try {
    const { transform } = model; // the same for both: without augmentation
    for await (const event of new Trainer({
      model,
      imageSize,
      epochs: Number(values.epochs),
      accumulate: 1,
      patience: 100,
      freeze: 'backbone',
      cacheFeatures,
      trainTransform: transform,
      evalTransform: transform,
    }).events(data.train, data.validation)) {
      if (event.type === 'epoch') {
        seconds.push(event.seconds);
        losses.push([event.trainLoss, event.validationLoss]);
      }
    }
  } finally {
    model.dispose();
  }
  return { seconds, losses };
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-features-'));
  try {
    await makePhantoms(dir, { count: Number(values.images), size: imageSize });
    const data = await openDataset(dir);
    console.log(
      `${values.arch}, ${data.train.samples.length} training and ${data.validation.samples.length} validation ` +
        `images of ${imageSize} pixels, backbone frozen: seconds of each epoch`,
    );
    const [plain, kept] = [await train(data, false), await train(data, true)];
    console.log(`without  ${plain.seconds.map((s) => s.toFixed(3)).join('  ')}`);
    console.log(`kept     ${kept.seconds.map((s) => s.toFixed(3)).join('  ')}`);
    const later = ({ seconds }) => seconds.slice(1).reduce((a, b) => a + b);
    console.log(`from the second epoch on kept / without = ${(later(kept) / later(plain)).toFixed(4)}`);
    const same = JSON.stringify(plain.losses) === JSON.stringify(kept.losses);
    console.log(
      same
        ? 'every loss is the same, bit for bit'
        : `the losses differ: ${JSON.stringify(plain.losses)} ${JSON.stringify(kept.losses)}`,
    );
    process.exitCode = same ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

void main();

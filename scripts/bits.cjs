/**
 * The bits of trainings and predictions of one or two checkouts, on the same made-up images:
 *   npm run bits -- [CHECKOUT] [OTHER] [--architectures a,b] [--real COVID-CT]
 * Prints one hash a case; with two checkouts both are run, and the exit code is 1 where a hash differs. For a
 * refactoring that must change nothing: build both checkouts first.
 */
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');

/** Options of the trainings, beside those that all share. */
const RECIPES = {
  plain: {},
  accumulated: { accumulate: 3, maxGradientNorm: 0.5, classWeights: 'balanced', labelSmoothing: 0.1 },
  tuned: {
    optimizer: 'adamw',
    learningRate: 1e-3,
    schedule: { type: 'cosine', warmupEpochs: 1 },
    groups: [
      { match: 'head', learningRateScale: 3 },
      { match: 'norms', weightDecay: 0 },
    ],
    freeze: { depth: 1, unfreeze: [{ epoch: 2, parameters: 'all' }] },
  },
  averaged: {
    ema: { decay: 0.9 },
    nesterov: true,
    weightDecay: 1e-3,
    groups: [{ match: 'biases', learningRate: 0.02 }],
  },
  features: { freeze: 'backbone', cacheFeatures: { augmentations: 2 }, optimizer: 'adam' },
};

const sha = (...parts) =>
  parts
    .reduce((hash, part) => hash.update(part), createHash('sha256'))
    .digest('hex')
    .slice(0, 16);

/** The numbers of a safetensors file, without its header. */
function tensorBytes(file) {
  const bytes = readFileSync(file);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

async function measure({ checkout, architectures, real, folder }) {
  const api = require(join(checkout, 'dist/index.js'));
  const print = (name, hash) => process.stdout.write(`${JSON.stringify({ name, hash })}\n`);
  // A second checkout finds the images of the first there.
  if (!existsSync(folder)) await api.makePhantoms(folder, { count: 72, seed: 3, size: 160 });
  const data = await api.openDataset(folder);
  const sources = data.test.samples.slice(0, 6).map(({ source }) => source);
  for (const architecture of architectures) {
    for (const convolution of ['auto', 'libtorch']) {
      const model = await api.Classifier.create({
        architecture,
        classes: data.classes ?? data.train.classes,
        seed: 5,
        convolution,
        imageSize: 64,
      });
      try {
        const weights = join(folder, '..', `weights-${process.pid}.safetensors`);
        await model.saveWeights(weights);
        print(`${architecture} ${convolution} initial`, sha(tensorBytes(weights)));
        const hasNorms = model.tensors().some(({ name }) => name.endsWith('running_mean'));
        const recipes =
          convolution === 'auto' ? Object.keys(RECIPES).filter((each) => hasNorms || each !== 'tuned') : ['plain'];
        for (const recipe of recipes) {
          const options = { accumulate: 1, ...RECIPES[recipe] };
          const trainer = new api.Trainer({ model, epochs: 2, batchSize: 8, imageSize: 64, seed: 7, ...options });
          const history = await trainer.fit(data.train, data.validation);
          const losses = history.epochs.map(({ trainLoss, trainAccuracy, validationLoss, validationAuc }) => [
            trainLoss,
            trainAccuracy,
            validationLoss,
            validationAuc,
          ]);
          await model.saveWeights(weights);
          print(`${architecture} ${convolution} ${recipe} weights`, sha(tensorBytes(weights)));
          print(`${architecture} ${convolution} ${recipe} losses`, sha(JSON.stringify(losses)));
        }
        const predictions = await model.predict(sources);
        print(
          `${architecture} ${convolution} predictions`,
          sha(JSON.stringify(predictions.map((p) => p.probabilities))),
        );
        const one = await model.predict(sources[0]);
        print(`${architecture} ${convolution} prediction of one`, sha(JSON.stringify(one.map((p) => p.probabilities))));
        const maps = await model.explain(sources.slice(0, 2));
        print(
          `${architecture} ${convolution} Grad-CAM`,
          sha(...maps.map(({ map }) => Buffer.from(map.buffer, map.byteOffset, map.byteLength))),
        );
        rmSync(weights);
      } finally {
        model.dispose();
      }
    }
  }
  if (real) {
    const { train, validation, test } = await api.openDataset(real);
    const hash = createHash('sha256');
    for (const { source } of [...train.samples, ...validation.samples, ...test.samples])
      hash.update((await api.decodeImage(source)).data);
    print('decoded pixels of the real slices', hash.digest('hex').slice(0, 16));
  }
}

function run(checkout, task) {
  const text = execFileSync(
    process.execPath,
    [__filename, '--task', JSON.stringify({ ...task, checkout: resolve(checkout) })],
    { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1e8 },
  );
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ name, hash }) => [name, hash]),
  );
}

function main(args) {
  const option = (name) => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args.splice(at, 2)[1];
  };
  const parent = mkdtempSync(join(tmpdir(), 'covidct-bits-'));
  const task = {
    folder: join(parent, 'phantoms'),
    architectures: (option('--architectures') ?? 'tiny,resnet18,densenet121').split(','),
    real: option('--real'),
  };
  const checkouts = args.length > 0 ? args : [resolve(__dirname, '..')];
  const results = checkouts.map((checkout) => run(checkout, task));
  rmSync(parent, { recursive: true });
  let different = 0;
  for (const [name, hash] of results[0]) {
    const same = results.every((each) => each.get(name) === hash);
    if (!same) different += 1;
    const verdict = checkouts.length > 1 ? (same ? ' same' : ' DIFFERENT') : '';
    console.log(`${name.padEnd(45)} ${results.map((each) => each.get(name) ?? 'missing').join(' ')}${verdict}`);
  }
  if (checkouts.length > 1) console.log(different === 0 ? 'SAME BITS' : `${different} of ${results[0].size} differ`);
  process.exitCode = different === 0 ? 0 : 1;
}

if (process.argv[2] === '--task')
  void measure(JSON.parse(process.argv[3])).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
else main(process.argv.slice(2));

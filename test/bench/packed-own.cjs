/**
 * One epoch over a packed data set of made-up slices: node packed-own.cjs TASK. Packs them (streaming: each is made
 * when it is written), then trains a tiny network on them once. Prints rates, step times and resident memory as JSON.
 */
const { PackedDataset, PixelStore, preparePacked, tutorialTrain } = require('../../dist/index.js');
const { phantomPixels } = require('../../dist/data/phantoms/phantoms.js');
const { loadBatches } = require('../../dist/data/loader.js');
const { createNetwork } = require('../../dist/model/open-network.js');
const { median } = require('./turns.cjs');

const { file, slices, size, batch, threads, cacheBytes, windows } = JSON.parse(process.argv[2]);
const CLASSES = ['NonCOVID', 'COVID'];
const ORIGINALS = 32; // drawn; the others are these, brightened and moved

/** Slice i, size x size, made when it is asked for. */
function madeUp(i, originals) {
  const { data, width, height } = originals[i % ORIGINALS];
  const side = Math.min(size, width, height),
    light = Math.floor(i / ORIGINALS) % 29,
    shift = (i * 7) % side;
  const out = Buffer.allocUnsafe(side * side * 3);
  for (let y = 0; y < side; y += 1) {
    const from = ((y + shift) % side) * width * 3;
    for (let k = 0; k < side * 3; k += 1) out[y * side * 3 + k] = Math.min(255, data[from + k] + light);
  }
  return { data: out, width: side, height: side };
}

async function pack() {
  const originals = Array.from({ length: ORIGINALS }, (_, index) =>
    phantomPixels({ positive: index % 2 === 1, index, size: Math.ceil(size * 1.6) }),
  );
  const samples = Array.from({ length: slices }, (_, i) => ({
    id: `made-up-${i}`,
    label: i % 2,
    source: { name: `made-up-${i}`, resize: null, readPixels: async () => madeUp(i, originals) },
  }));
  await preparePacked(
    {
      name: 'made-up slices',
      classes: CLASSES,
      train: { name: 'made-up slices train', classes: CLASSES, samples },
      validation: null,
      test: null,
    },
    file,
    { concurrency: 16 },
  );
}

async function walk() {
  const data = await PackedDataset.open(file);
  const model = await createNetwork({ architecture: 'tiny', classes: CLASSES, device: 'cpu', threads });
  await model.configureOptimizer({
    learningRate: 0.001,
    momentum: 0.9,
    weightDecay: 0,
    dampening: 0,
    nesterov: false,
  });
  const store = new PixelStore({ maxCacheBytes: cacheBytes });
  const transform = tutorialTrain({ size: Math.round((size * 224) / 256) });
  const perWindow = Math.ceil(slices / batch / windows);
  const parts = [];
  let steps = [],
    waits = [],
    began = performance.now(),
    ended = began,
    cpu = process.cpuUsage(),
    done = 0;
  for await (const { indices, input } of loadBatches({
    dataset: data.train,
    transform,
    store,
    resize: model.resizePixels,
    batchSize: batch,
    seed: 0,
    epoch: 1,
    shuffle: true,
  })) {
    const called = performance.now();
    waits.push(called - ended);
    await model.trainStep(input, { divisor: indices.length, dropoutSeed: 1, classWeights: new Float32Array(0) });
    await model.optimizerStep(0.001);
    ended = performance.now();
    steps.push(ended - called);
    done += indices.length;
    if (steps.length < perWindow && done < slices) continue;
    const used = process.cpuUsage(cpu);
    parts.push({
      rate: ((steps.length * batch) / (ended - began)) * 1000,
      step: median(steps),
      wait: median(waits),
      cpu: (used.user + used.system) / 1000 / steps.length,
      rss: process.memoryUsage().rss,
    });
    [steps, waits, began, cpu] = [[], [], ended, process.cpuUsage()];
  }
  console.log(JSON.stringify({ parts, read: store.stats.decodes, kept: store.stats.bytes, done }));
  model.dispose();
  await data.close();
}

void (process.argv[3] === 'pack' ? pack() : walk());

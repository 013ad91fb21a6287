/** Ours, timed: node step-own.cjs TASK CONVOLUTION. Prints best milliseconds and peak memory as JSON, as step_peer.py does. */
const { Classifier, tutorialEval } = require('../../dist/index.js');
const { peak } = require('./turns.cjs');
const { makeBatch } = require('../../dist/data/batch.js');

const { architecture, batch, side, threads } = JSON.parse(process.argv[2]);

async function best(times, work) {
  let least = Infinity;
  for (let i = 0; i < times; i += 1) {
    const began = performance.now();
    await work();
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

async function main() {
  const model = await Classifier.create({ architecture, classes: ['a', 'b'], device: 'cpu', threads, convolution: process.argv[3] });
  const pixels = Array.from({ length: batch }, (_, i) => ({ data: Uint8Array.from({ length: side * side * 3 }, (_unused, k) => (k * 7 + i * 31 + (k * k) / 128) % 256), width: side, height: side }));
  const input = makeBatch(pixels, pixels.map((_, i) => i % 2), tutorialEval({ size: side }));
  const predict = await best(5, () => model.predictBatch(input));
  const train = await best(3, async () => {
    await model.trainStep(input, { divisor: batch, dropoutSeed: 1, classWeights: new Float32Array(0) });
    await model.optimizerStep({ learningRate: 0.01, momentum: 0.9, weightDecay: 0, dampening: 0, nesterov: false });
  });
  console.log(JSON.stringify({ predict, train, peak: peak() }));
  model.dispose();
}

void main();

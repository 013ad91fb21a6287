/**
 * What it costs that the pixels of each micro-batch are copied into the addon again in every epoch:
 *   node scripts/pixel-copy.cjs [--arch resnet18] [--batch 8] [--side 256] [--threads N] [--steps 5]
 * Prints the milliseconds for which the call of a training step holds the event loop (the copy, with the checks), those
 * that the network's input takes in the addon, and those of the whole step. Keeping the resized pixels on the native
 * side could save at most the first.
 */
const { parseArgs } = require('node:util');
const { tutorialTrain } = require('../dist/index.js');
const { makeBatch } = require('../dist/data/batch.js');
const { makeDraw } = require('../dist/data/random.js');
const { createNetwork } = require('../dist/model/open-network.js');

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'resnet18' },
    batch: { type: 'string', default: '8' },
    side: { type: 'string', default: '256' },
    threads: { type: 'string', default: '0' },
    steps: { type: 'string', default: '5' },
  },
});
const [count, side, steps] = [values.batch, values.side, values.steps].map(Number);

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Images as a PixelStore keeps them between epochs: resized to a shorter side of 256. */
function images() {
  return Array.from({ length: count }, (_, image) => ({
    data: Uint8Array.from({ length: side * side * 3 }, (_unused, i) => (i * 7 + image * 37) % 256),
    width: side,
    height: side,
  }));
}

async function main() {
  const network = await createNetwork({
    architecture: values.arch,
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: Number(values.threads),
  });
  const learningRate = 1e-4;
  await network.configureOptimizer({ learningRate, momentum: 0.9, weightDecay: 0, dampening: 0, nesterov: false });
  const pixels = images();
  const times = { call: [], input: [], step: [] };
  for (let step = 0; step <= steps; step += 1) {
    const draws = pixels.map((_, sample) => makeDraw({ seed: step, sample }));
    const labels = pixels.map((_, index) => index % 2);
    const batch = makeBatch(pixels, labels, tutorialTrain(), draws);
    let began = performance.now();
    await network.input(batch, { discard: true });
    const input = performance.now() - began;
    began = performance.now();
    const work = network.trainStep(batch, { divisor: count, dropoutSeed: step, classWeights: new Float32Array(0) });
    const call = performance.now() - began;
    await work;
    await network.optimizerStep(learningRate);
    const whole = performance.now() - began;
    if (step === 0) continue; // memory is touched for the first time
    times.call.push(call);
    times.input.push(input);
    times.step.push(whole);
  }
  network.dispose();
  const [call, input, step] = [median(times.call), median(times.input), median(times.step)];
  const bytes = (count * side * side * 3) / 2 ** 20;
  console.log(
    `${values.arch}, ${count} images of ${side} x ${side} (${bytes.toFixed(2)} MiB), ${network.threads} threads:`,
  );
  console.log(`  copy into the addon  ${call.toFixed(3)} ms  ${((100 * call) / step).toFixed(3)} % of a step`);
  console.log(`  network's input      ${input.toFixed(3)} ms  ${((100 * input) / step).toFixed(3)} %`);
  console.log(`  training step        ${step.toFixed(1)} ms`);
}

void main();

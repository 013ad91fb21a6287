/**
 * Ours, timed: node input-own.cjs TASK. The loader of a training, and the network's input made in the addon and let go.
 * Prints slices a second of each epoch as JSON, as input_peer.py does; and for how long one call held the event loop.
 */
const { readFileSync } = require('node:fs');
const { PixelStore, tutorialTrain } = require('../../dist/index.js');
const { loadBatches } = require('../../dist/data/loader.js');
const { createNetwork } = require('../../dist/model/open-network.js');

const { files, orders, batch, threads, ahead } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

async function main() {
  const model = await createNetwork({ architecture: 'tiny', classes: ['a', 'b'], device: 'cpu', threads });
  const dataset = {
    name: 'slices',
    classes: ['a', 'b'],
    samples: files.map((source, i) => ({ id: source, source, label: i % 2 })),
  };
  const store = new PixelStore();
  const rates = [],
    calls = [];
  for (const epoch of orders.keys()) {
    const began = performance.now();
    let slices = 0;
    for await (const { indices, input } of loadBatches({
      dataset,
      transform: tutorialTrain(),
      store,
      resize: ahead ? model.resizePixels : undefined,
      batchSize: batch,
      seed: 0,
      epoch,
      shuffle: true,
    })) {
      const called = performance.now();
      const made = model.input(input, { discard: true });
      calls.push(performance.now() - called);
      await made;
      slices += indices.length;
    }
    rates.push((slices / (performance.now() - began)) * 1000);
  }
  console.log(
    JSON.stringify({
      rates,
      call: calls.sort((a, b) => a - b)[Math.floor(calls.length / 2)],
      bytes: store.stats.bytes,
      decodes: store.stats.decodes,
    }),
  );
  model.dispose();
}

void main();

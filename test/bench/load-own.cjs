/**
 * One load of VGG19-BN with ours: node load-own.cjs FILE. Prints seconds and peak memory as JSON, as load_peer.py does.
 */
const { Classifier } = require('../../dist/index.js');
const { peak } = require('./turns.cjs');

async function main() {
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
  const model = await Classifier.create({ architecture: 'vgg19_bn', classes, device: 'cpu', threads: 2 });
  const baseline = peak();
  const began = performance.now();
  await model.loadWeights(process.argv[2]);
  console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, peak: peak(), baseline }));
  model.dispose();
}

void main();

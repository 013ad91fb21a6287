/** Saves models of several seeds into one folder, in turn, until it is told to stop: node saver.cjs DIR SEED ... */
const { Classifier } = require('../../../dist/index.js');

const [dir, ...seeds] = process.argv.slice(2);
let stopped = false;
process.on('message', () => {
  stopped = true;
});

async function main() {
  const models = [];
  for (const seed of seeds.map(Number)) {
    const model = await Classifier.create({
      architecture: 'tiny',
      classes: ['negative', 'positive'],
      device: 'cpu',
      threads: 1,
      imageSize: 32,
      seed,
    });
    model.configure({ transform: model.transform, threshold: seed / 100 });
    models.push(model);
  }
  await models[0].save(dir);
  process.send('ready');
  for (let turn = 1; !stopped; turn += 1) await models[turn % models.length].save(dir);
  for (const model of models) model.dispose();
  process.disconnect();
}

void main();

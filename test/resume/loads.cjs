/**
 * Loads the model of a run folder again and again while a training writes a new one after every epoch, and the model of
 * a folder that another process saves into: whatever is loaded must be one of the models that were written, whole.
 *   node test/resume/loads.cjs [--loads 10000] [--flips 1000]
 * Then flips single bits of a weight file and counts how many load. Exit code 1 unless nothing torn and nothing flipped
 * was loaded.
 */
const { fork } = require('node:child_process');
const { createHash } = require('node:crypto');
const { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier, makePhantoms } = require('../../dist/index.js');

const { values } = parseArgs({
  options: { loads: { type: 'string', default: '10000' }, flips: { type: 'string', default: '1000' } },
});
const dir = mkdtempSync(join(tmpdir(), 'covidct-loads-'));
const scratch = join(dir, 'compared.safetensors');

/** The hash of a model's tensors. */
async function tensorsOf(model) {
  await model.saveWeights(scratch);
  const bytes = readFileSync(scratch);
  return createHash('sha256')
    .update(bytes.subarray(8 + Number(bytes.readBigUInt64LE())))
    .digest('hex');
}

/**
 * Loads while a process writes. Which weights belong to an origin and a threshold is learned from the loads: one of
 * another epoch beside a card shows as two kinds of weights under one origin.
 */
async function loadWhile(name, folder, args, count) {
  const writer = fork(join(__dirname, name), args);
  await new Promise((resolve) => writer.once('message', resolve));
  const known = new Map();
  let [torn, failed] = [0, 0];
  for (let load = 0; load < count; load += 1) {
    try {
      const model = await Classifier.load(folder, { threads: 1 });
      const key = `${model.origin} ${model.threshold}`;
      const tensors = await tensorsOf(model);
      model.dispose();
      if ((known.get(key) ?? tensors) !== tensors) torn += 1;
      known.set(key, tensors);
    } catch (error) {
      failed += 1;
      console.error(error.message);
    }
  }
  const ended = new Promise((resolve) => writer.once('exit', resolve));
  writer.send('stop');
  await ended;
  console.log(`${name}: ${count} loads of ${known.size} models: ${torn} torn, ${failed} failed`);
  return torn + failed + (known.size < 2 ? 1 : 0);
}

async function flipBits(folder, count) {
  const card = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const file = join(folder, card.weights);
  const { size } = statSync(file);
  const bytes = readFileSync(file);
  const handle = openSync(file, 'r+');
  let loaded = 0;
  for (let flip = 0; flip < count; flip += 1) {
    const at = Math.floor((flip / count) * size);
    writeSync(handle, Buffer.from([bytes[at] ^ (1 << (flip % 8))]), 0, 1, at);
    await Classifier.load(folder, { threads: 1 }).then(
      (model) => {
        loaded += 1;
        model.dispose();
      },
      (error) => {
        if (error.code !== 'ERR_WEIGHTS') throw error;
      },
    );
    writeSync(handle, bytes, at, 1, at);
  }
  closeSync(handle);
  (await Classifier.load(folder, { threads: 1 })).dispose();
  console.log(`${count} flipped bits: ${loaded} loaded`);
  return loaded;
}

async function main() {
  await makePhantoms(join(dir, 'data'), { count: 24, size: 32 });
  const half = Math.ceil(Number(values.loads) / 2);
  const bad =
    (await loadWhile('train-forever.cjs', join(dir, 'run'), [join(dir, 'data'), join(dir, 'run')], half)) +
    (await loadWhile('../native/child/saver.cjs', join(dir, 'model'), [join(dir, 'model'), '1', '2', '3'], half)) +
    (await flipBits(join(dir, 'model'), Number(values.flips)));
  if (bad > 0) process.exitCode = 1;
}

main().finally(() => rmSync(dir, { recursive: true, force: true }));

/**
 * Classifiers with threads of their own in one process: bits of their answers and gradients, and how many threads each
 * had at work.
 * node threads.cjs '{"runs": [{"threads": [1, 2], "order": ["load 0", "load 1", "run 0", "run 1"]}], "workers": [[...],
 *   ...]}'
 * `runs` go in the main thread, then each element of `workers` in a worker thread of its own. Prints one line of JSON:
 * for the main thread and every worker an array of runs, for every run an array of {bits, team}.
 */
const { createHash } = require('node:crypto');
const { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { createNetwork } = require('../../../dist/model/open-network.js');

const SIDE = 64,
  IMAGES = 4;

const images = {
  images: Array.from({ length: IMAGES }, (_, i) =>
    Uint8Array.from({ length: SIDE * SIDE * 3 }, (_unused, k) => (k * (7 + 4 * (i % 2)) + i * 37) % 256),
  ),
  sizes: new Int32Array(2 * IMAGES).fill(SIDE),
  programs: new Int32Array(0),
  programOffsets: new Int32Array(IMAGES + 1),
  height: SIDE,
  width: SIDE,
  mean: new Float64Array(3),
  std: new Float64Array(3).fill(1),
  labels: Int32Array.from({ length: IMAGES }, (_, i) => i % 2),
};

const folder = mkdtempSync(join(tmpdir(), 'covidct-threads-'));

let files = 0;

/** What a step leaves in all gradients, and what is answered twice (the second time with kept filters). */
async function bitsOf(model) {
  await model.trainStep(images, { divisor: IMAGES, dropoutSeed: 1, classWeights: new Float32Array(0) });
  const file = join(folder, `gradients-${(files += 1)}`);
  writeFileSync(file, '');
  await model.writeTensors(
    file,
    0,
    model.tensors.filter(({ kind }) => kind === 'parameter').map(({ name }) => `grad.${name}`),
  );
  const hash = createHash('sha256').update(readFileSync(file));
  for (let call = 0; call < 2; call += 1) hash.update((await model.predict(images)).logits);
  return hash.digest('hex').slice(0, 16);
}

/** Threads of the process by their number; where there is no /proc, none. */
function tasks() {
  try {
    return readdirSync('/proc/self/task');
  } catch {
    return [];
  }
}

/** How many threads have come since; those of an earlier run may be ending meanwhile. */
function startedSince(before) {
  return tasks().filter((each) => !before.includes(each)).length;
}

async function run({ threads, order, architecture = 'tiny', together = false }) {
  const models = [],
    found = [];
  const compute = async (i) => {
    const before = tasks();
    const bits = await bitsOf(models[i]);
    // OpenMP keeps a team for every thread that computes: what has come is this one's.
    found[i] = { bits, team: 1 + startedSince(before) };
  };
  for (const each of order) {
    const [what, i] = each.split(' ');
    const before = tasks();
    if (what === 'load')
      models[i] = await createNetwork({
        architecture,
        classes: ['a', 'b'],
        device: 'cpu',
        threads: threads[i],
        seed: 3,
        dropout: 0,
      });
    else if (what === 'run' && !together) await compute(i);
    else if (what === 'resize') {
      await models[i].resizePixels(
        { data: new Uint8Array(300 * 300 * 3), width: 300, height: 300 },
        { width: 200, height: 200 },
      );
      found.push({ team: startedSince(before) });
    }
  }
  if (together) await Promise.all(threads.map((_, i) => compute(i)));
  for (const model of models) model.dispose();
  return found;
}

async function all(runs) {
  const results = [];
  for (const each of runs) results.push(await run(each));
  rmSync(folder, { recursive: true });
  return results;
}

const inWorker = (runs) =>
  new Promise((resolve, reject) => {
    new Worker(__filename, { workerData: runs }).on('message', resolve).on('error', reject);
  });

async function main({ runs, workers = [] }) {
  const results = [await all(runs)];
  for (const each of workers) results.push(await inWorker(each));
  process.stdout.write(`${JSON.stringify(results)}\n`);
}

if (isMainThread) void main(JSON.parse(process.argv[2]));
else
  void all(workerData).then((results) => {
    parentPort.postMessage(results);
  });

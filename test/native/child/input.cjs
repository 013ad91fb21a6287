/**
 * Ends of life of what prepares the input, each in a process of its
 * own: `node input.cjs NAME FILE`. Uses the built library.
 */
const { readdirSync, readFileSync } = require('node:fs');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { decodeImage, PackedDataset, preparePacked } = require('../../../dist/index.js');
const { phantomPixels } = require('../../../dist/data/phantoms/phantoms.js');
const { Resizer } = require('../../../dist/model/resizer.js');

const image = { data: new Uint8Array(300 * 400 * 3).fill(7), height: 300, width: 400 };
const say = (text) => process.stdout.write(`${text}\n`);
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const [, , name, file] = process.argv;

async function collected() {
  for (let i = 0; i < 20; i += 1) {
    global.gc();
    await rest(10);
  }
}

async function terminated(work) {
  for (let i = 0; i < 3; i += 1) {
    const each = new Worker(__filename, { workerData: { work, file } });
    await new Promise((resolve) => each.once('message', resolve));
    await each.terminate();
  }
  say('done');
}

const scenarios = {
  async resizerIdle() {
    await new Resizer().resize(image, { height: 256, width: 341 });
    say('done');
  },
  async resizerExit() {
    const resizer = new Resizer();
    for (let i = 0; i < 500; i += 1) resizer.resize(image, { height: 256, width: 341 }).catch(() => undefined);
    say('done');
    setTimeout(() => process.exit(7), 20);
  },
  resizerTerminate: () => terminated('resize'),
  async resizerForgotten() {
    for (let i = 0; i < 100; i += 1) {
      await new Resizer().resize(image, { height: 2, width: 3 });
      if (i % 20 === 19) await collected();
    }
    say(`threads ${readFileSync('/proc/self/status', 'utf8').match(/Threads:\s+(\d+)/)[1]}`);
  },
  async packIdle() {
    const { train } = await PackedDataset.open(file);
    say((await decodeImage(train.samples[0].source)).width);
  },
  async packForgotten() {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 30; i += 1)
      await (async () => decodeImage((await PackedDataset.open(file)).train.samples[0].source))();
    await collected();
    say(`files ${readdirSync('/proc/self/fd').length - before}`);
  },
  packTerminate: () => terminated('read'),
  /** Tells of every image it has packed, to be killed by who listens. */
  async packing() {
    const samples = Array.from({ length: 1000 }, (_, index) => ({
      id: String(index),
      label: 0,
      source: { name: String(index), resize: null, readPixels: async () => phantomPixels({ positive: false, index }) },
    }));
    await preparePacked(
      { name: 'many', classes: ['a'], train: { name: 'many', classes: ['a'], samples }, validation: null, test: null },
      file,
      { onProgress: ({ images }) => say(images) },
    );
  },
};

async function inWorker({ work, file: packed }) {
  const data = work === 'read' ? await PackedDataset.open(packed) : null;
  const resizer = new Resizer();
  const once = () =>
    data === null
      ? Promise.all([1, 2, 3, 4].map(() => resizer.resize(image, { height: 256, width: 341 })))
      : Promise.all(data.train.samples.map(({ source }) => decodeImage(source)));
  await once();
  parentPort.postMessage('started');
  for (;;) await once();
}

if (isMainThread) void scenarios[name]();
else void inWorker(workerData);

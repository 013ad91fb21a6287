/** Ends of life, each in a process of its own: `node scenarios.cjs NAME`. Uses the built library. */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { dirname, join } = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { constants, PerformanceObserver } = require('node:perf_hooks');
const { classifierOf } = require('../../../dist/model/classifier.js');
const { createNetwork } = require('../../../dist/model/open-network.js');

const SIDE = 64;
const make = (architecture = 'tiny') =>
  createNetwork({ architecture, classes: ['NonCOVID', 'COVID'], device: 'cpu', threads: 1 });

function batch(n) {
  return {
    images: Array.from({ length: n }, (_, i) => new Uint8Array(SIDE * SIDE * 3).fill(20 * i)),
    sizes: new Int32Array(2 * n).fill(SIDE),
    programs: new Int32Array(0),
    programOffsets: new Int32Array(n + 1),
    height: SIDE,
    width: SIDE,
    mean: new Float64Array(3),
    std: new Float64Array(3).fill(1),
    labels: new Int32Array(n),
  };
}

const step = (classifier, n = 32) =>
  classifier.trainStep(batch(n), { divisor: n, dropoutSeed: 0, classWeights: new Float32Array(0) });

/** Sum of the squares of the head's gathered gradients. */
async function gradientSize(classifier) {
  const file = join(mkdtempSync(join(tmpdir(), 'covidct-gradient-')), 'bias');
  writeFileSync(file, '');
  await classifier.writeTensors(file, 0, ['grad.classifier.6.bias']);
  const bytes = readFileSync(file);
  rmSync(dirname(file), { recursive: true });
  return [0, 4].reduce((sum, at) => sum + bytes.readFloatLE(at) ** 2, 0);
}

/** Images of 224 x 224 pixels. */
const large = (n) => ({
  ...batch(n),
  images: Array.from({ length: n }, () => new Uint8Array(224 * 224 * 3)),
  sizes: new Int32Array(2 * n).fill(224),
  height: 224,
  width: 224,
});
const peak = () => Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024);

const say = (text) => process.stdout.write(`${text}\n`);

function worker(name) {
  return new Worker(__filename, { workerData: name });
}

/** Lets the process take so many bytes more than it has now; Infinity takes the limit away. */
function allow(more) {
  const has = Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  execFileSync('prlimit', [
    '--pid',
    String(process.pid),
    `--as=${more === Infinity ? 'unlimited' : has + more}:unlimited`,
  ]);
}

const scenarios = {
  /** Most resident memory of predictions with batches of growing size, in MiB, or of the largest alone. */
  async growing() {
    const classifier = await make();
    for (let n = 1; n <= 40; n += 1) await classifier.predict(large(n));
    say(JSON.stringify({ peak: peak() }));
    classifier.dispose();
  },
  async largest() {
    const classifier = await make();
    for (let i = 0; i < 2; i += 1) await classifier.predict(large(40));
    say(JSON.stringify({ peak: peak() }));
    classifier.dispose();
  },

  /** Resident memory before a classifier, after steps and predictions, and after its end, in MiB. */
  async returned() {
    const resident = () =>
      Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024);
    const small = await make();
    await step(small);
    small.dispose();
    const before = resident();
    const classifier = await make('vgg11');
    await classifier.configureOptimizer({
      learningRate: 0.01,
      momentum: 0.9,
      weightDecay: 0,
      dampening: 0,
      nesterov: false,
    });
    for (let i = 0; i < 2; i += 1) {
      await step(classifier, 4);
      await classifier.optimizerStep(0.01);
      await classifier.predict(batch(4));
    }
    const trained = resident();
    classifier.dispose();
    await new Promise((done) => {
      setTimeout(done, 500);
    }); // its thread ends by itself
    say(JSON.stringify({ before, trained, after: resident() }));
  },

  /** Runs out of memory for real, in a step and in a prediction; then the same classifier goes on. */
  async memory() {
    const classifier = await make();
    await step(classifier, 8);
    const before = (await classifier.predict(batch(2))).logits;
    const codes = [];
    const take = (error) => codes.push(`${error.code}: ${/ran out of memory/.test(error.message)}`);
    allow(400 * 2 ** 20);
    await classifier.predict(batch(4096)).catch(take);
    // What a prediction wants must not cost a training its gradients.
    const kept = await gradientSize(classifier);
    await step(classifier, 4096).catch(take);
    allow(Infinity);
    const dropped = await gradientSize(classifier);
    const after = (await classifier.predict(batch(2))).logits;
    await step(classifier, 8);
    say(
      JSON.stringify({
        codes,
        kept: kept > 0,
        dropped: dropped === 0,
        same: before.every((value, i) => value === after[i]),
        again: (await gradientSize(classifier)) > 0,
      }),
    );
    classifier.dispose();
  },
  /** Nothing is disposed and nothing is pending: the process ends by itself. */
  async idle() {
    await step(await make());
    say('done');
  },
  /** process.exit() in the middle of a job. */
  async exit() {
    const classifier = await make();
    for (let i = 0; i < 20; i += 1) step(classifier, 96).catch(() => undefined);
    say('done');
    setTimeout(() => process.exit(7), 100);
  },
  /** An error nobody catches, in the middle of a job. */
  async uncaught() {
    const classifier = await make();
    for (let i = 0; i < 20; i += 1) step(classifier).catch(() => undefined);
    say('done');
    setTimeout(() => {
      throw new Error('on purpose');
    }, 5);
  },
  /** Disposed in the middle of a job, then the process goes on and ends by itself. */
  async dispose() {
    const classifier = await make();
    const open = [step(classifier), step(classifier)];
    classifier.dispose();
    const results = await Promise.allSettled(open);
    say(results.map((result) => result.reason?.code).join(' '));
  },
  /** Four workers with a classifier each, all at once, and one in the main thread. */
  async workers() {
    const answers = [1, 2, 3, 4].map(
      () =>
        new Promise((resolve, reject) => {
          const each = worker('compute');
          each.once('message', resolve);
          each.once('error', reject);
        }),
    );
    const own = await make();
    await step(own);
    say((await Promise.all(answers)).join(' '));
  },
  /** Workers are ended while they compute. */
  async terminate() {
    for (let i = 0; i < 3; i += 1) {
      const each = worker('endless');
      await new Promise((resolve) => each.once('message', resolve));
      await each.terminate();
    }
    say('done');
  },
  /** A worker is ended while its event loop is busy and a finished job waits to be delivered. */
  async undelivered() {
    for (let i = 0; i < 3; i += 1) {
      const each = worker('busy');
      await new Promise((resolve) => each.once('message', resolve));
      await new Promise((resolve) => setTimeout(resolve, 200));
      await each.terminate();
    }
    say('done');
  },
  /** Far more finished jobs than Node delivers at once, and the classifier is dropped meanwhile. */
  async flood() {
    await (async () => {
      const classifier = await make();
      for (let i = 0; i < 5000; i += 1) classifier.configureOptimizer(null).catch(() => undefined);
      const until = performance.now() + 500;
      while (performance.now() < until);
      classifier.dispose();
    })();
    for (let i = 0; i < 20; i += 1) {
      global.gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    say('done');
  },
  /** Two hundred classifiers are left to the garbage collector. */
  async forgotten() {
    for (let i = 0; i < 200; i += 1) {
      await step(await make(), 1);
      if (i % 20 === 19) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const threads = require('node:fs')
      .readFileSync('/proc/self/status', 'utf8')
      .match(/Threads:\s+(\d+)/)[1];
    say(`threads ${threads}`);
  },
  /**
   * 220 MB of networks behind a few kilobytes of JavaScript, nobody
   * calling the garbage collector: how often does it run?
   */
  async pressure() {
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries())
        if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1;
    });
    observer.observe({ entryTypes: ['gc'] });
    for (let i = 0; i < 600; i += 1) {
      await make();
      if (i % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    say(`collections ${collections}`);
    process.exit();
  },
  /** Canceled by an abort between two batches of a prediction. */
  async abort() {
    const classifier = await make();
    const controller = new AbortController();
    const png = await require('../../../dist/report/index.js').encodeImage({
      data: new Uint8Array(300),
      width: 10,
      height: 10,
    });
    const open = classifierOf(classifier).predict(
      Array.from({ length: 400 }, () => png),
      { batchSize: 1, signal: controller.signal },
    );
    setTimeout(() => controller.abort(), 30);
    say(await open.catch((error) => `${error.name} ${error.code}`));
    classifier.dispose();
  },
};

async function inWorker(name) {
  const classifier = await make();
  if (name === 'compute') {
    await step(classifier);
    parentPort.postMessage('ok');
    return;
  }
  if (name === 'busy') step(classifier).catch(() => undefined);
  parentPort.postMessage('started');
  if (name === 'busy') for (;;);
  for (;;) await step(classifier);
}

if (isMainThread) scenarios[process.argv[2]]();
else inWorker(workerData);

/** Run as a process of its own by the benchmark: prepares, or measures ours through the public classifier. */
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { makeBatch } from '../data/batch';
import { messageOf } from '../errors';
import type { Classifier as ClassifierClass, networkOf as NetworkOf } from '../model/classifier';
import type { Network } from '../model/types';
import { packageFile } from '../addon/package-root';
import type { NativeBatch } from '../addon/batch';
import { peakMemory } from '../model/peak-memory';
import { readImages } from './images';
import { repeat } from './repeat';
import type { TaskResult, Task } from './types';

/** The whole package, loaded as a program that uses it loads it: a cold start pays for it. */
function packageOf(): { Classifier: typeof ClassifierClass } {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(packageFile('dist/index.js')) as { Classifier: typeof ClassifierClass };
}

/** The network of a classifier of the package. */
function networkOf(model: ClassifierClass): Network {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const own = require(packageFile('dist/model/classifier.js')) as { networkOf: typeof NetworkOf };
  return own.networkOf(model);
}

function batchOf(model: ClassifierClass, task: Task): NativeBatch {
  const pixels = readImages(task).map((data) => ({ data, width: task.imageSize, height: task.imageSize }));
  return makeBatch(
    pixels,
    pixels.map((_, index) => index % 2),
    model.transform,
  );
}

async function step(network: Network, batch: NativeBatch, task: Task): Promise<number> {
  const { objective } = await network.trainStep(batch, {
    divisor: task.batchSize,
    dropoutSeed: 0,
    classWeights: new Float32Array(0),
  });
  await network.optimizerStep(task.learningRate);
  return objective;
}

/**
 * A model folder from a fixed seed, without dropout; one training step's
 * forward gives its batch norms statistics of their own.
 */
async function prepare(task: Task): Promise<TaskResult> {
  const model = await packageOf().Classifier.create({
    architecture: task.architecture,
    classes: ['negative', 'positive'],
    seed: 0,
    dropout: 0,
    imageSize: task.imageSize,
    device: 'cpu',
    threads: task.threads,
    convolution: 'libtorch',
  });
  await networkOf(model).trainStep(batchOf(model, task), {
    divisor: task.batchSize,
    dropoutSeed: 0,
    classWeights: new Float32Array(0),
  });
  const { weights } = await model.save(task.model);
  await link(join(task.model, weights), task.weights);
  model.dispose();
  return { numbers: [] };
}

async function measure(task: Task): Promise<TaskResult> {
  const model = await packageOf().Classifier.load(task.model, {
    device: 'cpu',
    threads: task.threads,
    convolution: task.contender === 'ours' ? 'auto' : 'libtorch',
  });
  const batch = batchOf(model, task);
  const network = networkOf(model);
  const predict = async (): Promise<number[]> => Array.from((await network.predict(batch)).logits);
  try {
    if (task.mode === 'cold') return { numbers: await predict() };
    if (task.mode === 'predict') {
      const { results, milliseconds } = await repeat(task, predict);
      return { numbers: results[0]!, milliseconds, peakBytes: peakMemory() };
    }
    const { learningRate } = task;
    await network.configureOptimizer({ learningRate, momentum: 0.9, weightDecay: 0, dampening: 0, nesterov: false });
    const { results, milliseconds } = await repeat(task, () => step(network, batch, task));
    return { numbers: results.slice(0, 2), milliseconds, peakBytes: peakMemory() };
  } finally {
    model.dispose();
  }
}

const task = JSON.parse(process.argv[2]!) as Task;
(task.mode === 'prepare' ? prepare(task) : measure(task)).then(
  (result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error).split('\n')[0]}\n`);
    process.exitCode = 1;
  },
);

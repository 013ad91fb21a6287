/** Run as a process of its own by sizes.ts: trains or predicts once and tells how much memory that took. */
import { makeBatch } from '../data/batch';
import { tutorialEval } from '../data/transforms/presets';
import type { Pixels } from '../data/types';
import { messageOf } from '../errors';
import { loadNative } from '../addon/load';
import type { NativeBatch } from '../addon/batch';
import { createNetwork } from './open-network';
import { peakMemory } from './peak-memory';
import type { SizeResult, SizeTask } from './sizes';

const LEARNING_RATE = 1e-4;

function madeUpBatch({ batchSize, imageSize }: SizeTask): NativeBatch {
  const pixels: Pixels[] = Array.from({ length: batchSize }, (_, image) => ({
    data: Uint8Array.from({ length: imageSize * imageSize * 3 }, (_unused, index) => (index * 7 + image * 37) % 256),
    width: imageSize,
    height: imageSize,
  }));
  return makeBatch(
    pixels,
    pixels.map((_, index) => index % 2),
    tutorialEval({ size: imageSize }),
  );
}

async function measure(task: SizeTask): Promise<SizeResult> {
  loadNative().info();
  const batch = madeUpBatch(task);
  const baseline = peakMemory();
  const model = await createNetwork({
    architecture: task.architecture,
    classes: ['negative', 'positive'],
    device: 'cpu',
    threads: task.threads,
  });
  const weights = model.bytes;
  if (task.mode === 'training')
    await model.configureOptimizer({
      learningRate: LEARNING_RATE,
      momentum: 0.9,
      weightDecay: 0,
      dampening: 0,
      nesterov: false,
    });
  for (let step = 0; step < 2; step += 1) {
    if (task.mode === 'prediction') {
      await model.predict(batch);
    } else {
      await model.trainStep(batch, { divisor: task.batchSize, dropoutSeed: step, classWeights: new Float32Array(0) });
      await model.optimizerStep(LEARNING_RATE);
    }
  }
  const result = { peak: peakMemory(), baseline, parameters: model.parameters, weights };
  model.dispose();
  return result;
}

measure(JSON.parse(process.argv[2]!) as SizeTask).then(
  (result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error).split('\n')[0]}\n`);
    process.exitCode = 1;
  },
);

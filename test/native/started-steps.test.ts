/** Steps that are started and whose outputs are fetched later, as on a GPU: the same numbers; a loss that is not finite never reaches the weights. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Classifier } from '../../src/model/classifier';
import type { NativeOptimizerOptions } from '../../src/addon/types';
import { madeUpBatch, SGD, stepOptions, tiny } from './tiny';

const OPTIMIZERS: Readonly<Record<string, NativeOptimizerOptions>> = {
  sgd: SGD,
  adam: { kind: 'adam', learningRate: 0.001, weightDecay: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  adamw: {
    kind: 'adamw',
    learningRate: 0.001,
    weightDecay: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    maxGradientNorm: 1,
  },
};
const batches = [0, 4, 8, 12].map((from) => madeUpBatch(4, { from }));

const parametersOf = (model: Classifier): string[] =>
  model
    .tensors()
    .filter(({ kind }) => kind === 'parameter')
    .map(({ name }) => name);

async function weightsOf(model: Classifier, names = parametersOf(model)): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-started-'));
  try {
    await writeFile(join(dir, 'w'), '');
    await model.writeTensors(join(dir, 'w'), 0, names);
    return await readFile(join(dir, 'w'));
  } finally {
    await rm(dir, { recursive: true });
  }
}

test.each(Object.entries(OPTIMIZERS))(
  '%s: outputs and weights are those of steps that are waited for',
  async (_kind, optimizer) => {
    using waited = await tiny();
    using started = await tiny();
    const expected = [];
    for (const [i, batch] of batches.entries()) {
      expected.push(await waited.trainStep(batch, stepOptions(8, { dropoutSeed: i })));
      await started.startStep(batch, stepOptions(8, { dropoutSeed: i }));
      if (i % 2 === 1) for (const model of [waited, started]) await model.optimizerStep(optimizer);
    }
    for (const outputs of expected) expect(await started.fetchOutputs()).toEqual(outputs);
    expect(await weightsOf(started)).toEqual(await weightsOf(waited));
    await expect(started.fetchOutputs()).rejects.toMatchObject({
      code: 'ERR_NATIVE',
      message: expect.stringContaining('have been fetched'),
    });
  },
);

test('the head alone, from features on', async () => {
  using waited = await tiny();
  using started = await tiny();
  const features = await waited.features(batches[0]!);
  const labels = Int32Array.of(0, 1, 0, 1);
  const expected = await waited.trainFeatures(features, labels, stepOptions(4));
  const start = started.startFeatures(features, labels, stepOptions(4));
  features.fill(0); // it has been copied
  await start;
  expect(await started.fetchOutputs()).toEqual(expected);
});

test.each(
  Object.entries({
    ...OPTIMIZERS,
    adamw: { ...OPTIMIZERS['adamw']!, maxGradientNorm: undefined },
  } as typeof OPTIMIZERS),
)('%s: after a loss that is not finite no weight moves, until the optimizer is reset', async (_kind, optimizer) => {
  using model = await tiny();
  const step = async (batch = batches[0]!): Promise<void> => {
    await model.startStep(batch, stepOptions(4));
    await model.optimizerStep(optimizer);
  };
  await step();
  const before = await weightsOf(model);
  await step({ ...batches[1]!, std: Float64Array.of(1e-300, 1, 1) }); // a division by zero in float32
  await step();
  expect(await weightsOf(model)).toEqual(before);
  const losses = [];
  for (let i = 0; i < 3; i += 1) losses.push((await model.fetchOutputs()).losses.every(Number.isFinite));
  expect(losses).toEqual([true, false, true]);
  await model.resetOptimizer();
  await step();
  const after = await weightsOf(model);
  expect(after).not.toEqual(before);
  const numbers = new Float32Array(after.buffer.slice(after.byteOffset, after.byteOffset + after.length));
  expect(numbers.every(Number.isFinite)).toBe(true);
});

test('after a loss that is not finite the average stays as it is, running statistics included', async () => {
  using model = await tiny();
  const tensors = model.tensors().map(({ name }) => name);
  const values = async (): Promise<Buffer> => weightsOf(model, tensors);
  await model.startStep(batches[0]!, stepOptions(4));
  await model.optimizerStep(SGD);
  await model.updateAverage(0.9);
  await model.swapAverage();
  const before = await values();
  await model.swapAverage();
  for (const batch of [{ ...batches[1]!, std: Float64Array.of(1e-300, 1, 1) }, batches[2]!]) {
    await model.startStep(batch, stepOptions(4));
    await model.optimizerStep(SGD);
    await model.updateAverage(0.9);
  }
  const trained = await values();
  await model.swapAverage();
  expect(await values()).toEqual(before);
  expect(trained).not.toEqual(before); // the network's own statistics have seen it
});

test('resetOptimizer forgets what was not fetched; disposing with steps under way ends well', async () => {
  const model = await tiny();
  await model.startStep(batches[0]!, stepOptions(4));
  await model.resetOptimizer();
  await expect(model.fetchOutputs()).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await model.startStep(batches[0]!, stepOptions(4));
  const [open, fetched] = [model.startStep(batches[1]!, stepOptions(4)), model.fetchOutputs()];
  model.dispose();
  for (const outcome of await Promise.allSettled([open, fetched]))
    expect([outcome.status, (outcome as PromiseRejectedResult).reason?.code ?? 'ERR_DISPOSED']).toEqual([
      outcome.status,
      'ERR_DISPOSED',
    ]);
  await expect(model.fetchOutputs()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

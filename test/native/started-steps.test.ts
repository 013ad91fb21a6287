/**
 * Steps that are started and whose outputs are read later, as on a GPU: the same numbers; a loss that is not finite
 * never reaches the weights.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../../src/model/types';
import type { NativeOptimizerOptions } from '../../src/addon/optimizers';
import { madeUpBatch, SGD, stepOptions, tiny } from './tiny';

const OPTIMIZERS: Readonly<Record<string, NativeOptimizerOptions>> = {
  sgd: SGD,
  adam: { kind: 'adam', learningRate: 0.001, weightDecay: 0.01, betas: [0.9, 0.999], epsilon: 1e-8 },
  rmsprop: {
    kind: 'rmsprop',
    learningRate: 0.001,
    weightDecay: 0.01,
    alpha: 0.99,
    epsilon: 1e-8,
    momentum: 0.9,
    centered: true,
  },
  adamw: {
    kind: 'adamw',
    learningRate: 0.001,
    weightDecay: 0.01,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    maxGradientNorm: 1,
  },
};
const batches = [0, 4, 8, 12].map((from) => madeUpBatch(4, { from }));

const parametersOf = (model: Network): string[] =>
  model.tensors.filter(({ kind }) => kind === 'parameter').map(({ name }) => name);

async function weightsOf(model: Network, names = parametersOf(model)): Promise<Buffer> {
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
    for (const model of [waited, started]) await model.configureOptimizer(optimizer);
    const expected = [];
    for (const [i, batch] of batches.entries()) {
      expected.push(await waited.trainStep(batch, stepOptions(8, { dropoutSeed: i })));
      await started.trainStep(batch, { ...stepOptions(8, { dropoutSeed: i }), deferred: true });
      if (i % 2 === 1) for (const model of [waited, started]) await model.optimizerStep(optimizer.learningRate);
    }
    for (const outputs of expected) expect(await started.readOutputs()).toEqual(outputs);
    expect(await weightsOf(started)).toEqual(await weightsOf(waited));
    await expect(started.readOutputs()).rejects.toMatchObject({
      code: 'ERR_NATIVE',
      message: expect.stringContaining('have been read'),
    });
  },
);

test('the head alone, from features on', async () => {
  using waited = await tiny();
  using started = await tiny();
  const features = await waited.features(batches[0]!);
  const labels = Int32Array.of(0, 1, 0, 1);
  const expected = await waited.trainStep({ features, labels }, stepOptions(4));
  const start = started.trainStep({ features, labels }, { ...stepOptions(4), deferred: true });
  features.fill(0); // it has been copied
  await start;
  expect(await started.readOutputs()).toEqual(expected);
});

test.each(
  Object.entries({
    ...OPTIMIZERS,
    adamw: { ...OPTIMIZERS['adamw']!, maxGradientNorm: undefined },
  } as typeof OPTIMIZERS),
)('%s: after a loss that is not finite no weight moves, until the optimizer is reset', async (_kind, optimizer) => {
  using model = await tiny();
  await model.configureOptimizer(optimizer);
  const step = async (batch = batches[0]!): Promise<void> => {
    await model.trainStep(batch, { ...stepOptions(4), deferred: true });
    await model.optimizerStep(optimizer.learningRate);
  };
  await step();
  const before = await weightsOf(model);
  await step({ ...batches[1]!, std: Float64Array.of(1e-300, 1, 1) }); // a division by zero in float32
  await step();
  expect(await weightsOf(model)).toEqual(before);
  const losses = [];
  for (let i = 0; i < 3; i += 1) losses.push((await model.readOutputs()).losses.every(Number.isFinite));
  expect(losses).toEqual([true, false, true]);
  await model.configureOptimizer(optimizer);
  await step();
  const after = await weightsOf(model);
  expect(after).not.toEqual(before);
  const numbers = new Float32Array(after.buffer.slice(after.byteOffset, after.byteOffset + after.length));
  expect(numbers.every(Number.isFinite)).toBe(true);
});

test('after a loss that is not finite the average stays as it is, running statistics included', async () => {
  using model = await tiny();
  const tensors = model.tensors.map(({ name }) => name);
  const values = async (): Promise<Buffer> => weightsOf(model, tensors);
  await model.trainStep(batches[0]!, { ...stepOptions(4), deferred: true });
  await model.optimizerStep(SGD.learningRate);
  await model.average('update', 0.9);
  await model.average('swap');
  const before = await values();
  await model.average('swap');
  for (const batch of [{ ...batches[1]!, std: Float64Array.of(1e-300, 1, 1) }, batches[2]!]) {
    await model.trainStep(batch, { ...stepOptions(4), deferred: true });
    await model.optimizerStep(SGD.learningRate);
    await model.average('update', 0.9);
  }
  const trained = await values();
  await model.average('swap');
  expect(await values()).toEqual(before);
  expect(trained).not.toEqual(before); // the network's own statistics have seen it
});

test('configureOptimizer forgets what was not read; disposing with steps under way ends well', async () => {
  const model = await tiny();
  await model.trainStep(batches[0]!, { ...stepOptions(4), deferred: true });
  await model.configureOptimizer(SGD);
  await expect(model.readOutputs()).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await model.trainStep(batches[0]!, { ...stepOptions(4), deferred: true });
  const [open, fetched] = [model.trainStep(batches[1]!, { ...stepOptions(4), deferred: true }), model.readOutputs()];
  model.dispose();
  for (const outcome of await Promise.allSettled([open, fetched]))
    expect([outcome.status, (outcome as PromiseRejectedResult).reason?.code ?? 'ERR_DISPOSED']).toEqual([
      outcome.status,
      'ERR_DISPOSED',
    ]);
  await expect(model.readOutputs()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

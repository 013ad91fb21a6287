/** One model takes the place of another: through a gate, without losing an image, and back. */
import type { Dataset } from '../../../src/data/types';
import { RawSource } from '../../../src/data/images/memory-source';
import type { Contender } from '../../../src/predictor/gate';
import { passGate } from '../../../src/predictor/gate';
import { gateSchema } from '../../../src/predictor/gate-options';
import type { GateOptions } from '../../../src/predictor/gate-options';
import { ServedModel } from '../../../src/predictor/served-model';
import { FakeNetwork } from '../../helpers/fake-network';
import { flatPixels } from '../../helpers/images';
import { gated, image } from './gated';

/** Class 1 where the slice is brighter than the middle, or where `sign` is -1 darker. */
function contender(sign: number, classes = ['NonCOVID', 'COVID']): Contender {
  const network = new FakeNetwork(classes);
  const features = network.weights.length / 2;
  for (let at = features; at < network.weights.length - 1; at += 1) network.weights[at] = sign;
  return { network, evaluations: new WeakMap() };
}

const dataset: Dataset = {
  name: 'made up',
  classes: ['NonCOVID', 'COVID'],
  samples: Array.from({ length: 40 }, (_, index) => ({
    id: String(index),
    label: index % 2,
    source: new RawSource(flatPixels(index % 2 === 1 ? 200 + index : 20 + index, 8), (message) => {
      throw new Error(message);
    }),
  })),
};

const pass = async (candidate: Contender, current: Contender, gate: GateOptions) => {
  const checks = await passGate(candidate, current, gateSchema.parse(gate), undefined);
  return checks.map(({ name, passed }) => `${name} ${passed ? 'passed' : 'failed'}`);
};

test('a gate looks at classes and finite numbers, and ends at the first failure', async () => {
  const good = contender(1);
  expect(await pass(good, good, {})).toEqual(['classes passed', 'selfTest passed']);
  expect(await pass(contender(1, ['a', 'b']), good, {})).toEqual(['classes failed']);
  expect(await pass(contender(NaN), good, {})).toEqual(['classes passed', 'selfTest failed']);
});

test('least rates on a data set', async () => {
  const [good, bad] = [contender(1), contender(-1)];
  const gate = { dataset, minSensitivity: 0.9, minSpecificity: 0.9, minAuc: 0.9, minAccuracy: 0.9 };
  expect((await pass(good, bad, gate)).slice(2)).toEqual([
    'minSensitivity passed',
    'minSpecificity passed',
    'minAuc passed',
    'minAccuracy passed',
  ]);
  expect((await pass(bad, good, gate)).slice(2)).toEqual([
    'minSensitivity failed',
    'minSpecificity failed',
    'minAuc failed',
    'minAccuracy failed',
  ]);
});

test('a model that is worse by more than chance is refused, one that is as good or better is not', async () => {
  const [good, bad] = [contender(1), contender(-1)];
  const gate = { dataset, notWorseThan: true };
  expect((await pass(bad, good, gate)).slice(2)).toContain('notWorseThan failed');
  for (const before of [bad, contender(1)])
    expect((await pass(good, before, gate)).slice(2)).toEqual(['notWorseThan passed', 'notWorseThan passed']);
});

test('what a data set cannot tell does not pass', async () => {
  const one = { ...dataset, samples: dataset.samples.filter(({ label }) => label === 1) };
  expect((await pass(contender(1), contender(1), { dataset: one, minAuc: 0.5 })).slice(2)).toEqual(['minAuc failed']);
  expect((await pass(contender(1), contender(1), { dataset: one, notWorseThan: true })).slice(2)).toEqual([
    'notWorseThan passed',
    'notWorseThan failed',
  ]);
});

test('a gate that needs a data set and has none is an invalid option', async () => {
  await expect(pass(contender(1), contender(1), { notWorseThan: true })).rejects.toThrow(/gate.dataset/);
  await expect(pass(contender(1), contender(1), { minAuc: 0.5 })).rejects.toThrow(/gate.minAuc/);
});

test('a model is freed when it is retired and its last image is answered', () => {
  const { network } = gated();
  const model = new ServedModel(network, { model: 'm', version: 'v' });
  const [first, second] = [model.use(), model.use()];
  model.retire();
  first();
  first();
  expect(network.disposed).toBe(0);
  second();
  expect(network.disposed).toBe(1);
});

test('without a model before there is nothing to roll back to, and nothing is promoted after the end', async () => {
  const { predictor } = gated();
  await expect(predictor.rollback()).rejects.toMatchObject({ code: 'ERR_MODEL' });
  await expect(predictor.predict(image(1))).resolves.toMatchObject({ version: 'v1' });
  predictor.dispose();
  await expect(predictor.promote('runs/second')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  expect(() => predictor.follow('runs/second')).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
});

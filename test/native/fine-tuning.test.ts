/** The native methods of fine-tuning: features, what trains, the average of the weights, gray input. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBatch } from '../../src/data/batch';
import { createNetwork } from '../../src/model/open-network';
import type { Network } from '../../src/model/types';
import { compose } from '../../src/data/transforms/transform';
import { normalize } from '../../src/data/transforms/steps/normalize';
import { resize } from '../../src/data/transforms/steps/resize';
import { toTensor } from '../../src/data/transforms/steps/to-tensor';
import { readOut } from '../parity/network/recipe';
import type { Section } from '../parity/network/recipe';
import { madeUpBatch, SGD, stepOptions, tiny } from './tiny';
import { makePixels } from '../helpers/images';

const ADAM = {
  kind: 'adam',
  learningRate: 0.01,
  weightDecay: 0,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
} as const;

const backboneFrozen = (model: Network): Parameters<Network['setTrainable']>[0] => {
  const { norms, headPrefix } = model;
  return {
    parameters: model.tensors
      .filter(({ name, kind }) => kind === 'parameter' && name.startsWith(headPrefix))
      .map(({ name }) => name),
    frozenNorms: norms,
  };
};

/** Names of the tensors whose bits differ. */
function differing(a: Section, b: Section): string[] {
  const bytes = (values: Section[string] | undefined): Uint8Array =>
    new Uint8Array(values?.buffer ?? new ArrayBuffer(0));
  return Object.keys(a).filter((name) => !Buffer.from(bytes(a[name])).equals(bytes(b[name])));
}

test.each(['tiny', 'resnet18', 'densenet121'])(
  '%s: training from features is training from images while the backbone is frozen, bit for bit',
  async (architecture) => {
    using whole = await createNetwork({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 1 });
    using head = await createNetwork({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 1 });
    const batch = madeUpBatch(4);
    for (const model of [whole, head]) {
      await model.configureOptimizer(ADAM);
      await model.setTrainable(backboneFrozen(model));
    }
    const features = await head.features(batch);
    expect(features).toHaveLength(4 * head.featureWidth);
    const a = await whole.trainStep(batch, stepOptions(4, { dropoutSeed: 3 }));
    const b = await head.trainStep({ features, labels: batch.labels! }, stepOptions(4, { dropoutSeed: 3 }));
    expect(b).toEqual(a);
    for (const model of [whole, head]) await model.optimizerStep(ADAM.learningRate);
    expect(differing(await readOut(head, ''), await readOut(whole, ''))).toEqual([]);
    const predicted = await head.features(batch, { prediction: true });
    expect((await head.predict({ features: predicted })).logits).toEqual((await whole.predict(batch)).logits);
  },
);

test('the maps that the head of a SqueezeNet takes can be looked at, and are refused as its input', async () => {
  using model = await createNetwork({ architecture: 'squeezenet1_1', classes: ['a', 'b'], device: 'cpu' });
  expect(model.featureWidth).toBe(0);
  const batch = madeUpBatch(2);
  const features = await model.features(batch);
  expect(features.length % (2 * 512)).toBe(0);
  for (const call of [
    () => model.predict({ features }),
    () => model.trainStep({ features, labels: batch.labels! }, stepOptions(2)),
  ])
    await expect(call()).rejects.toMatchObject({ code: 'ERR_BAD_BATCH', message: expect.stringMatching(/takes maps/) });
});

test('what is frozen stays as it was, and its gradients and state are given back', async () => {
  using model = await tiny();
  const before = await readOut(model, '');
  await model.trainStep(madeUpBatch(4), stepOptions(4));
  await model.optimizerStep(1e-30);
  const full = model.bytes;
  await model.setTrainable(backboneFrozen(model));
  expect(model.bytes).toBeLessThan(full);
  const start = await readOut(model, '');
  await model.trainStep(madeUpBatch(4), stepOptions(4));
  await model.optimizerStep(SGD.learningRate);
  const after = await readOut(model, '');
  for (const name of Object.keys(before)) {
    if (name.startsWith('features.')) expect(after[name]).toEqual(start[name]);
  }
  expect(after['classifier.6.weight']).not.toEqual(start['classifier.6.weight']);
});

test('wrong names, groups and lengths are refused', async () => {
  using model = await tiny();
  const refused = expect.objectContaining({ code: 'ERR_INVALID_OPTION' }) as unknown;
  await expect(model.setTrainable({ parameters: [], frozenNorms: [] })).rejects.toEqual(refused);
  await expect(model.setTrainable({ parameters: ['nothing'], frozenNorms: [] })).rejects.toEqual(refused);
  await expect(model.setTrainable({ parameters: ['features.0.weight'], frozenNorms: ['features.0'] })).rejects.toEqual(
    refused,
  );
  await expect(model.average('swap')).rejects.toEqual(refused);
  const group = { names: ['features.0.weight'], learningRate: 1, weightDecay: 0 };
  await expect(model.configureOptimizer({ ...SGD, groups: [group, group] })).rejects.toEqual(refused);
  await expect(model.configureOptimizer({ ...SGD, groups: [{ ...group, names: ['x'] }] })).rejects.toEqual(refused);
  await expect(model.predict({ features: new Float32Array(5) })).rejects.toMatchObject({ code: 'ERR_BAD_BATCH' });
  await expect(
    model.trainStep({ features: new Float32Array(model.featureWidth), labels: Int32Array.of(2) }, stepOptions(1)),
  ).rejects.toMatchObject({ code: 'ERR_BAD_BATCH' });
});

test('exchanging the weights with their average twice leaves every bit', async () => {
  using model = await tiny();
  await model.average('update', 0.9);
  await model.trainStep(madeUpBatch(4), stepOptions(4));
  await model.optimizerStep(SGD.learningRate);
  await model.average('update', 0.9);
  const own = await readOut(model, '');
  await model.average('swap');
  expect(await readOut(model, '')).not.toEqual(own);
  await model.average('swap');
  expect(await readOut(model, '')).toEqual(own);
});

test("one channel: gray as PIL's convert('L') rounds it", async () => {
  using model = await createNetwork({
    architecture: 'resnet18',
    classes: ['a', 'b'],
    channels: 1,
    device: 'cpu',
    threads: 1,
  });
  const colors = [
    [255, 0, 0, 76],
    [0, 255, 0, 150],
    [0, 0, 255, 29],
    [255, 255, 255, 255],
    [10, 200, 30, 124],
    [1, 2, 3, 2],
  ];
  const pixels = makePixels(32, 32, (i) => colors[Math.floor(i / 3) % colors.length]![i % 3]!);
  const transform = compose([resize([32, 32]), toTensor(), normalize({ mean: [0, 0, 0], std: [1, 1, 1] })]);
  const input = await model.input(makeBatch([pixels], null, transform));
  expect(input).toHaveLength(32 * 32);
  colors.forEach((color, i) => expect(Math.round(input[i]! * 255)).toBe(color[3]));
});

test('while the averaged weights are in place the average cannot go on; weights from a file end it', async () => {
  using model = await tiny();
  await model.average('update', 0.9);
  await model.average('swap');
  await expect(model.average('update', 0.9)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('swap them back'),
  });
  await model.average('swap');
  await model.average('update', 0.9);
  await model.average('swap');
  await model.average('drop');
  await model.average('update', 0.9);
});

test.each([
  ['first', [1, 0.999]],
  ['second', [0.9, 1]],
] as const)('Adam with a %s beta of 1 would divide by nothing', async (_, betas) => {
  using model = await tiny();
  await expect((async () => model.configureOptimizer({ ...ADAM, betas }))()).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('below 1'),
  });
});

test('RGB filters summed for gray: what the network says of a gray image is what the RGB one says, each with its own normalization', async () => {
  using rgb = await createNetwork({
    architecture: 'resnet18',
    classes: ['a', 'b'],
    device: 'cpu',
    threads: 1,
    seed: 3,
  });
  using gray = await createNetwork({
    architecture: 'resnet18',
    classes: ['a', 'b'],
    channels: 1,
    device: 'cpu',
    threads: 1,
    seed: 4,
  });
  const dir = await mkdtemp(join(tmpdir(), 'covidct-gray-'));
  try {
    await rgb.saveWeights(join(dir, 'rgb.safetensors'));
    expect((await gray.loadWeights(join(dir, 'rgb.safetensors'))).summedInput).toEqual(['conv1.weight']);
  } finally {
    await rm(dir, { recursive: true });
  }
  const pixels = makePixels(48, 48, (i) => Math.floor(i / 3) * 31);
  const plain = compose([resize([48, 48]), toTensor(), normalize({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] })]);
  const batch = makeBatch([pixels], null, plain);
  const [a, b] = [(await rgb.predict(batch)).logits, (await gray.predict(batch)).logits];
  a.forEach((value, i) => expect(Math.abs(value - b[i]!)).toBeLessThan(1e-5));
});

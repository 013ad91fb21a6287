/** Precision: bfloat16 on the CPU against float32, what stays float32 under it, and what is refused. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork, loadNetwork } from '../../src/model/open-network';
import { saveModel } from '../../src/model/save';
import type { Network } from '../../src/model/types';
import type { ClassifierOptions } from '../../src/model/options';
import { batchOf, readOut } from '../parity/network/recipe';
import type { Section } from '../parity/network/recipe';
import { madeUpBatch, SGD, stepOptions } from './tiny';

const create = (architecture: string, options: Partial<ClassifierOptions> = {}): Promise<Network> =>
  createNetwork({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 2, ...options });

/** Norm of the difference, in units of the norm of `expected`. */
function distance(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [apart, size] = [0, 0];
  for (let i = 0; i < expected.length; i += 1) {
    apart += (found[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return Math.sqrt(apart / size);
}

/** Whether every number is one of bfloat16: the lower half of its bits is zero. */
function allBf16(values: Float32Array): boolean {
  return new Uint32Array(values.buffer, values.byteOffset, values.length).every((bits) => (bits & 0xffff) === 0);
}

test.each([
  ['tiny', 64],
  ['vgg11', 64],
  ['vgg11_bn', 64],
  ['resnet18', 64],
  ['densenet121', 64],
] as const)(
  "%s in bf16: features within 1 %%, logits within 5 %% of float32's, and not the same",
  async (architecture, side) => {
    using exact = await create(architecture);
    using model = await create(architecture, { precision: 'bf16' });
    const batch = batchOf([0, 1, 2, 3], side);
    const [expected, found] = [await exact.features(batch), await model.features(batch)];
    expect(distance(found, expected)).toBeLessThan(0.01);
    expect(allBf16(found)).toBe(true);
    expect(allBf16(expected)).toBe(false);
    const outputs = await model.predict(batch);
    expect(distance(outputs.logits, (await exact.predict(batch)).logits)).toBeLessThan(0.05);
    // Softmax and loss are float32's, of the logits that are given out.
    const [a, b] = [outputs.logits[0]!, outputs.logits[1]!];
    expect(outputs.losses[0]).toBeCloseTo(Math.log(1 + Math.exp(b - a)), 6);
    // The same from the features on: nothing is lost between the two halves.
    expect((await model.predict({ features: found, labels: batch.labels! })).logits).toEqual(outputs.logits);
  },
  60_000,
);

test('Grad-CAM in bf16 looks where float32 looks', async () => {
  using exact = await create('resnet18');
  using model = await create('resnet18', { precision: 'bf16' });
  const options = { layer: model.layers.default, classIndices: Int32Array.of(0, 1) };
  const [found, expected] = [
    await model.gradCam(batchOf([0, 1], 64), options),
    await exact.gradCam(batchOf([0, 1], 64), options),
  ];
  expect(distance(found.maps, expected.maps)).toBeLessThan(0.02);
  expect(expected.maps.some((value) => value > 0)).toBe(true);
}, 60_000);

test('a network learns in bf16; its dropout masks are those of float32', async () => {
  using exact = await create('tiny');
  using model = await create('tiny', { precision: 'bf16' });
  const batch = madeUpBatch(8);
  const first = await exact.trainStep(batch, stepOptions(8, { dropoutSeed: 0 }));
  await model.configureOptimizer(SGD);
  const losses: number[] = [];
  for (let step = 0; step < 40; step += 1) {
    const outputs = await model.trainStep(batch, stepOptions(8, { dropoutSeed: step }));
    // Half of the hidden units are dropped: other masks would give other logits altogether.
    if (step === 0) expect(distance(outputs.logits, first.logits)).toBeLessThan(0.05);
    losses.push(outputs.objective);
    await model.optimizerStep(SGD.learningRate);
  }
  expect(losses[0]).toBeGreaterThan(0.4);
  expect(losses.at(-1)).toBeLessThan(0.1);
});

test('gradients are gathered in float32, and near those of float32', async () => {
  const gathered = async (precision: 'float32' | 'bf16', steps: number): Promise<Section> => {
    using model = await create('tiny', { precision, dropout: 0 });
    for (let step = 0; step < steps; step += 1) await model.trainStep(madeUpBatch(4, { from: step }), stepOptions(8));
    return await readOut(model, 'grad.');
  };
  const [one, two, exact] = [await gathered('bf16', 1), await gathered('bf16', 2), await gathered('float32', 2)];
  // The images are much alike, so that what they say of the filters all but cancels, and rounding shows.
  for (const [name, bound] of [
    ['features.4.weight', 0.4],
    ['classifier.0.weight', 0.4],
    ['classifier.6.weight', 0.05],
  ] as const) {
    const values = two[name] as Float32Array;
    // What one pass gives is rounded to bfloat16; a sum of two that were gathered in bfloat16 would be as well.
    expect([name, allBf16(one[name] as Float32Array), allBf16(values)]).toEqual([name, true, false]);
    expect(distance(values, exact[name] as Float32Array)).toBeLessThan(bound);
  }
});

test('weights stay float32 through steps and files; the card says what computed them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-bf16-'));
  try {
    using model = await create('tiny', { precision: 'bf16' });
    await model.configureOptimizer(SGD);
    await model.trainStep(madeUpBatch(4), stepOptions(4));
    await model.optimizerStep(1e-4);
    expect(new Set(model.tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F32', 'I64']));
    // A step far below what bfloat16 resolves has moved them.
    const weights = await readOut(model, '');
    expect(allBf16(weights['features.0.weight'] as Float32Array)).toBe(false);
    expect((await saveModel(model, dir)).precision).toBe('bf16');
    expect(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))).toMatchObject({ precision: 'bf16' });
    using standard = await loadNetwork(dir, { device: 'cpu' });
    using same = await loadNetwork(dir, { device: 'cpu', precision: 'bf16' });
    expect([standard.precision, same.precision]).toEqual(['float32', 'bf16']);
    expect(await readOut(standard, '')).toEqual(weights);
    const batch = madeUpBatch(3);
    const logits = (await model.predict(batch)).logits;
    expect((await same.predict(batch)).logits).toEqual(logits);
    expect((await standard.predict(batch)).logits).not.toEqual(logits);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('beside a classifier in bf16, float32 is what it was', async () => {
  const batch = madeUpBatch(4);
  using before = await create('tiny');
  const expected = (await before.predict(batch)).logits;
  using model = await create('tiny', { precision: 'bf16' });
  const [other, again] = await Promise.all([model.predict(batch), before.predict(batch)]);
  expect(again?.logits).toEqual(expected);
  expect(other?.logits).not.toEqual(expected);
});

test('our own convolution computes in float32: auto leaves bf16 to LibTorch, winograd is refused with it', async () => {
  const logits = async (convolution: 'auto' | 'libtorch'): Promise<Float32Array> => {
    using model = await create('vgg11', { precision: 'bf16', convolution });
    return (await model.predict(batchOf([0, 1, 2, 3], 64))).logits;
  };
  expect(await logits('auto')).toEqual(await logits('libtorch'));
  await expect(create('tiny', { precision: 'bf16', convolution: 'winograd' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/'winograd' computes in float32.*'auto' or 'libtorch'/) as string,
  });
}, 60_000);

test('tf32 is refused on the CPU with what to use instead, an unknown precision by name', async () => {
  await expect(create('tiny', { precision: 'tf32' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(
      /'tf32' is arithmetic of CUDA GPUs.* cpu \(the CPU was asked for\); use precision 'float32' or 'bf16'/,
    ) as string,
  });
  await expect(create('tiny', { precision: 'half' as 'bf16' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('precision') as string,
  });
  using model = await create('tiny');
  expect(model.precision).toBe('float32');
});

/** The addon through the Classifier: numbers, wrong input, the queue and the end. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng } from '../../src/data/images/decode';
import { CovidCtError } from '../../src/errors';
import { Classifier, classifierOf } from '../../src/model/classifier';
import type { Network } from '../../src/model/types';
import { loadNative } from '../../src/addon/load';
import type { NativeBatch } from '../../src/addon/batch';
import { madeUpBatch, SGD, SIDE, stepOptions, tiny } from './tiny';
import { flatPixels } from '../helpers/images';

let network: Network;
beforeEach(async () => {
  network = await tiny();
});
afterEach(() => network.dispose());

async function gradientBytes(model: Network): Promise<Float32Array> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-native-'));
  try {
    await writeFile(join(dir, 'g'), '');
    const names = model.tensors.filter(({ kind }) => kind === 'parameter').map(({ name }) => `grad.${name}`);
    await model.writeTensors(join(dir, 'g'), 0, names);
    const bytes = await readFile(join(dir, 'g'));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe('training', () => {
  test('learns to tell two kinds of made-up images apart', async () => {
    const batch = madeUpBatch(8);
    const losses: number[] = [];
    for (let step = 0; step < 40; step += 1) {
      losses.push((await network.trainStep(batch, stepOptions(8, { dropoutSeed: step }))).objective);
      await network.optimizerStep(SGD.learningRate);
    }
    expect(losses[0]).toBeGreaterThan(0.4);
    expect(losses.at(-1)).toBeLessThan(0.1);
  });

  test('the same seeds give the same bits, another dropout seed gives other gradients', async () => {
    const other = await tiny();
    const third = await tiny();
    try {
      await network.trainStep(madeUpBatch(4), stepOptions(4, { dropoutSeed: 7 }));
      await other.trainStep(madeUpBatch(4), stepOptions(4, { dropoutSeed: 7 }));
      await third.trainStep(madeUpBatch(4), stepOptions(4, { dropoutSeed: 8 }));
      const [a, b, c] = [await gradientBytes(network), await gradientBytes(other), await gradientBytes(third)];
      expect(a).toEqual(b);
      expect(a).not.toEqual(c);
    } finally {
      other.dispose();
      third.dispose();
    }
  });

  test('class weights scale each sample, the divisor the sum', async () => {
    const plain = await tiny({ dropout: 0 });
    try {
      const { losses, objective } = await plain.trainStep(
        madeUpBatch(2),
        stepOptions(5, { classWeights: Float32Array.of(1, 3) }),
      );
      expect(objective).toBeCloseTo((losses[0]! + 3 * losses[1]!) / 5, 6);
    } finally {
      plain.dispose();
    }
  });

  test('an optimizer step without gradients changes nothing, a step forgets its gradients', async () => {
    const batch = madeUpBatch(2, { labels: false });
    const before = await network.predict(batch);
    await network.optimizerStep(SGD.learningRate);
    expect((await network.predict(batch)).logits).toEqual(before.logits);
    await network.trainStep(madeUpBatch(2), stepOptions(2));
    await network.configureOptimizer(SGD);
    expect(Array.from(await gradientBytes(network)).every((value) => value === 0)).toBe(true);
  });

  test('the optimizer is forgotten on request: the next step is a first step', async () => {
    const other = await tiny({ dropout: 0 });
    const plain = await tiny({ dropout: 0 });
    try {
      const batch = madeUpBatch(4);
      const stepped = async (model: Network): Promise<void> => {
        await model.trainStep(batch, stepOptions(4));
        await model.optimizerStep(1e-30); // fills the momentum and leaves the weights
      };
      await stepped(other);
      await stepped(plain);
      await other.configureOptimizer(SGD);
      for (const model of [other, plain]) {
        await model.trainStep(batch, stepOptions(4));
        await model.optimizerStep(SGD.learningRate);
      }
      const [fresh, carried] = [await other.predict(batch), await plain.predict(batch)];
      expect(fresh.logits).not.toEqual(carried.logits);
    } finally {
      other.dispose();
      plain.dispose();
    }
  });

  test('one image is enough', async () => {
    const { losses, probabilities } = await network.trainStep(madeUpBatch(1), stepOptions(1));
    expect(losses).toHaveLength(1);
    expect(probabilities[0]! + probabilities[1]!).toBeCloseTo(1, 6);
  });
});

describe('prediction', () => {
  test('does not depend on the batch', async () => {
    const together = await network.predict(madeUpBatch(5, { labels: false }));
    for (let i = 0; i < 5; i += 1) {
      const alone = await network.predict(madeUpBatch(1, { labels: false, from: i }));
      expect(Math.abs(alone.logits[0]! - together.logits[2 * i]!)).toBeLessThan(1e-6);
    }
  });

  test('of images from files names a smaller batch when memory runs out, as an explanation does', async () => {
    const full = new CovidCtError('ERR_OUT_OF_MEMORY', 'the device ran out of memory');
    const image = await encodePng(flatPixels(0, SIDE));
    const cam = jest.spyOn(network, 'gradCam').mockRejectedValue(full);
    const message = (what: string): unknown =>
      expect.stringContaining(`${what} with batchSize 3; try batchSize 1 (the device ran out of memory)`);
    await expect(classifierOf(network).explain([image, image, image])).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      cause: full,
      message: message('an explanation'),
    });
    jest.spyOn(network, 'predict').mockRejectedValue(full);
    await expect(classifierOf(network).predict([image, image, image])).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      cause: full,
      message: message('a prediction'),
    });
    // It looks first at what is called.
    await expect(classifierOf(network).explain([image, image, image])).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      cause: full,
      message: message('an explanation'),
    });
    expect(cam).toHaveBeenCalledTimes(1);
  });

  test('goes ahead of queued training steps', async () => {
    const order: string[] = [];
    // Made beforehand, and the steps long: all are queued before the first is done.
    const [large, single] = [madeUpBatch(64), madeUpBatch(1, { labels: false })];
    const steps = [1, 2, 3].map((n) => network.trainStep(large, stepOptions(64)).then(() => order.push(`step ${n}`)));
    const prediction = network.predict(single).then(() => order.push('prediction'));
    await Promise.all([...steps, prediction]);
    expect(order.indexOf('prediction')).toBeLessThanOrEqual(1);
  });

  test('the pixels may be overwritten as soon as the call has returned', async () => {
    const batch = madeUpBatch(1, { labels: false });
    const expected = await network.predict(batch);
    const pending = network.predict(batch);
    batch.images[0]?.fill(0);
    expect((await pending).logits).toEqual(expected.logits);
  });
});

describe('threads', () => {
  test("each network has its own, 0 is LibTorch's choice whatever was asked before", async () => {
    const ask = async (threads: number): Promise<number> => {
      const handle = new (loadNative().Classifier)({
        architecture: 'tiny',
        classes: 2,
        device: 'cpu',
        threads,
        seed: 0,
        dropout: 0,
      });
      const facts = await handle.ready();
      handle.dispose();
      return facts.threads;
    };
    const choice = await ask(0);
    expect(await Promise.all([3, 1, 2, 3, 1].map(ask))).toEqual([3, 1, 2, 3, 1]);
    expect(await ask(0)).toBe(choice);
  });
});

describe('wrong input is refused with ERR_BAD_BATCH and harms nothing', () => {
  const good = (): NativeBatch => madeUpBatch(2);
  const cases: [string, (batch: NativeBatch) => unknown][] = [
    [
      'no images',
      (batch) => ({
        ...batch,
        images: [],
        sizes: new Int32Array(0),
        programOffsets: new Int32Array(1),
        labels: new Int32Array(0),
      }),
    ],
    ['an image too short', (batch) => ({ ...batch, images: [batch.images[0], new Uint8Array(5)] })],
    ['an image that is an array', (batch) => ({ ...batch, images: [[1, 2, 3], batch.images[1]] })],
    ['negative sizes', (batch) => ({ ...batch, sizes: Int32Array.of(-64, -64, 64, 64) })],
    ['sizes that overflow', (batch) => ({ ...batch, sizes: Int32Array.of(2147483647, 2147483647, 64, 64) })],
    ['too few labels', (batch) => ({ ...batch, labels: Int32Array.of(0) })],
    ['a label out of range', (batch) => ({ ...batch, labels: Int32Array.of(0, 2) })],
    ['a negative label', (batch) => ({ ...batch, labels: Int32Array.of(0, -1) })],
    ['labels of another type', (batch) => ({ ...batch, labels: [0, 1] })],
    ['offsets that point outside', (batch) => ({ ...batch, programOffsets: Int32Array.of(0, 9, 9) })],
    [
      'offsets that run backward',
      (batch) => ({ ...batch, programs: new Int32Array(10), programOffsets: Int32Array.of(0, 3, 2) }),
    ],
    [
      'an unknown operation',
      (batch) => ({ ...batch, programs: Int32Array.of(9, 1, 1, 1, 1), programOffsets: Int32Array.of(0, 1, 1) }),
    ],
    [
      'a resize to nothing',
      (batch) => ({ ...batch, programs: Int32Array.of(1, 0, 0, 0, 0), programOffsets: Int32Array.of(0, 1, 1) }),
    ],
    [
      'a resize to a monster',
      (batch) => ({
        ...batch,
        programs: Int32Array.of(1, 2147483647, 2147483647, 0, 0),
        programOffsets: Int32Array.of(0, 1, 1),
      }),
    ],
    [
      'a crop that reaches far outside',
      (batch) => ({
        ...batch,
        programs: Int32Array.of(2, -9_375_000, 0, 64, 64),
        programOffsets: Int32Array.of(0, 1, 1),
      }),
    ],
    ['a program that ends elsewhere', (batch) => ({ ...batch, height: SIDE + 1 })],
    ['a std of zero', (batch) => ({ ...batch, std: Float64Array.of(1, 0, 1) })],
    ['a mean of two numbers', (batch) => ({ ...batch, mean: Float64Array.of(1, 0) })],
    ['nothing', () => undefined],
  ];

  test.each(cases)('%s', async (_, spoil) => {
    const code = _ === 'nothing' ? 'ERR_INVALID_OPTION' : 'ERR_BAD_BATCH';
    await expect(network.trainStep(spoil(good()) as NativeBatch, stepOptions(2))).rejects.toMatchObject({ code });
    await expect(network.predict(good())).resolves.toBeDefined();
  });

  test.each([
    ['a divisor of zero', { divisor: 0 }],
    ['a divisor that is NaN', { divisor: NaN }],
    ['weights for three classes', { classWeights: Float32Array.of(1, 1, 1) }],
  ])('%s', async (_, options) => {
    await expect(network.trainStep(good(), stepOptions(2, options))).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });

  test('a crop beyond the image is black there', async () => {
    const image = new Uint8Array(2 * 2 * 3).fill(255);
    const values = await network.input({
      images: [image],
      sizes: Int32Array.of(2, 2),
      programs: Int32Array.of(2, -1, -1, 4, 4),
      programOffsets: Int32Array.of(0, 1),
      height: 4,
      width: 4,
      mean: new Float64Array(3),
      std: new Float64Array(3).fill(1),
    });
    expect(Array.from(values.slice(0, 16))).toEqual([0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
  });
});

describe('Grad-CAM', () => {
  test("has the layer's resolution, is never negative, and explains the class asked for", async () => {
    const batch = madeUpBatch(2, { labels: false });
    const cams = await Promise.all(
      [0, 1].map((index) => network.gradCam(batch, { layer: 'features.6', classIndices: Int32Array.of(index, index) })),
    );
    expect([cams[0]?.height, cams[0]?.width]).toEqual([SIDE / 2, SIDE / 2]);
    expect(Array.from(cams[0]?.maps ?? []).every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
    expect(cams[0]?.maps).not.toEqual(cams[1]?.maps);
  });

  test('an unknown layer and a class out of range are refused', async () => {
    const batch = madeUpBatch(1, { labels: false });
    await expect(
      network.gradCam(batch, { layer: 'features.99', classIndices: Int32Array.of(0) }),
    ).rejects.toMatchObject({ code: 'ERR_LAYER' });
    await expect(network.gradCam(batch, { layer: 'features.6', classIndices: Int32Array.of(5) })).rejects.toMatchObject(
      { code: 'ERR_BAD_BATCH' },
    );
  });

  test('leaves the gathered gradients alone', async () => {
    await network.trainStep(madeUpBatch(4), stepOptions(4));
    const before = await gradientBytes(network);
    await network.gradCam(madeUpBatch(2, { labels: false }), {
      layer: 'features.10',
      classIndices: Int32Array.of(0, 1),
    });
    expect(await gradientBytes(network)).toEqual(before);
  });
});

describe('the end', () => {
  test('dispose rejects what is open, may be called twice, and later use says so', async () => {
    const large = madeUpBatch(64);
    const open = [1, 2, 3].map(() => network.trainStep(large, stepOptions(64)));
    network.dispose();
    network.dispose();
    // The first may just have been done.
    const [, ...later] = await Promise.allSettled(open);
    for (const result of later) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_DISPOSED' } });
    await expect(network.predict(madeUpBatch(1))).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('bytes tell parameters, then gradients and momentum too', async () => {
    const fresh = network.bytes;
    const parameters = network.parameters * 4;
    expect(fresh).toBeGreaterThanOrEqual(parameters);
    await network.trainStep(madeUpBatch(2), stepOptions(2));
    expect(network.bytes).toBe(fresh + parameters);
    await network.optimizerStep(SGD.learningRate);
    expect(network.bytes).toBe(fresh + parameters);
    await network.configureOptimizer(SGD);
    expect(network.bytes).toBe(fresh);
  });

  test('a device that is not there is an error that says why', async () => {
    if (loadNative().info().cudaDevices.length > 0) return;
    await expect(
      Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], device: 'cuda' }),
    ).rejects.toMatchObject({ code: 'ERR_DEVICE', message: expect.stringMatching(/(CPU alone|no GPU).*'cpu'/s) });
    expect(network.device).toBe('cpu');
  });
});

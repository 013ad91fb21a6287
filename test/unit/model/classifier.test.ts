/** Saving, loading, predicting and explaining, on the tiny network. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng } from '../../../src/data/images/decode';
import { phantomPixels } from '../../../src/data/phantoms/phantoms';
import { tutorialEval, tutorialTrain } from '../../../src/data/transforms/presets';
import { Classifier, networkOf } from '../../../src/model/classifier';
import { readSafetensorsHeader, writeSafetensors } from '../../../src/weights/safetensors';

let dir: string;
let model: Classifier;
let slice: Buffer;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-model-'));
  model = await Classifier.create({
    architecture: 'tiny',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 1,
    imageSize: 64,
    seed: 3,
  });
  slice = await encodePng(phantomPixels({ positive: true, seed: 1, index: 0, size: 120 }));
  await writeFile(join(dir, 'slice.png'), slice);
});
afterAll(async () => {
  model.dispose();
  await rm(dir, { recursive: true });
});

describe('create', () => {
  test.each([
    [{ classes: ['a'] }, /two class names/],
    [{ classes: ['a', 'a'] }, /differ/],
    [{ classes: ['a', 'b'], device: 'gpu' }, /auto.*cpu.*cuda/],
    [{ classes: ['a', 'b'], architecture: 'vgg20' }, /vgg19_bn/],
    [{ classes: ['a', 'b'], treads: 2 }, /treads/],
    [{ classes: ['a', 'b'], dropout: 1 }, /dropout/],
    [{}, /classes/],
  ])('%j is refused in words', async (options, words) => {
    await expect(Classifier.create(options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(words),
    });
  });

  test('another seed makes other weights', async () => {
    using other = await Classifier.create({
      architecture: 'tiny',
      classes: ['NonCOVID', 'COVID'],
      threads: 1,
      imageSize: 64,
      seed: 4,
    });
    expect((await other.predict(slice))[0]?.probabilities).not.toEqual((await model.predict(slice))[0]?.probabilities);
  });
});

describe('predict', () => {
  test('a path, bytes and lists give the same answer', async () => {
    const path = join(dir, 'slice.png');
    const [a] = await model.predict(path);
    const [b] = await model.predict(slice);
    const many = await model.predict([path, slice, path], { batchSize: 2 });
    expect(a).toMatchObject({
      path,
      label: expect.stringMatching(/COVID/),
      intendedUse: expect.stringContaining('Not a medical device'),
    });
    expect(b).toEqual({ ...a, path: null });
    expect(many.map(({ probabilities }) => (probabilities.COVID ?? 0).toFixed(5))).toEqual(
      Array(3).fill((a?.probabilities.COVID ?? 0).toFixed(5)),
    );
    expect(await model.predict([])).toEqual([]);
  });

  test('the threshold decides, and exactly at it is positive', async () => {
    const p = (await model.predict(slice))[0]?.probabilities.COVID!;
    const labelAt = async (threshold: number): Promise<string | undefined> => {
      model.configure({ transform: model.transform, threshold });
      return (await model.predict(slice))[0]?.label;
    };
    expect([await labelAt(p), await labelAt(Math.min(1, p + 1e-6)), await labelAt(0)]).toEqual([
      'COVID',
      'NonCOVID',
      'COVID',
    ]);
    await labelAt(0.5);
  });

  test('a transform that draws at random, or a threshold outside [0, 1], is refused', () => {
    expect(() => model.configure({ transform: tutorialTrain({ size: 64 }), threshold: 0.5 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
    expect(() => model.configure({ transform: tutorialEval({ size: 64 }), threshold: 2 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  });

  test('a file that is no image is named', async () => {
    await writeFile(join(dir, 'no.png'), 'not an image');
    await expect(model.predict([slice, join(dir, 'no.png')])).rejects.toMatchObject({
      code: 'ERR_BAD_IMAGE',
      source: join(dir, 'no.png'),
    });
  });

  test('twenty images under one signal give no warning of a leak', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', listen);
    await model.predict(Array<Uint8Array>(20).fill(slice), { batchSize: 20, signal: new AbortController().signal });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});

describe('explain', () => {
  test('explains the class that is called, also where the threshold calls the less probable one', async () => {
    for (const threshold of [0, 1]) {
      model.configure({ transform: model.transform, threshold });
      const [answer] = await model.explain(slice);
      expect(answer?.explained).toBe(answer?.label);
      expect(answer?.label).toBe(threshold === 0 ? 'COVID' : 'NonCOVID');
    }
    model.configure({ transform: model.transform, threshold: 0.5 });
  });

  test('a class and a layer by name, with the region of the original image', async () => {
    const [answer] = await model.explain(slice, { class: 'COVID', layer: 'features.2' });
    const { width, height } = answer?.pixels ?? { width: 0, height: 0 };
    expect(answer).toMatchObject({
      explained: 'COVID',
      layer: 'features.2',
      height: 64,
      width: 64,
      region: { top: 0, left: 0, width, height },
    });
    expect(answer?.map).toHaveLength(64 * 64);
    await expect(model.explain(slice, { class: 'Flu' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('NonCOVID, COVID'),
    });
    await expect(model.explain(slice, { layer: 'conv1' })).rejects.toMatchObject({
      code: 'ERR_LAYER',
      message: expect.stringContaining('features.10'),
    });
  });
});

describe('save and load', () => {
  test('a model folder brings back answers, transform, threshold and origin', async () => {
    model.configure({
      transform: tutorialEval({ size: 48, normalization: 'none' }),
      threshold: 0.41,
      origin: 'a test',
    });
    const card = await model.save(join(dir, 'saved'));
    expect(card).toMatchObject({
      architecture: 'tiny',
      threshold: 0.41,
      origin: 'a test',
      versions: { libtorch: expect.stringMatching(/^2\./) },
    });
    expect(card.dropout).toBe(0.5);
    using loaded = await Classifier.load(join(dir, 'saved'), { threads: 1 });
    expect(loaded).toMatchObject({
      architecture: 'tiny',
      classes: ['NonCOVID', 'COVID'],
      threshold: 0.41,
      transform: model.transform,
      origin: 'a test',
    });
    expect(await loaded.predict(slice)).toEqual(await model.predict(slice));
  });

  test('a loaded model trains on with the dropout it was made with', async () => {
    using own = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1, dropout: 0.1 });
    await own.save(join(dir, 'dropout'));
    using loaded = await Classifier.load(join(dir, 'dropout'), { threads: 1 });
    expect(networkOf(loaded).dropout).toBe(0.1);
  });

  test.each([
    ['an empty folder', {}, 'ERR_MODEL'],
    ['a card that is not JSON', { 'model.json': '{' }, 'ERR_MODEL'],
    ['a card of something else', { 'model.json': '{"format":"x"}' }, 'ERR_MODEL'],
  ])('%s is refused with %s', async (_, files, code) => {
    const folder = await mkdtemp(join(dir, 'bad-'));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
    await expect(Classifier.load(folder)).rejects.toMatchObject({ code });
  });

  test.each([
    ['climbs out of its folder', { weights: '../x' }, 'ERR_MODEL'],
    ['names no weights that are there', { weights: 'none.safetensors' }, 'ERR_WEIGHTS'],
    ['draws at random', { transform: tutorialTrain({ size: 64 }) }, 'ERR_MODEL'],
    ['names an unknown architecture', { architecture: 'lenet' }, 'ERR_MODEL'],
    ['has another number of classes than the weights', { classes: ['a', 'b', 'c'] }, 'ERR_WEIGHTS'],
  ])('a card that %s is refused', async (_, change, code) => {
    const folder = join(dir, 'changed');
    await model.save(folder);
    const card = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as object;
    await writeFile(join(folder, 'model.json'), JSON.stringify({ ...card, ...change }));
    await expect(Classifier.load(folder)).rejects.toMatchObject({ code });
  });

  test('weights that do not fit leave the network as it was, and say what is wrong', async () => {
    const file = join(dir, 'three.safetensors');
    using three = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b', 'c'], threads: 1 });
    await three.saveWeights(file);
    const before = await model.predict(slice);
    await expect(model.loadWeights(file)).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringMatching(/classifier\.6\.weight.*\[2, 64\].*\[3, 64\]/),
    });
    expect(await model.predict(slice)).toEqual(before);
  });

  test('a head of another size is kept on request, the rest is taken', async () => {
    const file = join(dir, 'three.safetensors');
    using two = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1, seed: 9 });
    const report = await two.loadWeights(file, { replaceHead: true });
    expect(report).toMatchObject({
      missing: [],
      unexpected: [],
      shapeMismatch: [],
      replacedHead: [
        { name: 'classifier.6.weight', expected: [2, 64], actual: [3, 64] },
        { name: 'classifier.6.bias', expected: [2], actual: [3] },
      ],
    });
    expect(report.loaded).toHaveLength(two.tensors().length - 2);
  });

  test('a checkpoint without counts of batches fits: the oldest ones have none', async () => {
    const file = join(dir, 'old.safetensors');
    using old = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1, seed: 5 });
    const tensors = old.tensors().filter(({ name }) => !name.endsWith('num_batches_tracked'));
    await writeSafetensors(file, tensors, {}, (path, offset) =>
      networkOf(old).writeTensors(
        path,
        offset,
        tensors.map(({ name }) => name),
      ),
    );
    using other = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1, seed: 6 });
    const report = await other.loadWeights(file);
    expect(report.missing).toEqual(
      ['features.1', 'features.5', 'features.9'].map((layer) => `${layer}.num_batches_tracked`),
    );
    expect((await other.predict(slice))[0]?.probabilities).toEqual((await old.predict(slice))[0]?.probabilities);
  });

  test('a network that holds NaN says so instead of calling everything negative', async () => {
    const file = join(dir, 'nan.safetensors');
    await model.saveWeights(file);
    const { tensors } = await readSafetensorsHeader(file);
    const bytes = await readFile(file);
    bytes.writeFloatLE(NaN, tensors.find(({ name }) => name === 'classifier.6.bias')?.offset);
    await writeFile(file, bytes);
    using broken = await Classifier.create({
      architecture: 'tiny',
      classes: ['NonCOVID', 'COVID'],
      threads: 1,
      imageSize: 64,
    });
    await expect(broken.loadWeights(file)).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringMatching(/classifier\.6\.bias' has NaN at \[0\]/),
    });
    await broken.loadWeights(file, { allowNonFinite: true });
    await expect(broken.predict(slice)).rejects.toMatchObject({
      code: 'ERR_NATIVE',
      message: expect.stringContaining('NaN'),
    });
  });
});

describe('the end', () => {
  test('every use after dispose is ERR_DISPOSED', async () => {
    const gone = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1 });
    gone.dispose();
    await expect(gone.predict(slice)).rejects.toMatchObject({ name: 'CovidCtError', code: 'ERR_DISPOSED' });
    await expect(gone.saveWeights(join(dir, 'gone'))).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    gone[Symbol.dispose]();
  });

  test('two trainings at once are refused', () => {
    const unlock = networkOf(model).lock('the first');
    expect(() => networkOf(model).lock('the second')).toThrow(
      expect.objectContaining({ code: 'ERR_BUSY', message: expect.stringContaining('the first') }),
    );
    unlock();
    networkOf(model).lock('the third')();
  });
});

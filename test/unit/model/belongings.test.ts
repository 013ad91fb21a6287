/** What belongs to weights comes and goes with them: transform, threshold, origin. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aspectEval, tutorialEval, tutorialTrain } from '../../../src/data/transforms/presets';
import { parseTransform } from '../../../src/data/transforms/transform';
import { Classifier, networkOf } from '../../../src/model/classifier';
import { readSafetensorsHeader, writeSafetensors } from '../../../src/weights/safetensors';
import type { ClassifierOptions } from '../../../src/model/options';
import { weightsIn } from '../../helpers/kept';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-belongings-'));
});
afterAll(() => rm(dir, { recursive: true }));

const CLASSES = ['NonCOVID', 'COVID'];
const make = (options: Partial<ClassifierOptions> = {}): Promise<Classifier> =>
  Classifier.create({ architecture: 'tiny', classes: CLASSES, device: 'cpu', threads: 1, ...options });
const TRANSFORM = aspectEval({ size: 48 });

/** Weights of this library with an operating point of their own. */
async function own(name: string, threshold = 0.41, options: Partial<ClassifierOptions> = {}): Promise<string> {
  using model = await make(options);
  model.configure({ transform: TRANSFORM, threshold, origin: 'a test' });
  await model.saveWeights(join(dir, name));
  return join(dir, name);
}

/** The same tensors in a file that says nothing of them. */
async function foreign(name: string): Promise<string> {
  using model = await make({ seed: 4 });
  const tensors = model.tensors();
  await writeSafetensors(join(dir, name), tensors, {}, (file, offset) =>
    networkOf(model).writeTensors(
      file,
      offset,
      tensors.map((tensor) => tensor.name),
    ),
  );
  return join(dir, name);
}

test('a file of this library brings its transform and threshold, and the next one takes them away', async () => {
  using model = await make();
  const first = await model.loadWeights(await own('own.safetensors'));
  expect([model.transform, model.threshold]).toEqual([parseTransform(TRANSFORM), 0.41]);
  expect(first.notes).toEqual(['the threshold is 0.41 now, as the file says; it was 0.5']);
  const second = await model.loadWeights(await foreign('foreign.safetensors'));
  expect([model.threshold, model.origin, model.pretraining?.assumed]).toEqual([
    0.5,
    join(dir, 'foreign.safetensors'),
    true,
  ]);
  expect(model.transform).toEqual(tutorialEval({ size: 48, normalization: 'imagenet' }));
  expect(second.notes).toEqual(['the threshold is 0.5 now, the file has none for these classes; it was 0.41']);
});

test('a threshold that was set by hand goes with the weights that it was set for', async () => {
  using model = await make();
  model.configure({ transform: model.transform, threshold: 0.9 });
  await model.loadWeights(await foreign('foreign.safetensors'));
  expect(model.threshold).toBe(0.5);
});

test('a model folder: its weight file alone brings what its card says', async () => {
  using saved = await make();
  saved.configure({ transform: TRANSFORM, threshold: 0.3 });
  await saved.save(join(dir, 'folder'));
  using model = await make({ seed: 2 });
  await model.loadWeights(await weightsIn(join(dir, 'folder')));
  expect([model.transform, model.threshold]).toEqual([saved.transform, 0.3]);
});

test('how 16-bit images are scaled is of the weights as well', async () => {
  using saved = await make();
  saved.configure({ transform: TRANSFORM, threshold: 0.5, sixteenBit: { low: 0, high: 4095 } });
  await saved.saveWeights(join(dir, 'sixteen.safetensors'));
  using model = await make({ seed: 2 });
  await model.loadWeights(join(dir, 'sixteen.safetensors'));
  expect(model.sixteenBit).toEqual({ low: 0, high: 4095 });
  const { notes } = await model.loadWeights(await foreign('foreign.safetensors'));
  expect(model.sixteenBit).toBeNull();
  expect(notes).toContain('16-bit images are scaled by all 16 bits now');
});

test('weightsOnly leaves everything as it is', async () => {
  using model = await make();
  model.configure({ transform: model.transform, threshold: 0.9, origin: 'mine' });
  const before = [model.transform, model.threshold, model.origin, model.pretraining];
  await model.loadWeights(await own('own.safetensors'), { weightsOnly: true });
  expect([model.transform, model.threshold, model.origin, model.pretraining]).toEqual(before);
});

test('a threshold is of its classes in their order, and of its head', async () => {
  for (const classes of [
    ['COVID', 'NonCOVID'],
    ['a', 'b'],
  ]) {
    using model = await make({ classes });
    await model.loadWeights(await own('own.safetensors'));
    expect(model.threshold).toBe(0.5);
  }
  using model = await make();
  await model.loadWeights(await own('three.safetensors', 0.41, { classes: ['a', 'b', 'c'] }), { replaceHead: true });
  expect(model.threshold).toBe(0.5);
});

test('an image size that was asked for stays, and gray input is not normalized as colors are', async () => {
  using small = await make({ imageSize: 64 });
  await small.loadWeights(await own('own.safetensors'));
  expect(small.threshold).toBe(0.41);
  expect(JSON.stringify(small.transform)).toContain('64');
  using gray = await make({ channels: 1 });
  await gray.loadWeights(await own('own.safetensors'));
  expect(gray.transform).toEqual(tutorialEval({ size: 48, normalization: networkOf(gray).normalization }));
});

test.each([
  ['no JSON', '{'],
  ['a threshold out of range', { threshold: 2 }],
  ['a transform that draws', { transform: tutorialTrain({ size: 64 }) }],
  ['something else', 7],
])('metadata with %s count as none', async (_, change) => {
  const file = await own('own.safetensors');
  const { metadata } = await readSafetensorsHeader(file);
  const stored = JSON.parse(metadata['covidct.prediction']!) as object;
  const value = typeof change === 'object' ? JSON.stringify({ ...stored, ...change }) : String(change);
  using model = await make({ seed: 4 });
  await model.saveWeights(file, { 'covidct.prediction': value });
  model.configure({ transform: model.transform, threshold: 0.9 });
  await model.loadWeights(file);
  expect(model.threshold).toBe(0.5);
});

test('a load that fails leaves everything as it was', async () => {
  using model = await make();
  model.configure({ transform: TRANSFORM, threshold: 0.7 });
  const bytes = await readFile(await own('own.safetensors'));
  await writeFile(join(dir, 'cut.safetensors'), bytes.subarray(0, bytes.length - 1));
  await expect(model.loadWeights(join(dir, 'cut.safetensors'))).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
  expect([model.threshold, model.transform]).toEqual([0.7, parseTransform(TRANSFORM)]);
});

/** A predictor of a real model: the classifier's own answers, bit for bit, whatever batches they came in. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng } from '../../src/data/images/decode';
import { Classifier } from '../../src/model/classifier';
import { Predictor } from '../../src/predictor/predictor';
import { coloredPhantom } from '../helpers/images';

let dir: string;
let files: string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-predictor-'));
  using model = await Classifier.create({ architecture: 'tiny', classes: ['NonCOVID', 'COVID'], device: 'cpu' });
  await model.save(join(dir, 'model'));
  files = await Promise.all(
    Array.from({ length: 11 }, async (_, index) => {
      const file = join(dir, `${index}.png`);
      await writeFile(file, await encodePng(coloredPhantom(index, 200 + 31 * index)));
      return file;
    }),
  );
});

afterAll(() => rm(dir, { recursive: true, force: true }));

test('answers are those of the classifier, bit for bit, and explanations to rounding', async () => {
  using model = await Classifier.load(join(dir, 'model'), { device: 'cpu', threads: 1 });
  const expected = await model.predict(files);
  const explained = await model.explain(files, { class: 'COVID' });
  await using predictor = await Predictor.load(join(dir, 'model'), { device: 'cpu', threads: 1, maxBatch: 4 });
  const answers = await predictor.predict(files, { explain: { class: 'COVID' } });
  answers.forEach((answer, index) => {
    expect(answer.path).toBe(files[index]);
    expect(answer.probabilities).toEqual(expected[index]!.probabilities);
    expect(answer.label).toBe(expected[index]!.label);
    const { map, probabilities, ...facts } = answer.explanation!;
    const { map: wanted, probabilities: near, ...others } = explained[index]!;
    expect(facts).toEqual(others);
    // Grad-CAM runs with a graph: its last bits depend on how many images are in the batch.
    expect(probabilities['COVID']).toBeCloseTo(near['COVID']!, 6);
    expect(Math.max(...map.map((value, place) => Math.abs(value - wanted[place]!)))).toBeLessThan(1e-6);
  });
  expect(answers[0]).toMatchObject({ model: 'tiny', version: expect.stringMatching(/^[0-9a-f]{16}$/) });
});

test('a predictor under a name, with errors of its own function', async () => {
  await using predictor = await Predictor.load(join(dir, 'model'), { device: 'cpu', name: 'ct-1' });
  expect(predictor.status()).toMatchObject({ model: 'ct-1', device: 'cpu', ready: true });
  await expect(Predictor.load(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_MODEL' });
  await expect(Predictor.load(join(dir, 'model'), { maxQueue: 0 })).rejects.toThrow(/Predictor.load.*\n.*maxQueue/);
  await expect(Predictor.load(5 as never)).rejects.toThrow(/Predictor.load: path/);
});

test('disposing in the middle of a batch refuses it and frees the model', async () => {
  const predictor = await Predictor.load(join(dir, 'model'), { device: 'cpu' });
  const answers = predictor.submit(files);
  await new Promise((resolve) => setTimeout(resolve, 20));
  predictor.dispose();
  const states = await Promise.allSettled(answers);
  for (const each of states)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ERR_DISPOSED' });
  await expect(predictor.predict(files[0]!)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

test('promoted, rolled back and followed, while every image is answered by one of the two', async () => {
  const classes = ['NonCOVID', 'COVID'];
  using second = await Classifier.create({ architecture: 'tiny', classes, seed: 5, device: 'cpu' });
  await second.save(join(dir, 'second'));
  await using predictor = await Predictor.load(join(dir, 'model'), { device: 'cpu', threads: 1 });
  const one = predictor.status().version;
  const swaps: string[] = [];
  predictor.on('swap', ({ version, previous }) => swaps.push(`${previous} ${version}`));
  const before = predictor.submit(files);
  const { version: two, previous, checks } = await predictor.promote(join(dir, 'second'));
  expect(previous).toBe(one);
  expect(checks.every(({ passed }) => passed)).toBe(true);
  expect(await predictor.predict(files[0]!)).toMatchObject({ version: two });
  for (const answer of await Promise.all(before)) expect([one, two]).toContain(answer.version);
  await predictor.rollback();
  expect(await predictor.predict(files[0]!)).toMatchObject({ version: one });
  expect(swaps).toEqual([`${one} ${two}`, `${two} ${one}`]);

  const following = predictor.follow(join(dir, 'followed'), { everyMs: 10 });
  await second.save(join(dir, 'followed'));
  while (predictor.status().version !== two) await new Promise((resolve) => setTimeout(resolve, 5));
  await predictor.rollback();
  await new Promise((resolve) => setTimeout(resolve, 100)); // several looks: what was rolled back from stays away
  expect(predictor.status().version).not.toBe(two);
  await following.stop();
  await following.stop();
  await predictor.rollback();
  await expect(predictor.promote(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_MODEL' });
  expect(predictor.status()).toMatchObject({ version: two, ready: true });
});

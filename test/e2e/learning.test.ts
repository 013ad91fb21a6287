/** A tiny network truly learns made-up slices; training is repeatable, can be aborted, and leaves predictions room. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Classifier, evaluate, makePhantoms, openDataset, Trainer, tutorialEval } from '../../src/index';
import { colorJitter, compose, gaussianBlur, normalize, parseTransform, randomErasing } from '../../src/index';
import { randomRotation, resize, toTensor } from '../../src/index';
import type { Dataset, TrainEvent, TrainerOptions } from '../../src/index';
import { RunFolder } from '../../src/train/run-folder';

const SIZE = 64;
let dir: string;
let train: Dataset;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-learning-'));
  await makePhantoms(join(dir, 'phantoms'), { count: 30, size: 96 });
  const splits = await openDataset(join(dir, 'phantoms'));
  const ofClass = (label: number) => splits.train.samples.filter((sample) => sample.label === label).slice(0, 8);
  train = { ...splits.train, samples: [...ofClass(0), ...ofClass(1)] };
}, 60_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

const models: Classifier[] = [];
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});

async function tiny(seed = 1): Promise<Classifier> {
  const model = await Classifier.create({
    architecture: 'tiny',
    classes: [...train.classes],
    device: 'cpu',
    threads: 1,
    seed,
    dropout: 0,
    imageSize: SIZE,
  });
  models.push(model);
  return model;
}

function recipe(model: Classifier, options: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    model,
    learningRate: 0.01,
    accumulate: 1,
    imageSize: SIZE,
    trainTransform: tutorialEval({ size: SIZE }),
    ...options,
  };
}

test('the random pixel steps train, before and after the resize, and stand in the configuration of the run', async () => {
  const gray = normalize({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  const trainTransform = compose([
    randomRotation(10, { interpolation: 'bilinear' }),
    resize([SIZE, SIZE]),
    colorJitter({ brightness: 0.2, contrast: 0.2 }),
    gaussianBlur(3),
    toTensor(),
    gray,
    randomErasing(0.5, { value: 'random' }),
  ]);
  const losses = async (out: string): Promise<number[]> => {
    const options = { trainTransform, evalTransform: tutorialEval({ size: SIZE }), epochs: 2, seed: 5, out };
    const { epochs } = await new Trainer(recipe(await tiny(), options)).fit(train, null);
    return epochs.map(({ trainLoss }) => trainLoss);
  };
  const out = join(dir, 'steps');
  const first = await losses(out);
  expect(first.every(Number.isFinite)).toBe(true);
  expect(await losses(join(dir, 'again'))).toEqual(first);
  const { options } = await (await RunFolder.open(out)).config();
  expect(parseTransform(options['trainTransform'])).toEqual(trainTransform);
});

test('sixteen made-up slices are learnt to more than 0.9', async () => {
  const model = await tiny();
  const losses: number[] = [];
  for await (const event of new Trainer(recipe(model, { epochs: 240 })).events(train, null)) {
    if (event.type === 'epoch') losses.push(event.trainLoss);
    if (event.type === 'epoch' && event.trainLoss < 0.02) break;
  }
  const figures = await evaluate(model, train, { transform: model.transform });
  expect(losses[0]).toBeGreaterThan(0.3);
  expect(losses.at(-1)).toBeLessThan(0.1);
  expect(figures.accuracy).toBeGreaterThan(0.9);
  expect(figures.loss).toBeLessThan(0.4);
}, 180_000);

test('the same seed gives the same losses, another seed others', async () => {
  const losses = async (seed: number): Promise<number[]> => {
    const history = await new Trainer(recipe(await tiny(seed), { epochs: 2, seed, trainTransform: undefined })).fit(
      train,
      null,
    );
    return history.epochs.map((epoch) => epoch.trainLoss);
  };
  const first = await losses(3);
  expect(await losses(3)).toEqual(first);
  expect(await losses(4)).not.toEqual(first);
}, 120_000);

test('aborted in the middle of an epoch: both weights of the run folder load and predict', async () => {
  const out = join(dir, 'aborted');
  const stop = new AbortController();
  const abortInEpochTwo = {
    log: (event: TrainEvent) => {
      if (event.type === 'step' && event.epoch === 2 && event.step === 3) stop.abort();
    },
    close: () => undefined,
  };
  const options = { epochs: 50, batchSize: 2, out, keep: 'both', loggers: [abortInEpochTwo] } as const;
  const history = await new Trainer(recipe(await tiny(), options)).fit(train, train, { signal: stop.signal });
  expect(history).toMatchObject({ stop: { reason: 'aborted' }, restored: 'best', best: { epoch: 1 } });
  const source = train.samples[0]?.source as string;
  const [best, last] = await Promise.all(
    (['best', 'last'] as const).map(async (which) => {
      const model = await Classifier.load(out, { which, device: 'cpu', threads: 1 });
      models.push(model);
      return (await model.predict(source))[0]?.probabilities;
    }),
  );
  expect(Object.values(best ?? {}).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  expect(best).not.toEqual(last);
  expect((await models[0]?.predict(source))?.[0]?.probabilities).toEqual(best);
}, 120_000);

test('predictions are answered while a training runs', async () => {
  const model = await tiny();
  const source = train.samples[0]?.source as string;
  const answers: number[] = [];
  for await (const event of new Trainer(recipe(model, { epochs: 2 })).events(train, null)) {
    if (event.type === 'step') answers.push((await model.predict(source))[0]?.probabilities.COVID!);
  }
  expect(answers).toHaveLength(4);
  expect(answers.every((value) => value > 0 && value < 1)).toBe(true);
}, 120_000);

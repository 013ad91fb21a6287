/**
 * Trainings that freeze, group, clip and average, on the tiny network: what changes, what stays, what is left behind.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Classifier, evaluate, makePhantoms, openDataset, Trainer, tutorialEval } from '../../src/index';
import type { Dataset, TrainEvent, TrainerOptions } from '../../src/index';
import { networkOf } from '../../src/model/classifier';
import { chooseThreshold } from '../../src/train/threshold';
import { weightsIn } from '../helpers/kept';

const SIZE = 64;
let dir: string;
let train: Dataset;
const models: Classifier[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-tuning-'));
  await makePhantoms(join(dir, 'phantoms'), { count: 30, size: 96 });
  const splits = await openDataset(join(dir, 'phantoms'));
  const ofClass = (label: number) => splits.train.samples.filter((sample) => sample.label === label).slice(0, 8);
  train = { ...splits.train, samples: [...ofClass(0), ...ofClass(1)] };
}, 60_000);

afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A tiny classifier of the data's classes, disposed of after the test. */
async function tinyModel(options: { seed?: number; dropout?: number; imageSize?: number } = {}): Promise<Classifier> {
  const classes = [...train.classes];
  const model = await Classifier.create({ architecture: 'tiny', classes, device: 'cpu', threads: 1, ...options });
  models.push(model);
  return model;
}

async function setUp(options: Partial<TrainerOptions> = {}) {
  const model = await tinyModel({ seed: 1, dropout: 0, imageSize: SIZE });
  const trainer = new Trainer({
    model,
    accumulate: 1,
    epochs: 2,
    imageSize: SIZE,
    trainTransform: tutorialEval({ size: SIZE }),
    ...options,
  });
  return { model, trainer };
}

let files = 0;
/** Bytes of every tensor by name. */
async function tensorsOf(model: Classifier): Promise<Map<string, string>> {
  const path = join(dir, `weights-${files++}.safetensors`);
  await model.saveWeights(path);
  const file = await readFile(path);
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + length).toString()) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const { __metadata__, ...tensors } = header;
  void __metadata__;
  const bytesOf = ({ data_offsets: [from, to] }: { data_offsets: [number, number] }): string =>
    file.subarray(8 + length + from, 8 + length + to).toString('hex');
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, bytesOf(tensor)]));
}

async function collect(run: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

const changed = (before: Map<string, string>, after: Map<string, string>): string[] =>
  [...before.keys()].filter((name) => before.get(name) !== after.get(name));

/** One more epoch moves the first weights and running statistics: nothing of an earlier freeze is left behind. */
async function expectTrainable(model: Classifier): Promise<void> {
  const before = await tensorsOf(model);
  const trainTransform = tutorialEval({ size: SIZE });
  await new Trainer({ model, accumulate: 1, epochs: 1, imageSize: SIZE, trainTransform }).fit(train, null);
  expect(changed(before, await tensorsOf(model))).toEqual(
    expect.arrayContaining(['features.0.weight', 'features.1.running_mean']),
  );
}

test('a frozen backbone stays bit for bit, running statistics included; the head learns; all is trainable again', async () => {
  const { model, trainer } = await setUp({ freeze: 'backbone', epochs: 3 });
  const before = await tensorsOf(model);
  const events = await collect(trainer.events(train, null));
  const names = changed(before, await tensorsOf(model));
  expect(names.length).toBeGreaterThan(0);
  expect(names.every((name) => name.startsWith('classifier.'))).toBe(true);
  expect(events.filter(({ type }) => type === 'unfrozen')).toEqual([
    { type: 'unfrozen', epoch: 1, tensors: expect.any(Number), parameters: expect.any(Number), frozenNorms: 3 },
  ]);
  await expectTrainable(model);
}, 60_000);

test("batchNorm 'batch' lets the statistics of frozen norms move, and nothing else of the backbone", async () => {
  const { model, trainer } = await setUp({ freeze: { parameters: ['backbone'], batchNorm: 'batch' } });
  const before = await tensorsOf(model);
  await trainer.fit(train, null);
  const names = changed(before, await tensorsOf(model)).filter((name) => name.startsWith('features.'));
  expect(names).toContain('features.1.running_mean');
  expect(names.every((name) => /running_|num_batches/.test(name))).toBe(true);
}, 60_000);

test('depth freezes the first stages; unfreezing says so, and acts from the beginning of its epoch', async () => {
  const { model, trainer } = await setUp({
    freeze: {
      depth: 2,
      unfreeze: [
        { epoch: 2, depth: 1 },
        { epoch: 3, parameters: 'all' },
      ],
    },
    epochs: 3,
  });
  const before = await tensorsOf(model);
  const seen: Record<number, string[]> = {};
  const counts: number[] = [];
  for await (const event of trainer.events(train, null)) {
    if (event.type === 'unfrozen') counts.push(event.frozenNorms);
    if (event.type === 'epoch') seen[event.epoch] = changed(before, await tensorsOf(model));
  }
  expect(counts).toEqual([2, 1, 0]);
  expect(
    [1, 2, 3].map((epoch) =>
      ['features.0.weight', 'features.4.weight', 'features.8.weight', 'classifier.0.weight'].filter((name) =>
        seen[epoch]?.includes(name),
      ),
    ),
  ).toEqual([
    ['features.8.weight', 'classifier.0.weight'],
    ['features.4.weight', 'features.8.weight', 'classifier.0.weight'],
    ['features.0.weight', 'features.4.weight', 'features.8.weight', 'classifier.0.weight'],
  ]);
}, 60_000);

test('wrong names, depths and unfreezings are refused with what would be right', async () => {
  const refused = async (options: Partial<TrainerOptions>, message: RegExp) => {
    await expect((await setUp(options)).trainer.fit(train, null)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  };
  await refused({ freeze: ['featurs.0'] }, /nothing is called 'featurs.0'; near are 'features.0'/);
  await refused({ freeze: { depth: 9 } }, /at most the 3 stages/);
  await refused({ freeze: ['backbone', 'head'] }, /everything is frozen/);
  await refused(
    { freeze: { parameters: ['features.0'], unfreeze: [{ epoch: 2, parameters: ['head'] }] } },
    /nothing of it is frozen/,
  );
  await refused({ groups: [{ match: 'features.00', learningRate: 1 }] }, /groups\[0\]\.match/);
  await expect(setUp({ freeze: { depth: 1, unfreeze: [{ epoch: 3, parameters: 'all' }] } })).rejects.toThrow(
    /at most the 2 epochs/,
  );
});

test('a group with a rate of its own: a rate of nearly nothing leaves its parameters all but where they were', async () => {
  const { model, trainer } = await setUp({ groups: [{ match: 'backbone', learningRate: 1e-30 }] });
  const before = await tensorsOf(model);
  await trainer.fit(train, null);
  const names = changed(before, await tensorsOf(model)).filter((name) => /weight$/.test(name));
  expect(names.every((name) => name.startsWith('classifier.'))).toBe(true);
  expect(names).toContain('classifier.0.weight');
}, 60_000);

test.each([['adam'], ['adamw']] as const)(
  '%s with a cosine, smoothing, clipping and an average learns',
  async (optimizer) => {
    const { trainer } = await setUp({
      optimizer,
      learningRate: 1e-3,
      schedule: { type: 'cosine', warmupEpochs: 2 },
      labelSmoothing: 0.05,
      maxGradientNorm: 5,
      ema: { decay: 0.8 },
      epochs: 30,
    });
    const history = await trainer.fit(train, train);
    expect(history.epochs.at(-1)?.trainLoss).toBeLessThan(0.5 * history.epochs[0]?.trainLoss!);
    expect(history.epochs.at(-1)?.validationAccuracy).toBeGreaterThan(0.8);
    expect(history.epochs[29]?.learningRate).toBeLessThan(1e-4);
  },
  120_000,
);

test('the average is what is validated and left; without it the raw weights are', async () => {
  const last = async (options: Partial<TrainerOptions>) => {
    const { model, trainer } = await setUp({ ...options, epochs: 2, seed: 5 });
    const history = await trainer.fit(train, null);
    return { loss: history.epochs[1]?.trainLoss, weights: await tensorsOf(model), origin: model.origin };
  };
  const [raw, averaged] = [await last({}), await last({ ema: { decay: 0.99 } })];
  expect(averaged.loss).toBe(raw.loss); // training goes on with the raw weights
  expect(changed(raw.weights, averaged.weights)).toContain('classifier.0.weight');
  expect(averaged.origin).toContain('weights averaged (decay 0.99)');
}, 60_000);

test('an abort with an average, in the middle of a step or of a validation, leaves nothing swapped', async () => {
  for (const where of ['step', 'validation'] as const) {
    const { model, trainer } = await setUp({ ema: { decay: 0.9 }, epochs: 3, batchSize: 4 });
    const stop = new AbortController();
    const network = networkOf(model);
    const swaps = jest.spyOn(network, 'average');
    const { predict: real } = network;
    const predict = jest.spyOn(network, 'predict').mockImplementation(async (batch) => {
      if (where === 'validation') stop.abort();
      return await real(batch);
    });
    const events: TrainEvent[] = [];
    for await (const event of trainer.events(train, train, { signal: stop.signal })) {
      events.push(event);
      if (where === 'step' && event.type === 'step' && event.step === 2) stop.abort();
    }
    predict.mockRestore();
    expect(events.at(-1)).toMatchObject({ type: 'stop', reason: 'aborted' });
    // In and out for a validation that was left; once more to adopt the average.
    expect(swaps.mock.calls.filter(([op]) => (op as string) === 'swap')).toHaveLength(where === 'step' ? 1 : 3);
    await expect(network.average('swap')).rejects.toMatchObject({ message: expect.stringContaining('no average') });
  }
}, 60_000);

test('cached features: bit for bit the losses of the training without them, augmented too, up to and beyond an unfreezing', async () => {
  const losses = async (options: Partial<TrainerOptions>) => {
    const { model, trainer } = await setUp({
      epochs: 3,
      batchSize: 4,
      accumulate: 2,
      ema: { decay: 0.5 },
      ...options,
    });
    const features = jest.spyOn(networkOf(model), 'trainStep');
    const history = await trainer.fit(train, train);
    return {
      losses: history.epochs.map(({ trainLoss, validationLoss }) => [trainLoss, validationLoss]),
      cached: features.mock.calls.filter(([input]) => 'features' in input).length,
    };
  };
  const freeze = { parameters: ['backbone'], unfreeze: [{ epoch: 3, parameters: 'all' as const }] };
  for (const options of [{ freeze }, { freeze, trainTransform: undefined }] as Partial<TrainerOptions>[]) {
    const plain = await losses(options);
    const cached = await losses({ ...options, cacheFeatures: { augmentations: 3 } });
    expect(cached.losses).toEqual(plain.losses);
    expect([plain.cached, cached.cached]).toEqual([0, 8]);
  }
  expect((await losses({ freeze, cacheFeatures: true })).losses).toEqual((await losses({ freeze })).losses);
  await expect(losses({ cacheFeatures: true })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining("freeze: 'backbone'"),
  });
  await expect(losses({ freeze, cacheFeatures: true, maxCacheBytes: 1000 })).rejects.toThrow(/room for \d+ bytes/);
}, 120_000);

test('cached features are announced: how many, how large, and when augmentation is left out', async () => {
  const announced = async (options: Partial<TrainerOptions>) => {
    const { model, trainer } = await setUp({ freeze: 'backbone', epochs: 2, ...options });
    const events = await collect(trainer.events(train, train));
    return {
      width: networkOf(model).featureWidth,
      features: events.filter(({ type }) => type === 'features'),
      at: events.findIndex(({ type }) => type === 'features'),
      step: events.findIndex(({ type }) => type === 'step'),
    };
  };
  const without = await announced({ cacheFeatures: true, trainTransform: undefined });
  expect(without.features).toEqual([
    {
      type: 'features',
      samples: 32,
      augmentations: 1,
      width: without.width,
      bytes: 32 * without.width * 4,
      withoutAugmentation: true,
    },
  ]);
  expect(without.at).toBeLessThan(without.step);
  expect((await announced({ cacheFeatures: true })).features).toMatchObject([
    { augmentations: 1, withoutAugmentation: false },
  ]);
  const fixed = await announced({ cacheFeatures: { augmentations: 3 }, trainTransform: undefined });
  expect(fixed.features).toMatchObject([
    { augmentations: 3, bytes: (3 * 16 + 16) * fixed.width * 4, withoutAugmentation: false },
  ]);
  expect((await announced({})).features).toEqual([]);
}, 120_000);

test('what cacheFeatures cannot do is refused before a run folder is made', async () => {
  const out = join(dir, 'never');
  await expect((await setUp({ cacheFeatures: true, out })).trainer.fit(train, null)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
  expect(existsSync(out)).toBe(false);

  // SqueezeNet's head begins with a convolution: there is no vector of features to keep.
  using model = await Classifier.create({ architecture: 'squeezenet1_1', classes: [...train.classes], device: 'cpu' });
  const options = { model, freeze: 'backbone', cacheFeatures: true, imageSize: SIZE, out } as const;
  await expect(new Trainer(options).fit(train, null)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/cacheFeatures: .*that of squeezenet1_1 takes maps/s),
  });
  expect(existsSync(out)).toBe(false);
});

test('an abort while the backbone is frozen leaves everything trainable', async () => {
  const { model, trainer } = await setUp({ freeze: 'backbone', cacheFeatures: true, epochs: 5 });
  for await (const event of trainer.events(train, null)) if (event.type === 'step') break;
  await expectTrainable(model);
}, 60_000);

test("a training's weights bring normalization and size to who starts from the file alone, and leave the model's history as it was", async () => {
  const normalization = {
    mean: [0.6, 0.6, 0.6] as [number, number, number],
    std: [0.3, 0.3, 0.3] as [number, number, number],
  };
  const out = join(dir, 'own-input');
  const { model, trainer } = await setUp({
    out,
    epochs: 1,
    evalTransform: tutorialEval({ size: SIZE, normalization }),
    trainTransform: tutorialEval({ size: SIZE, normalization }),
  });
  await trainer.fit(train, train);
  expect(model.pretraining).toBeNull();
  const next = await tinyModel();
  await next.loadWeights(await weightsIn(out));
  expect(networkOf(next).normalization).toEqual(normalization);
  expect(next.transform).toEqual(tutorialEval({ size: SIZE, normalization }));
  expect(next.pretraining).toMatchObject({
    name: expect.stringMatching(/trained on .* epoch 1/),
    imageSize: SIZE,
    assumed: false,
  });
  expect([
    new Trainer({ model: next }).options.imageSize,
    new Trainer({ model: next, imageSize: 96 }).options.imageSize,
    new Trainer({ model }).options.imageSize,
  ]).toEqual([SIZE, 96, 224]);
  const other = await tinyModel();
  const transform = other.transform;
  await other.loadWeights(await weightsIn(out), { weightsOnly: true });
  expect([other.transform, other.pretraining, other.origin]).toEqual([transform, null, 'random (seed 0)']);
}, 60_000);

test('the best and the last weights of a training each have their own threshold, in the file and from the run folder', async () => {
  const out = join(dir, 'thresholds');
  const { model, trainer } = await setUp({ out, epochs: 3, learningRate: 0.05, bestBy: 'loss', keep: 'both' });
  const history = await trainer.fit(train, train);
  const made = async (load: (next: Classifier) => Promise<unknown>): Promise<Classifier> => {
    const next = await tinyModel();
    await load(next);
    return next;
  };
  const best = await made(async (next) => next.loadWeights(await weightsIn(out)));
  expect([best.threshold, best.transform]).toEqual([model.threshold, model.transform]);
  const last = await made(async (next) => next.loadWeights(await weightsIn(out, 'last')));
  const fromFolder = await Classifier.load(out, { which: 'last', threads: 1 });
  models.push(fromFolder);
  expect(fromFolder.threshold).toBe(last.threshold);
  expect(fromFolder.origin).toContain('epoch 3');
  // What the last weights have is chosen on the validation split with them, as the best's is with the best.
  const evaluation = await evaluate(last, train, { threshold: 0.5 });
  expect(last.threshold).toBe(chooseThreshold(evaluation));
  expect(history.best?.epoch).toBeGreaterThan(0);
}, 60_000);

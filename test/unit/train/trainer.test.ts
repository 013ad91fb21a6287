/** The Trainer on a small network that truly learns: what it computes and what it writes. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tutorialTrain } from '../../../src/data/transforms/presets';
import { decodeChecked } from '../../../src/data/images/decode';
import { readCard } from '../../../src/model/card';
import { keptWeights, weightsIn } from '../../helpers/kept';
import { RunFolder } from '../../../src/train/run-folder';
import { Trainer } from '../../../src/train/trainer';
import type { TrainerOptions } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, RECIPE, collect, inTemporaryFolder, makeDataset, setUp } from './made-up';

jest.mock('../../../src/data/images/decode', () => {
  const actual = jest.requireActual<{ decodeChecked: typeof decodeChecked }>('../../../src/data/images/decode');
  return { ...actual, decodeChecked: jest.fn(actual.decodeChecked) };
});

test('awaited, it learns and gives the history', async () => {
  const { trainer, train, validation, memory, model } = await setUp();
  const history = await trainer.fit(train, validation);
  expect(history.epochs).toHaveLength(6);
  expect(history.epochs[5]?.trainLoss).toBeLessThan(0.2);
  expect(history.epochs[5]?.validationAccuracy).toBe(1);
  expect(history.epochs[0]?.trainLoss).toBeGreaterThan(0.4);
  expect(history).toMatchObject({
    stop: { reason: 'epochs' },
    restored: 'best',
    out: null,
    skipped: [],
    best: { metric: 'accuracy', value: 1 },
  });
  expect(history.epochs.filter(({ best }) => best).at(-1)?.epoch).toBe(history.best?.epoch);
  expect(memory.closed).toBe(1);
  expect(model.preprocessing).toMatchObject({ threshold: expect.any(Number), transform: { steps: expect.any(Array) } });
});

test('iterated, it gives every event in order, the same ones the loggers get', async () => {
  const { trainer, train, validation, memory } = await setUp({ epochs: 2 });
  const events = await collect(trainer.events(train, validation));
  expect(events).toEqual(memory.events);
  expect(events[0]).toMatchObject({
    type: 'start',
    epochs: 2,
    stepsPerEpoch: 5,
    trainSamples: 18,
    validationSamples: 10,
    out: null,
    config: { batchSize: 4, momentum: 0.9 },
  });
  expect(events.map(({ type }) => type).join(' ')).toMatch(
    /^start (step ){5}epoch checkpoint (step ){5}epoch (checkpoint )?stop$/,
  );
  expect(events.at(-1)).toMatchObject({ type: 'stop', reason: 'epochs', epochs: 2 });
  const steps = events.filter((event) => event.type === 'step');
  expect(steps.map(({ step, samples, updated }) => [step, samples, updated])).toEqual([
    [1, 4, false],
    [2, 4, true],
    [3, 4, false],
    [4, 4, true],
    [5, 2, true],
    [1, 4, false],
    [2, 4, true],
    [3, 4, false],
    [4, 4, true],
    [5, 2, true],
  ]);
});

test('k micro-batches give the gradient of the one big batch, the tail included', async () => {
  const train = await makeDataset('train', 18);
  const gradients = async (batchSize: number, accumulate: number): Promise<number[][]> => {
    const model = new FakeNetwork(CLASSES);
    await new Trainer({ model: model.classifier, ...RECIPE, epochs: 1, batchSize, accumulate }).fit(train, null);
    return model.calls.flatMap((call) => (call.type === 'update' ? [[...call.gradient]] : []));
  };
  const one = await gradients(8, 1);
  const many = await gradients(2, 4);
  const uneven = await gradients(4, 2);
  expect(one).toHaveLength(3);
  for (const other of [many, uneven]) {
    expect(other).toHaveLength(3);
    other.forEach((gradient, index) => gradient.forEach((value, i) => expect(value).toBeCloseTo(one[index]?.[i]!, 6)));
  }
});

test('train loss and accuracy are means over samples, not over micro-batches', async () => {
  const { trainer, train, memory } = await setUp({ epochs: 1 });
  await trainer.fit(train, null);
  const steps = memory.events.flatMap((event) => (event.type === 'step' ? [event] : []));
  const [epoch] = memory.events.flatMap((event) => (event.type === 'epoch' ? [event] : []));
  const mean = (key: 'loss' | 'accuracy'): number =>
    steps.reduce((sum, step) => sum + step[key] * step.samples, 0) / 18;
  expect(epoch?.trainLoss).toBeCloseTo(mean('loss'), 12);
  expect(epoch?.trainAccuracy).toBeCloseTo(mean('accuracy'), 12);
});

test('the same seed trains the same weights, whatever is prefetched; another seed does not', async () => {
  const weights = async (options: Partial<TrainerOptions>): Promise<{ weights: number[]; seeds: number[] }> => {
    const { trainer, train, validation, model } = await setUp({ epochs: 3, ...options });
    await trainer.fit(train, validation);
    return {
      weights: [...model.weights],
      seeds: model.calls.flatMap((call) => (call.type === 'step' ? [call.dropoutSeed] : [])),
    };
  };
  const first = await weights({});
  expect(await weights({ prefetch: 0, maxCacheBytes: 0 })).toEqual(first);
  expect((await weights({ seed: 8 })).weights).not.toEqual(first.weights);
  expect(new Set(first.seeds).size).toBe(15);
});

test('preset tutorial: first step after one micro-batch, leftovers leak, no normalization, threshold 0.5', async () => {
  const { trainer, train, validation, model } = await setUp({ preset: 'tutorial', epochs: 2, accumulate: 3 });
  await trainer.fit(train, validation);
  const order = model.calls
    .map(({ type }) => type)
    .filter((type) => type === 'step' || type === 'update' || type === 'reset');
  const epoch = ['step', 'update', 'step', 'step', 'step', 'update', 'step'];
  expect(order).toEqual(['reset', ...epoch, ...epoch, 'reset']);
  expect(model.calls.find((call) => call.type === 'step')).toMatchObject({ divisor: 12 });
  expect(model.preprocessing).toMatchObject({
    threshold: 0.5,
    transform: { steps: expect.arrayContaining([{ type: 'normalize', mean: [0, 0, 0], std: [1, 1, 1] }]) },
  });
});

test('class weights: balanced ones come from the counts and reach every step', async () => {
  const { trainer, model } = await setUp({ classWeights: 'balanced', epochs: 1 });
  const all = await makeDataset('train', 8);
  const train = { ...all, samples: all.samples.slice(0, 8).filter(({ label }, index) => label === 0 || index < 4) };
  await trainer.fit(train, null);
  const step = model.calls.find((call) => call.type === 'step');
  expect(step).toMatchObject({ classWeights: [0.75, 1.5] });
  expect(step?.type === 'step' && step.divisor).toBeCloseTo(6, 6);
});

test('without a validation split the last epoch is the best, and said to be', async () => {
  const { trainer, train } = await setUp({ epochs: 3 });
  const history = await trainer.fit(train, null);
  expect(history.best).toEqual({ epoch: 3, metric: 'last', value: null });
  expect(history.epochs.map((epoch) => [epoch.best, epoch.validationLoss, epoch.runningLoss])).toEqual(
    new Array(3).fill([true, null, null]),
  );
});

test('early stopping and the learning rate rule act in the loop; the best weights come back', async () => {
  // Mislabeled validation images: the better the network learns, the worse it looks there.
  const { trainer, train, model } = await setUp({ epochs: 40, patience: 0, learningRate: 0.05 });
  const validation = await makeDataset('validation', 10, { flip: 10, seed: 2 });
  const events = await collect(trainer.events(train, validation));
  expect(events.at(-1)).toMatchObject({
    type: 'stop',
    reason: 'early-stopping',
    message: expect.stringContaining('both more than the patience of 0'),
    bestEpoch: 1,
  });
  expect(events.filter(({ type }) => type === 'epoch').length).toBeLessThan(40);
  expect(model.calls.filter(({ type }) => type === 'load')).toHaveLength(1);

  // Already answered wrongly from the first epoch on: only the loss can get worse.
  const fast = await setUp({ epochs: 6, patience: 0, momentum: 0, accumulate: 1 });
  const seen = await collect(fast.trainer.events(train, validation));
  const changes = seen.flatMap((event) => (event.type === 'learningRate' ? [event] : []));
  expect(changes[0]).toMatchObject({
    epoch: 2,
    from: 2,
    to: 0.2,
    reason: expect.stringContaining('accuracy still improves'),
  });
  expect(seen.flatMap((event) => (event.type === 'epoch' ? [event.learningRate] : [])).slice(0, 3)).toEqual([
    2, 2, 0.2,
  ]);
  expect(fast.model.calls.flatMap((call) => (call.type === 'update' ? [call.learningRate] : [])).slice(9, 11)).toEqual([
    2, 0.2,
  ]);
});

test('a run folder holds everything, and best and last are one file where they are the same', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, memory } = await setUp({ out: join(dir, 'run'), keep: 'both' });
    const history = await trainer.fit(train, validation);
    expect(history.out).toBe(join(dir, 'run'));
    expect((await readdir(join(dir, 'run'))).sort()).toEqual([
      'checkpoints',
      'config.json',
      'history.jsonl',
      'metrics.json',
      'model.json',
      'progress.json',
      'weights',
    ]);
    expect(await keptWeights(join(dir, 'run'))).toEqual(['best']);
    const folder = await RunFolder.open(join(dir, 'run'));
    const stored = await folder.history();
    expect(stored.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(stored.epochs.map((epoch) => epoch.trainLoss)).toEqual(history.epochs.map((epoch) => epoch.trainLoss));
    expect(stored.stop).toMatchObject({ reason: 'epochs' });
    expect(stored.events.some(({ type }) => type === 'step')).toBe(false);
    expect((await folder.metrics()).validation).toMatchObject({ n: 10, accuracy: 1 });
    expect(await folder.config()).toMatchObject({
      data: { train: { samples: 18, classes: { dark: 9, bright: 9 } } },
      model: { architecture: 'softmax_regression' },
    });
    const card = JSON.parse(await readFile(folder.file('model.json'), 'utf8'));
    expect(card).toMatchObject({
      weights: expect.stringMatching(/^weights\/best-/) as string,
      classes: CLASSES,
      origin: expect.stringMatching(/^trained on train from zeros, epoch \d$/),
    });
    const last = memory.events.find((event) => event.type === 'checkpoint' && event.kind === 'last');
    expect(last).toMatchObject({ path: await folder.weightsFile('last') });
  });
});

test('the best weights alone are kept unless both are asked for', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, memory } = await setUp({ out: dir });
    await trainer.fit(train, validation);
    expect(await keptWeights(dir)).toEqual(['best']);
    expect(memory.events.some((event) => event.type === 'checkpoint' && event.kind === 'last')).toBe(false);
    const { card } = await readCard(dir);
    await expect(weightsIn(dir, 'last')).rejects.toThrow(/keeps the best alone unless/);
    expect(await weightsIn(dir, 'best')).toBe(join(dir, card.weights));
  });
});

test('one file is the best and the last where the last epoch is the best', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, model } = await setUp({ out: dir, epochs: 2, keep: 'both' });
    await trainer.fit(train, null);
    expect(await weightsIn(dir, 'last')).toBe(await weightsIn(dir, 'best'));
    expect(await keptWeights(dir)).toEqual(['best']);
    expect(model.calls.filter(({ type }) => type === 'save')).toHaveLength(2);
    expect(model.calls.some(({ type }) => type === 'load')).toBe(false);
  });
});

test('refuses a folder with a run in it unless asked, and a folder with anything else always', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, memory } = await setUp({ out: join(dir, 'run'), epochs: 1 });
    await trainer.fit(train, null);
    const again = await setUp({ out: join(dir, 'run'), epochs: 1 });
    await expect(again.trainer.fit(train, null)).rejects.toMatchObject({
      code: 'ERR_RUN_FOLDER',
      message: expect.stringContaining('overwrite'),
    });
    expect(again.model.lock('test')).toBeInstanceOf(Function);
    expect(memory.closed).toBe(1);
    await writeFile(join(dir, 'run', 'notes.txt'), 'mine');
    await (await setUp({ out: join(dir, 'run'), epochs: 1, overwrite: true })).trainer.fit(train, null);
    expect(await readFile(join(dir, 'run', 'notes.txt'), 'utf8')).toBe('mine');
    await writeFile(join(dir, 'other.txt'), 'x');
    const other = await setUp({ out: dir, overwrite: true });
    await expect(other.trainer.fit(train, null)).rejects.toMatchObject({
      code: 'ERR_RUN_FOLDER',
      message: expect.stringContaining('not a run'),
    });
  });
});

test('files that cannot be decoded: an error, or skipped, counted and left out of the divisor', async () => {
  const good = await makeDataset('train', 7);
  const train = {
    ...good,
    samples: [{ id: 'broken.png', source: Buffer.from('not an image'), label: 0 }, ...good.samples],
  };
  const strict = await setUp({ epochs: 1 });
  await expect(strict.trainer.fit(train, null)).rejects.toMatchObject({ code: 'ERR_BAD_IMAGE' });
  const { trainer, model, memory } = await setUp({ epochs: 2, onBadFile: 'skip', accumulate: 8 });
  const history = await trainer.fit(train, null);
  expect(history.skipped).toEqual([{ split: 'train', id: 'broken.png', reason: expect.any(String) }]);
  expect(memory.events.filter(({ type }) => type === 'skipped')).toHaveLength(1);
  for (const call of model.calls) if (call.type === 'step') expect(call.divisor).toBe(7);
  const allBad = { ...train, samples: train.samples.slice(0, 1) };
  await expect((await setUp({ onBadFile: 'skip' })).trainer.fit(allBad, null)).rejects.toMatchObject({
    code: 'ERR_DATASET',
    message: expect.stringContaining('none of its 1'),
  });
});

test('refuses what cannot be trained on, before a file is written', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation } = await setUp({ out: join(dir, 'run') });
    const refused = async (a: typeof train, b: typeof train | null, message: RegExp): Promise<void> => {
      await expect(trainer.fit(a, b)).rejects.toMatchObject({
        code: 'ERR_DATASET',
        message: expect.stringMatching(message),
      });
    };
    await refused({ ...train, samples: [] }, validation, /empty/);
    await refused(train, { ...validation, samples: [] }, /empty/);
    await refused({ ...train, classes: ['a', 'b'] }, validation, /\["dark","bright"\].*\["a","b"\]/);
    await refused(
      { ...train, samples: [{ id: 'x', source: 'x.png', label: 2, origin: 'list.txt:3' }] },
      null,
      /from 0 to 1; x \(list.txt:3\) has 2/,
    );
    await expect(
      (await setUp({ bestBy: 'auc' })).trainer.fit(train, { ...validation, samples: validation.samples.slice(0, 1) }),
    ).rejects.toThrow(/every class/);
    expect(await readdir(dir)).toEqual([]);
  });
  const model = new FakeNetwork(CLASSES);
  expect(() => new Trainer({ model: model.classifier, learningRate: -1 })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('learningRate') }),
  );
  expect(() => new Trainer({ model: model.classifier, lerningRate: 1 } as never)).toThrow(/lerningRate/);
  expect(() => new Trainer({} as never)).toThrow(/expected a Classifier/);
  const { trainer, train } = await setUp({ classWeights: [1, 2, 3] });
  await expect(trainer.fit(train, null)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('one image, and more micro-batches in a window than there are', async () => {
  const { trainer, model } = await setUp({ epochs: 1, accumulate: 100 });
  const train = await makeDataset('one', 1);
  const history = await trainer.fit(train, null);
  expect(history.epochs[0]?.trainLoss).toBeCloseTo(Math.LN2, 6);
  expect(model.calls.filter(({ type }) => type === 'update')).toHaveLength(1);
});

test('transforms are checked before anything is trained: unknown steps, and random ones for prediction', async () => {
  const { model } = await setUp();
  expect(() => new Trainer({ model: model.classifier, evalTransform: tutorialTrain({ size: 32 }) })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('evalTransform') }),
  );
  expect(
    () => new Trainer({ model: model.classifier, trainTransform: { steps: [{ type: 'bogus' }] } as never }),
  ).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});

test('the validation split may be left out, a signal must be one, and data must be data', async () => {
  const { trainer, train } = await setUp({ epochs: 1 });
  expect((await trainer.fit(train)).best).toMatchObject({ metric: 'last' });
  await expect(trainer.fit(train, null, { signal: {} as never })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(trainer.fit(undefined as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('Trainer.fit: train: expected a data set'),
  });
  expect(() => trainer.events(undefined as never)).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('Trainer.events: train: expected a data set'),
    }),
  );
});

test('a later epoch decodes nothing', async () => {
  const decoded = jest.mocked(decodeChecked).mockClear();
  const { trainer, train, validation } = await setUp({ epochs: 3 });
  await trainer.fit(train, validation);
  expect(decoded).toHaveBeenCalledTimes(train.samples.length + validation.samples.length);
});

test('training after training in one process leaves no more listeners behind than the first', async () => {
  const counts: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const { trainer, train, validation } = await setUp({ epochs: 1 });
    await trainer.fit(train, validation);
    counts.push(process.listenerCount('exit'));
  }
  expect(new Set(counts.slice(1)).size).toBe(1);
  expect(counts[2]).toBe(counts[0]);
});

/**
 * What a training will take is said before it begins; weights that the
 * disk cannot hold are refused before a file is made.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inWords } from '../../../src/log/format';
import { trainingMemory } from '../../../src/model/training-memory';
import type { NativeTensor } from '../../../src/addon/types';
import { readCard } from '../../../src/model/card';
import { keptWeights, weightsIn } from '../../helpers/kept';
import { RunFolder } from '../../../src/train/run-folder';
import { Trainer } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, RECIPE, inTemporaryFolder, makeDataset, Memory, setUp } from './made-up';

/** Says that it has so many numbers in one tensor. */
class Sized extends FakeNetwork {
  override readonly tensors: readonly NativeTensor[];
  constructor(
    numbers: number,
    override readonly architecture = 'softmax_regression',
  ) {
    super(CLASSES);
    this.tensors = [{ name: 'weight', shape: [numbers], dtype: 'F32', kind: 'parameter' }];
  }
}

test('weights that do not fit on the disk: what is needed, what is there, and no folder', async () => {
  await inTemporaryFolder(async (dir) => {
    const out = join(dir, 'run');
    const trainer = new Trainer({ ...RECIPE, model: new Sized(1e15).classifier, out });
    const message = expect.stringMatching(
      /run: expected \d+ MiB of free disk for the weights and checkpoints, .* there are \d+ MiB; free some space, keep/,
    ) as string;
    await expect(trainer.fit(await makeDataset('train', 8), null)).rejects.toMatchObject({
      code: 'ERR_RUN_FOLDER',
      message,
    });
    expect(existsSync(out)).toBe(false);
  });
});

test.each([
  // A checkpoint has the weights and the momentum.
  ['best', 1, 1 + 2],
  ['last', 0, 1],
  ['both', 3, 2 + 3 * 2],
] as const)('the start tells the disk that keep: %s and %i checkpoints take', async (keep, keepCheckpoints, files) => {
  await inTemporaryFolder(async (dir) => {
    const [memory, model] = [new Memory(), new Sized(2 ** 18).classifier];
    const options = { ...RECIPE, epochs: 1, out: join(dir, 'run'), keep, keepCheckpoints };
    await new Trainer({ ...options, model, loggers: [memory] }).fit(await makeDataset('train', 8), null);
    const [start] = memory.events;
    expect(start).toMatchObject({
      type: 'start',
      needs: { memoryBytes: null, diskBytes: files * 2 ** 20 + 32 * 2 ** 20 },
    });
    expect(inWords(start!, 1)).toMatch(new RegExp(`; takes about ${files + 32} MiB of disk$`));
  });
});

test('where memory is short, the start says what takes less', () => {
  const start = {
    type: 'start',
    epochs: 1,
    stepsPerEpoch: 1,
    trainSamples: 8,
    validationSamples: 0,
    architecture: 'vgg19_bn',
    device: 'cpu',
    out: null,
    config: {},
  } as const;
  const needs = { memoryBytes: 3 * 2 ** 30, freeMemoryBytes: 2 ** 30, diskBytes: 0 };
  expect(inWords({ ...start, needs }, 1)).toMatch(
    /; takes about 3\.0 GiB of memory; only 1\.0 GiB of memory is free: a smaller batchSize/,
  );
  expect(inWords({ ...start, needs: { ...needs, freeMemoryBytes: 2 ** 34 } }, 1)).toMatch(
    /; takes about 3\.0 GiB of memory$/,
  );
});

test('the table of memory grows with images and area, and knows nothing of other networks', () => {
  const [one, eight] = [1, 8].map((batchSize) => trainingMemory('vgg19_bn', { batchSize, imageSize: 224 })!);
  expect(one).toBeGreaterThan(2 ** 30);
  expect(eight).toBeGreaterThan(one!);
  expect(trainingMemory('vgg19_bn', { batchSize: 2, imageSize: 448 })).toBeCloseTo(eight!, -1);
  expect(trainingMemory('toString', { batchSize: 1, imageSize: 224 })).toBeNull();
});

test("keep: 'last' keeps and names the last epoch's weights, whatever bestBy says", async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation } = await setUp({ out: dir, epochs: 3, keep: 'last' });
    const history = await trainer.fit(train, validation);
    expect(history.best).toMatchObject({ epoch: history.epochs.length, metric: 'last' });
    expect(await keptWeights(dir)).toEqual(['last']);
    const { card } = await readCard(dir);
    expect(card.weights).toMatch(/^weights\/last-[0-9a-f]{16}\.safetensors$/);
    expect([await weightsIn(dir, 'best'), await weightsIn(dir, 'last')]).toEqual(
      Array(2).fill(join(dir, card.weights)),
    );
    expect(Object.keys(await (await RunFolder.open(dir)).metrics())).toEqual(['validation']);
  });
});

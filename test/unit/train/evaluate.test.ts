/** evaluate: figures per sample whatever the batch size, left-out files, refusals. */
import { PixelStore } from '../../../src/data/store';
import { evaluate } from '../../../src/train/evaluate';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, makeDataset } from './made-up';

function lopsided(): FakeNetwork {
  const network = new FakeNetwork(CLASSES);
  network.weights[0] = -3;
  network.weights[17] = 2;
  return network;
}

test('the figures do not depend on the batch size', async () => {
  const dataset = await makeDataset('test', 11);
  const [one, three, all] = await Promise.all(
    [1, 3, 11].map((batchSize) => evaluate(lopsided().classifier, dataset, { batchSize })),
  );
  expect(three).toEqual(one);
  expect(all).toEqual(one);
  expect(one).toMatchObject({ split: 'test', n: 11, threshold: 0.5, skipped: [] });
  expect(one?.loss).toBeCloseTo((one?.samples.reduce((sum, { loss }) => sum + loss, 0) ?? NaN) / 11, 12);
  expect(one?.samples.map(({ id }) => id)).toEqual(dataset.samples.map(({ id }) => id));
});

test('the threshold moves the answers, not the scores', async () => {
  const dataset = await makeDataset('test', 8);
  const never = await evaluate(lopsided().classifier, dataset, { threshold: 1, split: 'validation' });
  const always = await evaluate(lopsided().classifier, dataset, { threshold: 0 });
  expect(never).toMatchObject({ split: 'validation', sensitivity: 0, specificity: 1 });
  expect(always).toMatchObject({ sensitivity: 1, specificity: 0, auc: never.auc });
});

test('left-out files are listed each time, also when the store met them before', async () => {
  const good = await makeDataset('test', 4);
  const dataset = { ...good, samples: [...good.samples, { id: 'broken.png', source: Buffer.from('no'), label: 1 }] };
  const store = new PixelStore({ onBadFile: 'skip' });
  const progress: [number, number][] = [];
  for (let round = 0; round < 2; round += 1) {
    const evaluation = await evaluate(lopsided().classifier, dataset, {
      store,
      onProgress: (done, total) => progress.push([done, total]),
    });
    expect(evaluation).toMatchObject({ n: 4, skipped: [{ id: 'broken.png', reason: expect.any(String) }] });
  }
  expect(progress).toEqual([
    [4, 5],
    [4, 5],
  ]);
  await expect(evaluate(lopsided().classifier, dataset)).rejects.toMatchObject({ code: 'ERR_BAD_IMAGE' });
  await expect(
    evaluate(lopsided().classifier, { ...dataset, samples: dataset.samples.slice(4) }, { onBadFile: 'skip' }),
  ).rejects.toThrow(/none of its 1 files/);
});

test('a network that answers NaN, a signal, wrong options and wrong classes are typed errors', async () => {
  const dataset = await makeDataset('test', 4);
  const broken = lopsided();
  broken.weights.fill(NaN);
  await expect(evaluate(broken.classifier, dataset)).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringContaining('test-0.png'),
  });
  await expect(evaluate(lopsided().classifier, dataset, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ERR_ABORTED',
    name: 'AbortError',
  });
  await expect(evaluate(lopsided().classifier, dataset, { threshold: 2 })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
  await expect(evaluate(new FakeNetwork(['bright', 'dark']).classifier, dataset)).rejects.toMatchObject({
    code: 'ERR_DATASET',
  });
});

test('an option that does not exist, a transform that is none, and a data set that is none are refused in words', async () => {
  const dataset = await makeDataset('test', 2);
  await expect(evaluate(lopsided().classifier, dataset, { bachSize: 3 } as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('bachSize'),
  });
  await expect(
    evaluate(lopsided().classifier, dataset, { transform: { steps: [{ type: 'bogus' }] } }),
  ).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(evaluate(lopsided().classifier, dataset, { signal: {} as never })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('AbortSignal'),
  });
  await expect(evaluate(lopsided().classifier, { name: 'x' } as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
});

test("the model's own transform and operating point are the defaults", async () => {
  const dataset = await makeDataset('test', 8);
  const network = lopsided();
  network.belongings = { ...network.belongings, threshold: 1 };
  expect(await evaluate(network.classifier, dataset)).toMatchObject({ threshold: 1, sensitivity: 0 });
  expect(await evaluate(network.classifier, dataset, { threshold: 0 })).toMatchObject({ threshold: 0, sensitivity: 1 });
});

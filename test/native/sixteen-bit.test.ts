/**
 * A model that was trained on 12 bits in 16 knows of it: in training, its card, its folder, predictions and the report.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PackedDataset } from '../../src/data/packed/packed';
import { fromSamples, splitDataset } from '../../src/data/samples';
import { Classifier, classifierOf } from '../../src/model/classifier';
import { preparePacked } from '../../src/model/prepare-packed';
import { addTraining } from '../../src/report/run-report';
import { evaluate } from '../../src/train/evaluate';
import { Trainer } from '../../src/train/trainer';
import { rawPng } from '../helpers/image-files';
import { tiny as tinyNetwork } from './tiny';

const tiny = async (): Promise<Classifier> => classifierOf(await tinyNetwork());

const TWELVE = { low: 0, high: 4095 };
const [width, height] = [40, 40];
const folder = mkdtempSync(join(tmpdir(), 'covidct-sixteen-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A slice of 12 bits, and the same in the 8 bits that `sixteenBit` makes of it. */
const values = (seed: number): number[] =>
  Array.from({ length: width * height }, (_, i) => (i * (7 + seed) + seed * 131) % 4096);
const deep = (seed: number): Buffer => rawPng({ width, height, bits: 16, samples: values(seed) });
const flat = (seed: number): Buffer => rawPng({ width, height, samples: values(seed).map((value) => value >> 4) });
const dataOf = (make: (seed: number) => Buffer) =>
  splitDataset(
    fromSamples({
      classes: ['NonCOVID', 'COVID'],
      samples: Array.from({ length: 12 }, (_, i) => ({ source: make(i), label: i % 2, id: `${i}` })),
    }),
    { fractions: { train: 0.5, validation: 0.5 } },
  );
const recipe = { epochs: 1, imageSize: 32, batchSize: 3, accumulate: 1 };

test('is refused without the option, and trains with it as the same images of 8 bits do', async () => {
  using model = await tiny();
  const { train, validation } = dataOf(deep);
  await expect(new Trainer({ model, ...recipe }).fit(train, validation)).rejects.toMatchObject({
    code: 'ERR_BAD_IMAGE',
    message: expect.stringContaining('--sixteen-bit 0:4095'),
  });
  const history = await new Trainer({ model, ...recipe, sixteenBit: TWELVE }).fit(train, validation);
  using other = await tiny();
  const eight = dataOf(flat);
  const same = await new Trainer({ model: other, ...recipe }).fit(eight.train, eight.validation);
  expect(history.epochs[0]!.trainLoss).toBe(same.epochs[0]!.trainLoss);
  expect([model.sixteenBit, other.sixteenBit]).toEqual([TWELVE, null]);
  expect(await model.predict(deep(1))).toEqual(await other.predict(flat(1)));
  await expect(other.predict(deep(1))).rejects.toMatchObject({ code: 'ERR_BAD_IMAGE' });
  expect(await other.predict(deep(1), { sixteenBit: TWELVE })).toEqual(await other.predict(flat(1)));
});

test('is stored in the run, read with the model, and applied by everything that draws', async () => {
  const out = join(folder, 'run');
  const { train, validation } = dataOf(deep);
  using model = await tiny();
  await new Trainer({ model, ...recipe, out, sixteenBit: TWELVE }).fit(train, validation);
  expect(JSON.parse(readFileSync(join(out, 'model.json'), 'utf8'))).toMatchObject({ sixteenBit: TWELVE });
  using loaded = await Classifier.load(out, { device: 'cpu', threads: 1 });
  expect(loaded.sixteenBit).toEqual(TWELVE);
  expect(await loaded.predict(deep(2))).toEqual(await loaded.predict(flat(2)));
  const [explained] = await loaded.explain(deep(2));
  expect(explained!.pixels.data[3]).toBe(values(2)[1]! >> 4);
  expect((await evaluate(loaded, validation!)).samples).toHaveLength(6);
  await addTraining(out, { dataset: train });
  await loaded.save(join(folder, 'copy'));
  using copy = await Classifier.load(join(folder, 'copy'), { device: 'cpu', threads: 1 });
  expect(copy.sixteenBit).toEqual(TWELVE);
  copy.configure({ transform: copy.transform, threshold: 0.5, sixteenBit: null });
  expect(copy.sixteenBit).toBeNull();
});

test('comes from a packed data set, whose pixels no other option can change', async () => {
  await preparePacked(dataOf(deep), join(folder, 'deep.pack'), { sixteenBit: TWELVE });
  await using packed = await PackedDataset.open(join(folder, 'deep.pack'));
  using model = await tiny();
  await new Trainer({ model, ...recipe }).fit(packed.train, packed.validation);
  expect(model.sixteenBit).toEqual(TWELVE);
  const other = new Trainer({ model, ...recipe, sixteenBit: { low: 0, high: 1023 } });
  await expect(other.fit(packed.train, packed.validation)).rejects.toMatchObject({ code: 'ERR_DATASET' });
});

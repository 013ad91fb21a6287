/**
 * A whole run from TypeScript: training, evaluation, pictures and report, with TensorBoard's own reader looking at it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addEvaluation, addTraining, drawExplanation, encodeImage, writeReport } from '../../src/report/index';
import { Classifier, evaluate, makePhantoms, openDataset, TensorBoardLogger, Trainer } from '../../src/index';
import type { DatasetSplits } from '../../src/index';
import { pngSize } from '../helpers/png';
import { findPython, testWithPython } from '../helpers/python';

const READER = join(__dirname, '../parity/tensorboard/read_events.py');

let dir: string;
let out: string;
let data: DatasetSplits;
let model: Classifier;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-run-'));
  out = join(dir, 'run');
  await makePhantoms(join(dir, 'phantoms'), { count: 30, size: 64 });
  data = await openDataset(join(dir, 'phantoms'), { classes: ['NonCOVID', 'COVID'] });
  model = await Classifier.create({
    architecture: 'tiny',
    classes: [...data.classes],
    device: 'cpu',
    threads: 1,
    imageSize: 32,
  });
  const loggers = [new TensorBoardLogger({ dir: join(out, 'tensorboard') })];
  await new Trainer({ model, out, loggers, epochs: 2, accumulate: 1, imageSize: 32 }).fit(data.train, data.validation);
}, 120_000);

afterAll(async () => {
  model.dispose();
  await rm(dir, { recursive: true, force: true });
});

type Image = [step: number, width: number, height: number, base64: string];

async function board(python: string): Promise<{ scalars: Record<string, unknown[]>; images: Record<string, Image[]> }> {
  const folder = join(out, 'tensorboard');
  const [first] = await readdir(folder);
  const { status, stdout, stderr } = spawnSync(python, [READER, folder, join(folder, first!)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 27,
  });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as { scalars: Record<string, unknown[]>; images: Record<string, Image[]> };
}

const AFTER_TRAINING = [
  'train/samples/COVID',
  'train/samples/NonCOVID',
  'training/accuracy',
  'training/loss',
  'validation/confusion-matrix',
  'validation/misclassified',
  'validation/roc',
];

testWithPython(
  findPython(['tensorboard']),
  'TensorBoard shows curves and pictures after the training, and those of the test after it was evaluated',
  async (python) => {
    const report = await addTraining(out, { dataset: data.train });
    expect(await readFile(report, 'utf8')).toContain('No Grad-CAM was made.');
    const trained = await board(python);
    expect(trained.scalars['Losses/train']).toHaveLength(2);
    expect(Object.keys(trained.images).sort()).toEqual(AFTER_TRAINING);
    for (const [[step, width, height, base64]] of Object.values(trained.images) as [Image][]) {
      expect(step).toBe(2);
      expect(pngSize(Buffer.from(base64, 'base64'))).toEqual({ width, height });
      expect(width).toBeGreaterThan(200);
    }

    const test = data.test!;
    const evaluation = await evaluate(model, test, { split: 'test' });
    expect(await addEvaluation(out, { model, dataset: test, evaluation })).toBe(report);
    const { images } = await board(python);
    const added = Object.keys(images).filter((tag) => !AFTER_TRAINING.includes(tag));
    expect(added).toEqual(
      expect.arrayContaining([
        'test/confusion-matrix',
        'test/misclassified',
        'test/roc',
        'test/samples/COVID',
        'test/samples/NonCOVID',
      ]),
    );
    expect(added.some((tag) => tag.startsWith('test/grad-cam/'))).toBe(true);
  },
  120_000,
);

test('the report can be written again, and an explanation drawn, with public names alone', async () => {
  const report = await writeReport(out);
  expect(await readFile(report, 'utf8')).toContain('not for diagnosis');
  const [explanation] = await model.explain(data.train.samples[0]?.source as string, { class: 'COVID' });
  const overlay = await drawExplanation(explanation!, { colormap: 'viridis' });
  expect([overlay.width, overlay.height]).toEqual([explanation!.pixels.width, explanation!.pixels.height]);
  expect(pngSize(await encodeImage(overlay))).toEqual({ width: overlay.width, height: overlay.height });
});

test('a data set is not opened under classes it does not have', async () => {
  await expect(openDataset(join(dir, 'phantoms'), { classes: ['COVID', 'NonCOVID'] })).rejects.toMatchObject({
    code: 'ERR_DATASET',
    message: expect.stringContaining('NonCOVID, COVID, in that order') as string,
  });
});

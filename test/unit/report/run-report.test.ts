/**
 * A run folder's pictures and report: after a training, after an evaluation, and written again. No native code runs.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodePng } from '../../../src/data/images/decode';
import { datasetFingerprint } from '../../../src/data/fingerprint';
import { fromSamples } from '../../../src/data/samples';
import { countClasses } from '../../../src/data/splits';
import type { Dataset, ImageSource } from '../../../src/data/types';
import { summarize } from '../../../src/metrics/evaluation';
import type { Evaluation } from '../../../src/metrics/types';
import type { Classifier } from '../../../src/model/classifier';
import { drawExplanation } from '../../../src/report/grad-cam';
import { addEvaluation, addTraining, writeReport } from '../../../src/report/run-report';
import { RunFolder } from '../../../src/train/run-folder';
import { makePixels } from '../../helpers/images';
import { madeUpHistory } from '../../helpers/report-data';

const CLASSES = ['NonCOVID', 'COVID'];
const BROKEN = 'broken.png';

let folder: string;
let run: RunFolder;
let dataset: Dataset;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'covidct-report-'));
  const png = await encodePng(makePixels(40, 48, (index) => index * 7));
  const names = Array.from({ length: 12 }, (_, index) => `${index}.png`);
  for (const name of names) writeFileSync(path.join(folder, name), png);
  writeFileSync(path.join(folder, BROKEN), 'no image');
  dataset = fromSamples({
    name: 'made up train',
    classes: CLASSES,
    samples: [...names, BROKEN].map((name, index) => ({ source: path.join(folder, name), id: name, label: index % 2 })),
  });
  run = await RunFolder.create(path.join(folder, 'run'));
  const summary = {
    name: dataset.name,
    samples: 13,
    classes: countClasses(dataset),
    fingerprint: datasetFingerprint(dataset),
  };
  await run.writeConfig({
    options: {},
    model: { architecture: 'tiny', classes: CLASSES, device: 'cpu', dropout: 0.5, startedFrom: null },
    data: { train: summary, validation: null },
    versions: {},
  });
  const skipped = { type: 'skipped', split: 'train', id: BROKEN, reason: 'no image' };
  await run.write(
    'history.jsonl',
    [skipped, ...madeUpHistory(3).map((record) => ({ type: 'epoch', ...record }))]
      .map((event) => JSON.stringify(event))
      .join('\n'),
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** All but the broken file, called right with the given probability. */
function evaluated(split: string, score: (index: number) => number): Evaluation {
  const samples = dataset.samples
    .filter(({ id }) => id !== BROKEN)
    .map(({ id, label, source }, index) => {
      const right = score(index);
      return {
        id,
        path: source as string,
        label,
        probabilities: label === 1 ? [1 - right, right] : [right, 1 - right],
        loss: -Math.log(right),
      };
    });
  return summarize({ split, classes: CLASSES, samples, threshold: 0.5, skipped: [{ id: BROKEN, reason: 'no image' }] });
}

/** Sees evidence in the upper left corner. */
const explained: ImageSource[] = [];
const model: Pick<Classifier, 'explain' | 'layers'> = {
  layers: { default: 'features.7', names: ['features.7'] },
  explain: (sources) => {
    const list = sources as readonly ImageSource[];
    explained.push(...list);
    return Promise.resolve(
      list.map((source) => ({
        path: source as string,
        label: 'COVID',
        labelIndex: 1,
        probabilities: {},
        intendedUse: '',
        explained: 'COVID',
        layer: 'features.7',
        map: Float32Array.of(1, 0, 0, 0),
        height: 2,
        width: 2,
        region: { top: 0, left: 0, height: 40, width: 48 },
        pixels: makePixels(40, 48, (index) => index * 7),
      })),
    );
  },
};

const pictures = (): string[] => readdirSync(run.file('pictures')).sort();
const html = (): string => readFileSync(run.file('report.html'), 'utf8');
const events = (): string =>
  readdirSync(run.file('tensorboard'))
    .map((name) => readFileSync(run.file('tensorboard', name), 'latin1'))
    .join('');

test('after a training: curves, samples that could be decoded, TensorBoard and the report', async () => {
  await run.writeMetrics(evaluated('validation', () => 0.8));
  expect(await addTraining(run.dir, { dataset })).toBe(run.file('report.html'));
  expect(pictures()).toEqual(
    expect.arrayContaining([
      'accuracy.png',
      'loss.svg',
      'roc.png',
      'confusion-matrix.svg',
      'misclassified.png',
      'samples-0.png',
      'samples-1.png',
    ]),
  );
  expect(html()).toContain('Some images of made up train, drawn at random');
  expect(html()).toContain('No Grad-CAM was made.');
  for (const tag of [
    'training/loss',
    'training/accuracy',
    'validation/roc',
    'validation/confusion-matrix',
    'validation/misclassified',
    'train/samples/COVID',
    'train/samples/NonCOVID',
  ])
    expect(events()).toContain(tag);
});

test('after an evaluation: figures, four montages, samples that were scored; a later training montage does not replace them', async () => {
  explained.length = 0;
  const progress: string[] = [];
  const report = await addEvaluation(run.dir, {
    model,
    dataset,
    evaluation: evaluated('test', () => 0.97),
    onProgress: (done, total) => progress.push(`${done}/${total}`),
  });
  expect(progress.at(-1)).toBe('12/12');
  expect(explained).toHaveLength(12);
  expect(pictures()).toEqual(
    expect.arrayContaining(['grad-cam-true-positive.png', 'grad-cam-true-negative.png', 'samples-0.png']),
  );
  expect(pictures()).not.toContain('grad-cam-false-positive.png');
  expect(JSON.parse(readFileSync(run.file('metrics.json'), 'utf8'))).toMatchObject({ test: { n: 12, accuracy: 1 } });
  expect(html()).toContain('6 with a probability of the predicted class above 0.9');
  expect(html()).toContain('None: no image of this kind');
  for (const tag of ['test/grad-cam/true-positive', 'test/samples/COVID', 'test/roc']) expect(events()).toContain(tag);
  await addTraining(run.dir, { dataset });
  await addEvaluation(run.dir, { model, dataset, evaluation: evaluated('train', () => 0.6) });
  const before = html();
  expect(before).toContain('Images of the test split.');
  rmSync(report);
  expect(await writeReport(run.dir)).toBe(report);
  expect(html().replace(/Made [^<]*/, '')).toBe(before.replace(/Made [^<]*/, ''));
});

test('too few confident predictions: the caption says what was asked for and what is shown', async () => {
  await addEvaluation(run.dir, {
    model,
    dataset,
    evaluation: evaluated('validation', (index) => (index === 1 ? 0.95 : 0.7)),
    gradCam: { count: 4 },
    montage: { columns: 2, tileSize: 64 },
    heat: { colormap: 'jet' },
  });
  expect(html()).toContain('The 4 most confident of 6; only 1 above 0.9.');
  expect(html()).toContain('The 4 most confident of 6; none above 0.9.');
});

test('refused before anything is written: another split, another data set, no run', async () => {
  const evaluation = evaluated('test', () => 0.9);
  await expect(
    addEvaluation(run.dir, { model, dataset, evaluation: { ...evaluation, split: 'made up test' } }),
  ).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining("{ split: 'test' }") as string,
  });
  await expect(
    addEvaluation(run.dir, { model, dataset: { ...dataset, samples: dataset.samples.slice(3) }, evaluation }),
  ).rejects.toMatchObject({ code: 'ERR_DATASET', message: expect.stringContaining('"0.png"') as string });
  expect(readdirSync(run.dir)).not.toContain('metrics.json');
  await expect(writeReport(folder)).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  mkdirSync(run.file('pictures'));
  writeFileSync(run.file('pictures', 'pictures.json'), '{');
  await expect(writeReport(run.dir)).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('pictures.json') as string,
  });
});

test('an explanation is drawn where the network looked', async () => {
  const [explanation] = await model.explain(['x.png']);
  const image = makePixels(40, 48, (index) => index * 7);
  const drawn = await drawExplanation(explanation!, { alpha: 1, colormap: 'jet' });
  expect([drawn.width, drawn.height]).toEqual([48, 40]);
  expect(drawn.data[0]).not.toBe(image.data[0]);
  expect([...drawn.data.subarray(-3)]).toEqual([...image.data.subarray(-3)]);
});

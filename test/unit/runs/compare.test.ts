/** Runs side by side: differences, metrics, paired tests, and what cannot be compared. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summarize } from '../../../src/metrics/evaluation';
import { delongTest, mcnemarTest } from '../../../src/metrics/paired';
import type { Evaluation } from '../../../src/metrics/types';
import { compareRuns } from '../../../src/runs/compare';
import { differencesOf } from '../../../src/runs/differences';
import type { RunConfig } from '../../../src/train/run-schema';
import { madeUpEvaluation } from '../../helpers/report-data';
import { madeUpConfig, makeRun } from '../../helpers/runs';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-compare-'));
});
afterEach(() => rm(dir, { recursive: true }));

const first = madeUpEvaluation(60, { split: 'validation' });
/** Of the same samples in another order, a little worse. */
const second: Evaluation = summarize({
  ...first,
  threshold: 0.4,
  samples: [...first.samples].reverse().map((sample, index) => {
    const positive = index % 3 === 0 ? 1 - sample.probabilities[1]! : sample.probabilities[1]!;
    return { ...sample, probabilities: [1 - positive, positive] };
  }),
});

/** Two runs or more with these evaluations. */
const runsOf = (...evaluations: Evaluation[]): Promise<string[]> =>
  Promise.all(
    evaluations.map((each, at) =>
      makeRun(join(dir, `run-${at}`), { options: { learningRate: at + 1, out: `run-${at}` }, evaluations: [each] }),
    ),
  );

test('metrics with their intervals, and each run against the first on the same samples', async () => {
  const dirs = await runsOf(first, second, first);
  const comparison = await compareRuns(dirs);
  expect(comparison).toMatchObject({ split: 'validation', classes: ['NonCOVID', 'COVID'], n: 60 });
  expect(comparison.runs).toEqual([0.5, 0.4, 0.5].map((threshold, at) => ({ dir: dirs[at], threshold })));
  expect(comparison.differences).toEqual([{ option: 'learningRate', values: [1, 2, 3] }]);
  const named = Object.fromEntries(comparison.metrics.map((metric) => [metric.key, metric]));
  expect(named['auc']).toMatchObject({
    values: [first.auc, second.auc, first.auc],
    intervals: [first.intervals.auc, second.intervals.auc, first.intervals.auc],
  });
  expect(named['accuracy']!.intervals[1]).toEqual(second.intervals.accuracy.interval);
  expect(named['loss']).toMatchObject({ values: [first.loss, second.loss, first.loss], intervals: [null, null, null] });
  expect(named['f1']!.intervals).toEqual([null, null, null]);

  const [pair, same] = comparison.pairs;
  const other = new Map(second.samples.map((each) => [each.id, each]));
  const labels = first.samples.map(({ label }) => label);
  expect(pair).toEqual({
    first: dirs[0],
    second: dirs[1],
    mcnemar: mcnemarTest(
      labels,
      first.samples.map(({ predicted }) => predicted),
      first.samples.map(({ id }) => other.get(id)!.predicted),
    ),
    auc: delongTest(
      labels,
      first.samples.map(({ probabilities }) => probabilities[1]!),
      first.samples.map(({ id }) => other.get(id)!.probabilities[1]!),
    ),
  });
  expect(pair!.auc!.difference).toBeCloseTo(second.auc! - first.auc!, 12);
  expect(same).toMatchObject({ mcnemar: { onlyFirst: 0, onlySecond: 0, p: 1 }, auc: { difference: 0, p: null } });
});

test('three classes have no AUC of one pair', async () => {
  const three = madeUpEvaluation(30, { split: 'validation', classes: ['a', 'b', 'c'] });
  const { pairs } = await compareRuns(await runsOf(three, three));
  expect(pairs[0]).toMatchObject({ auc: null, mcnemar: { p: 1 } });
});

test('the test split, once both have been evaluated on it', async () => {
  const test = madeUpEvaluation(20);
  const dirs = await runsOf(test, test);
  expect(await compareRuns(dirs, { split: 'test' })).toMatchObject({ split: 'test', n: 20 });
  await expect(compareRuns(dirs)).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringMatching(
      /run-0: there are no metrics of its validation split, only of test; make them: covidct evaluate --model \S*run-0 --split validation$/,
    ) as string,
  });
});

const relabeled = summarize({
  ...first,
  threshold: 0.5,
  samples: first.samples.map((each, at) => (at < 2 ? { ...each, label: 1 - each.label } : each)),
});
const sampleOf = (id: string) => ({ id, path: null, label: 0, probabilities: [0.9, 0.1], loss: 0.1 });
const twice = summarize({ ...first, threshold: 0.5, samples: [...first.samples, first.samples[0]!] });
const renamed = { ...first, classes: ['COVID', 'NonCOVID'] };

test.each([
  [
    'one has fewer',
    madeUpEvaluation(55, { split: 'validation' }),
    /: 5 are in \S*run-0 alone: "[^"]+", "[^"]+", "[^"]+" and 2 more; evaluate/,
  ],
  [
    'one has more',
    summarize({ ...first, threshold: 0.5, samples: [...first.samples, sampleOf('new')] }),
    /1 is in \S*run-1 alone: "new"; evaluate/,
  ],
  ['other labels', relabeled, /2 have another label: "/],
  ['one sample twice', twice, /several samples of \S*run-1 have one and the same id/],
  ['other classes', renamed, /the classes are NonCOVID, COVID and COVID, NonCOVID/],
])('refused: %s', async (_, other, words) => {
  await expect(compareRuns(await runsOf(first, other))).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringMatching(words) as string,
  });
});

test('refused: one run alone, no run, a split that is none', async () => {
  const [run] = await runsOf(first);
  await expect(compareRuns([run!])).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(compareRuns([run!, join(dir, 'none')])).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  await expect(compareRuns([run!, run!], { split: 'train' as never })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
});

const configOf = (options: Record<string, unknown>, more: object = {}): RunConfig =>
  ({ ...madeUpConfig(options), ...more }) as unknown as RunConfig;

test('differences go as deep as the configurations are alike', () => {
  const steps = (size: number, ...others: object[]) => ({ steps: [{ type: 'resize', size }, ...others] });
  const a = configOf({ trainTransform: steps(73), betas: [0.9, 0.99], freeze: null, evalTransform: steps(1) });
  const b = configOf(
    { trainTransform: steps(80), betas: [0.9, 0.999], evalTransform: steps(1, { type: 'toTensor' }), overwrite: true },
    { versions: { node: '22' } },
  );
  expect(differencesOf([a, b])).toEqual([
    { option: 'trainTransform.steps[0].size', values: [73, 80] },
    {
      option: 'betas',
      values: [
        [0.9, 0.99],
        [0.9, 0.999],
      ],
    },
    { option: 'freeze', values: [null, undefined] },
    {
      option: 'evalTransform.steps',
      values: [[{ type: 'resize', size: 1 }], [{ type: 'resize', size: 1 }, { type: 'toTensor' }]],
    },
    { option: 'versions.node', values: ['20', '22'] },
  ]);
  expect(differencesOf([a, a, a])).toEqual([]);
});

/** summarize: thresholds, intervals, null in place of NaN, refusals. The figures are in test/parity/metrics. */
import { summarize } from '../../../src/metrics/evaluation';
import type { SummarizeInput } from '../../../src/metrics/evaluation';

const sample = (label: number, p: number, id = `${label}-${p}`) => ({
  id,
  path: `/data/${id}.png`,
  label,
  probabilities: [1 - p, p],
  loss: -Math.log(label === 1 ? p : 1 - p),
});
const two = (samples: SummarizeInput['samples'], more: Partial<SummarizeInput> = {}) =>
  summarize({ split: 'test', classes: ['NonCOVID', 'COVID'], samples, ...more });

test('the default threshold is 0.5, inclusive; a threshold moves the calls and not the AUC', () => {
  const samples = [sample(0, 0.2), sample(0, 0.5), sample(1, 0.6), sample(1, 0.9)];
  const even = two(samples);
  expect(even.threshold).toBe(0.5);
  expect(even.confusionMatrix).toEqual([
    [1, 1],
    [0, 2],
  ]);
  const strict = two(samples, { threshold: 0.7 });
  expect(strict.confusionMatrix).toEqual([
    [2, 0],
    [1, 1],
  ]);
  expect(strict.samples.map(({ predicted }) => predicted)).toEqual([0, 0, 0, 1]);
  expect(strict.auc).toBe(even.auc);
  expect(strict.intervals.sensitivity).toEqual({
    value: 0.5,
    numerator: 1,
    denominator: 2,
    interval: [expect.closeTo(0.0945, 3), expect.closeTo(0.9055, 3)],
  });
});

test('the loss is the mean over samples, and paths and skipped files are kept', () => {
  const evaluation = two([sample(0, 0.2), sample(1, 0.6)], { skipped: [{ id: 'broken.png', reason: 'not an image' }] });
  expect(evaluation.loss).toBeCloseTo((-Math.log(0.8) - Math.log(0.6)) / 2, 14);
  expect(evaluation.samples[0]!.path).toBe('/data/0-0.2.png');
  expect(evaluation.skipped).toEqual([{ id: 'broken.png', reason: 'not an image' }]);
});

test.each([
  ['no samples', []],
  ['positives only', [sample(1, 0.9), sample(1, 0.2)]],
  ['negatives only', [sample(0, 0.1)]],
])('%s: what is not defined is null, and the whole survives JSON', (_, samples) => {
  const evaluation = two(samples);
  expect(evaluation.auc).toBeNull();
  expect(evaluation.intervals.auc).toBeNull();
  expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  const sides = samples.map(({ label }) => label);
  expect(evaluation.sensitivity === null).toBe(!sides.includes(1));
  expect(evaluation.specificity === null).toBe(!sides.includes(0));
  expect(evaluation.accuracy === null).toBe(samples.length === 0);
  expect(evaluation.loss === null).toBe(samples.length === 0);
});

test('three classes: argmax, the lower index on ties, and no interval for a mean of rates', () => {
  const evaluation = summarize({
    split: 'x',
    classes: ['a', 'b', 'c'],
    samples: [
      [0.4, 0.4, 0.2],
      [0.1, 0.1, 0.8],
      [0.2, 0.5, 0.3],
    ].map((probabilities, label) => ({ id: `${label}`, path: null, label, probabilities, loss: 1 })),
  });
  expect(evaluation.samples.map(({ predicted }) => predicted)).toEqual([0, 2, 1]);
  expect(evaluation.intervals.sensitivity).toEqual({
    value: expect.closeTo(1 / 3, 12),
    numerator: null,
    denominator: null,
    interval: null,
  });
  expect(
    evaluation.perClass!.map(({ class: name, sensitivity }) => [name, sensitivity.numerator, sensitivity.denominator]),
  ).toEqual([
    ['a', 1, 1],
    ['b', 0, 1],
    ['c', 0, 1],
  ]);
  expect(evaluation.intervals.accuracy.interval).not.toBeNull();
});

test.each<[string, RegExp, () => unknown]>([
  [
    'probabilities that are NaN',
    /s1 has the probabilities \[NaN, NaN\].*diverged/,
    () => two([{ ...sample(0, 0.5, 's1'), probabilities: [Number.NaN, Number.NaN] }]),
  ],
  [
    'a loss that is not finite',
    /s1 has the loss Infinity.*diverged/,
    () => two([{ ...sample(0, 0.5, 's1'), loss: Number.POSITIVE_INFINITY }]),
  ],
  ['too few probabilities', /2 numbers in \[0, 1\]/, () => two([{ ...sample(0, 0.5), probabilities: [1] }])],
  ['a label out of range', /label 0 is 7/, () => two([{ ...sample(0, 0.5), label: 7 }])],
  ['a threshold out of range', /threshold must lie in \[0, 1\], got 1.5/, () => two([], { threshold: 1.5 })],
  [
    'a threshold for three classes',
    /threshold is for two classes; there are 3/,
    () => summarize({ split: 'x', classes: ['a', 'b', 'c'], samples: [], threshold: 0.5 }),
  ],
  ['one class', /at least two classes/, () => summarize({ split: 'x', classes: ['a'], samples: [] })],
])('refuses %s', (_, message, action) => {
  expect(action).toThrow(
    expect.objectContaining({ code: 'ERR_METRICS', message: expect.stringMatching(message) as string }) as Error,
  );
});

/** The charts as SVG: what they say, that they are the same twice, and what they do with nothing to show. */
import {
  accuracyCurve,
  confusionMatrixChart,
  lossCurve,
  misclassifiedHistogram,
  rocChart,
} from '../../../src/report/charts';
import type { Chart } from '../../../src/report/charts';
import { madeUpEvaluation, madeUpHistory } from '../../helpers/report-data';

/** Every text of the drawing with its place. */
function texts({ svg }: Chart): { text: string; x: number; y: number }[] {
  return [...svg.matchAll(/<text([^>]*)>([^<]*)<\/text>/g)].map(([, attributes, text]) => {
    const moved = /transform="(?:translate\(([-\d.]+) ([-\d.]+)\)|matrix\([^)]*,([-\d.]+),([-\d.]+)\))"/.exec(
      attributes!,
    );
    return { text: text!, x: Number(moved?.[1] ?? moved?.[3] ?? 0), y: Number(moved?.[2] ?? moved?.[4] ?? 0) };
  });
}
const words = (chart: Chart): string[] => texts(chart).map(({ text }) => text);

const all = (epochs: number, n: number, more: Parameters<typeof madeUpEvaluation>[1] = {}): Chart[] => {
  const history = madeUpHistory(epochs);
  const evaluation = madeUpEvaluation(n, more);
  return [
    lossCurve(history),
    accuracyCurve(history),
    rocChart(evaluation),
    confusionMatrixChart(evaluation),
    misclassifiedHistogram(evaluation),
  ];
};

test('axes have titles and units, series have names', () => {
  const [loss, accuracy, roc, matrix, histogram] = all(34, 203).map(words);
  expect(loss).toEqual(
    expect.arrayContaining([
      'Loss',
      'Epoch',
      'Cross entropy per image (nats)',
      'Training',
      'Validation',
      'best: epoch 17',
    ]),
  );
  expect(accuracy).toEqual(expect.arrayContaining(['Accuracy', 'Epoch', '1.0', 'Training', 'Validation']));
  expect(roc).toEqual(
    expect.arrayContaining([
      '1 − specificity',
      'Sensitivity',
      'Threshold 0.5',
      expect.stringMatching(/^AUC 0\.\d{3} \(95 % CI 0\.\d{3}–0\.\d{3}\)$/),
    ]),
  );
  expect(matrix).toEqual(expect.arrayContaining(['Predicted', 'True', 'NonCOVID', 'COVID']));
  expect(histogram).toEqual(expect.arrayContaining(['Images', 'Probability of COVID', 'threshold 0.5']));
});

test('the confusion matrix has the right count under the right names', () => {
  const evaluation = madeUpEvaluation(203);
  const placed = texts(confusionMatrixChart(evaluation));
  const rows = evaluation.classes.map((name) => placed.find(({ text, x }) => text === name && x < 200)!.y);
  const columns = evaluation.classes.map((name) => placed.find(({ text, y }) => text === name && y > 400)!.x);
  evaluation.confusionMatrix.forEach((row, truth) =>
    row.forEach((count, predicted) => {
      const cell = placed
        .filter(({ x, y }) => Math.abs(x - columns[predicted]!) < 60 && Math.abs(y - rows[truth]!) < 60)
        .map(({ text }) => text);
      expect(cell).toContain(String(count));
    }),
  );
  expect(rows[0]).toBeLessThan(rows[1]!);
  expect(columns[0]).toBeLessThan(columns[1]!);
});

test('the same input gives the same bytes, whatever was drawn before', () => {
  const first = all(12, 40).map(({ svg }) => svg);
  lossCurve(madeUpHistory(3));
  expect(all(12, 40).map(({ svg }) => svg)).toEqual(first);
});

test('nothing in an SVG is of a browser, a network or not a number', () => {
  for (const { svg } of [...all(34, 203), ...all(0, 0), ...all(1, 1), ...all(2, 40, { confident: true })]) {
    expect(svg).toMatch(/^<svg[^>]* viewBox="/);
    expect(svg).not.toMatch(/NaN|Infinity|undefined|<style|<script|class=|ecmeta|zr\d|url\((?!#)/);
    expect(
      svg.replace('xmlns="http://www.w3.org/2000/svg"', '').replace('xmlns:xlink="http://www.w3.org/1999/xlink"', ''),
    ).not.toMatch(/https?:/);
  }
});

test('nothing to show is said', () => {
  const [loss, accuracy, roc, matrix, histogram] = all(0, 0).map(words);
  expect(loss).toContain('No epoch has been finished.');
  expect(accuracy).toContain('No epoch has been finished.');
  expect(roc).toContain('Not defined: both classes are needed.');
  expect(matrix).toEqual(expect.arrayContaining(['Confusion matrix, test split (n = 0)', 'no images']));
  expect(histogram).toContain('No images.');
  expect(words(all(1, 40, { confident: true })[4]!)).toContain('No image was misclassified.');
  expect(words(all(1, 1)[2]!)).toContain('Not defined: both classes are needed.');
});

test('a history without validation has one curve, and a loss that is not a number leaves a gap', () => {
  const history = madeUpHistory(5).map((record) => ({
    ...record,
    validationLoss: null,
    validationAccuracy: null,
    validationAuc: null,
  }));
  expect(words(lossCurve(history))).not.toContain('Validation');
  const gap = lossCurve([history[0]!, { ...history[1]!, trainLoss: Number.NaN }, ...history.slice(2)]);
  expect(gap.svg).not.toContain('NaN');
  expect(words(gap)).toContain('Training');
});

test('more than two classes, some with long names and markup', () => {
  const classes = ['normal', 'bacterial pneumonia', 'COVID', '<script>alert(1)</script>'];
  const [, , roc, matrix, histogram] = all(3, 80, { classes });
  expect(words(roc!)).toEqual(
    expect.arrayContaining([
      'normal',
      'bacterial pneum…',
      'COVID',
      '&lt;script&gt;alert(1…',
      expect.stringContaining('macro AUC 0.'),
    ]),
  );
  expect(words(matrix!)).toEqual(expect.arrayContaining(['normal', 'bacterial pneum…']));
  expect(words(histogram!)).toContain('Probability of the predicted class');
  expect(matrix!.svg).not.toContain('<script');
});

/** The histogram of the scores of the misclassified images. */
import type { CustomSeriesRenderItem } from 'echarts';
import { evaluationSchema } from '../metrics/evaluation-schema';
import type { Evaluation } from '../metrics/types';
import { checkArgument } from '../options/check';
import { emptyNote, legend, PALETTE, valueAxis } from './chart-style';
import type { Chart } from './chart-style';
import { drawChart } from './draw-chart';
import { shortName, splitName } from './format';

const WIDE = { width: 640, height: 420 };
const BIN = 0.05;
const BINS = 20;

/** Draws each bin as a box between its true borders, on top of the boxes of the series before it. */
const drawBin: CustomSeriesRenderItem = (_, api) => {
  const [left, bottom] = api.coord([api.value(0), api.value(2)]) as [number, number];
  const [right, top] = api.coord([Number(api.value(0)) + BIN, Number(api.value(2)) + Number(api.value(1))]) as [
    number,
    number,
  ];
  return {
    type: 'rect',
    shape: { x: left + 1, y: top, width: Math.max(0, right - left - 2), height: bottom - top },
    style: { fill: api.visual('color') as string },
  };
};

function binned(scores: readonly number[]): number[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const score of scores) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(score / BIN + 1e-9)));
    counts[bin] = counts[bin]! + 1;
  }
  return counts;
}

interface MistakeGroup {
  readonly name: string;
  /** Number of images in each bin of {@link BIN}. */
  readonly counts: number[];
}

/** Scores of the misclassified images, binned: with two classes by kind of mistake, with more all in one group. */
function mistakesOf({ classes, samples }: Evaluation): MistakeGroup[] {
  const two = classes.length === 2;
  const wrong = samples.filter(({ label, predicted }) => label !== predicted);
  const countsOf = (mistakes: typeof wrong): number[] =>
    binned(mistakes.map(({ probabilities, predicted }) => probabilities[two ? 1 : predicted]!));
  if (!two) return [{ name: 'Mistakes', counts: countsOf(wrong) }];
  return ['missed', 'false alarm'].map((kind, called) => ({
    name: `False ${shortName(classes[called]!)} (${kind})`,
    counts: countsOf(wrong.filter(({ predicted }) => predicted === called)),
  }));
}

/** A dashed line at the threshold. */
function thresholdLine(threshold: number) {
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    lineStyle: { color: PALETTE.ink, type: [4, 3], width: 1 },
    label: { formatter: `threshold ${Number(threshold.toFixed(3))}`, color: PALETTE.ink, fontSize: 11 },
    data: [{ xAxis: threshold }],
  };
}

/** The probability that is binned, from 0 to 1. */
function scoreAxis(classes: readonly string[]) {
  return valueAxis(
    classes.length === 2 ? `Probability of ${shortName(classes[1]!)}` : 'Probability of the predicted class',
    32,
    {
      min: 0,
      max: 1,
      interval: 0.1,
      splitLine: { show: false },
      axisLabel: { color: PALETTE.ink, fontSize: 12, formatter: (value: number) => value.toFixed(1) },
    },
  );
}

/**
 * Histogram of the scores of the misclassified images, in bins of 0.05. With two classes the score is the probability
 * of class 1, by kind of mistake, with the threshold; with more it is the probability of the predicted class.
 *
 * @returns an SVG; without mistakes the frame says so
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { misclassifiedHistogram } from 'covidct-torch/report';
 *
 * const { test } = await (await RunFolder.open('runs/first')).metrics();
 * if (test !== undefined) await writeFile('mistakes.svg', misclassifiedHistogram(test).svg);
 * ```
 */
export function misclassifiedHistogram(evaluation: Evaluation): Chart {
  checkArgument(evaluationSchema, evaluation, 'misclassifiedHistogram', 'evaluation');
  const { classes, n, split, threshold } = evaluation;
  const groups = mistakesOf(evaluation);
  const [first, second] = groups as [MistakeGroup, MistakeGroup?];
  const stacked = first.counts.map((count, bin) => count + (second?.counts[bin] ?? 0));
  const wrong = stacked.reduce((a, b) => a + b, 0);
  const highest = Math.max(...stacked);
  const series = groups.map(({ name, counts }, group) => ({
    type: 'custom' as const,
    name,
    silent: true,
    color: PALETTE.others[group],
    renderItem: drawBin,
    clip: true,
    data: counts.map((count, bin) => [bin * BIN, count, group === 0 ? 0 : first.counts[bin]!]),
    ...(group === 0 && threshold !== null && wrong > 0 ? { markLine: thresholdLine(threshold) } : {}),
  }));
  return drawChart('misclassified', `Scores of the ${wrong} misclassified of ${n} images, ${splitName(split)}`, WIDE, {
    grid: { left: 66, right: 26, top: 84, bottom: 60 },
    legend: legend(groups.map(({ name }) => name)),
    xAxis: scoreAxis(classes),
    yAxis: valueAxis('Images', 40, { min: 0, max: highest === 0 ? 1 : undefined, minInterval: 1 }),
    series,
    ...(wrong === 0 ? { graphic: emptyNote(n === 0 ? 'No images.' : 'No image was misclassified.') } : {}),
  });
}

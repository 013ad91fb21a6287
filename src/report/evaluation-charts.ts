/** Two pictures of one evaluation: ROC and confusion matrix. */
import { rocCurve } from '../metrics/roc';
import { checkArgument } from '../options/check';
import { evaluationSchema } from '../metrics/evaluation-schema';
import type { Evaluation } from '../metrics/types';
import { emptyNote, legend, PALETTE, valueAxis } from './chart-style';
import type { Chart } from './chart-style';
import { drawChart } from './draw-chart';
import { interval, share, shortName, splitName } from './format';

const SQUARE = { width: 520, height: 520 };

/** Classes that have both positives and negatives; with two classes only class 1, since the other is its mirror. */
function rocClasses({ classes, samples }: Evaluation): number[] {
  const wanted = classes.length === 2 ? [1] : classes.map((_, index) => index);
  return wanted.filter((index) => new Set(samples.map(({ label }) => label === index)).size === 2);
}

function rocSeries(evaluation: Evaluation, index: number, name: string): Record<string, unknown> {
  const color = evaluation.classes.length === 2 ? PALETTE.first : PALETTE.others[index % PALETTE.others.length];
  const { falsePositiveRate, truePositiveRate } = rocCurve(
    evaluation.samples.map(({ label }) => Number(label === index)),
    evaluation.samples.map(({ probabilities }) => probabilities[index]!),
  );
  return {
    type: 'line',
    name,
    silent: true,
    showSymbol: false,
    color,
    lineStyle: { width: 2, color },
    symbol: 'none',
    data: falsePositiveRate.map((x, point) => [x, truePositiveRate[point]!]),
  };
}

/** Where the threshold in force puts the model on its curve. */
function operatingPoint(evaluation: Evaluation, name: string): Record<string, unknown>[] {
  if (evaluation.threshold === null || evaluation.sensitivity === null || evaluation.specificity === null) return [];
  return [
    {
      type: 'scatter',
      name,
      silent: true,
      color: PALETTE.second,
      itemStyle: { color: PALETTE.second, opacity: 1 },
      symbolSize: 10,
      z: 5,
      data: [[1 - evaluation.specificity, evaluation.sensitivity]],
    },
  ];
}

/**
 * The ROC curve with its AUC, DeLong's 95 % interval and the operating point; with more than two classes one curve for
 * each against the rest.
 *
 * @returns an SVG; where only one class is present the frame says so
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { rocChart } from 'covidct-torch/report';
 *
 * const { test } = await (await RunFolder.open('runs/first')).metrics();
 * if (test !== undefined) await writeFile('roc.svg', rocChart(test).svg);
 * ```
 */
export function rocChart(evaluation: Evaluation): Chart {
  checkArgument(evaluationSchema, evaluation, 'rocChart', 'evaluation');
  const two = evaluation.classes.length === 2;
  const defined = rocClasses(evaluation);
  const bounds = evaluation.intervals.auc === null ? '' : ` (95 % CI ${interval(evaluation.intervals.auc)})`;
  const auc = `AUC ${share(evaluation.auc)}${bounds}`;
  const macro = two || evaluation.auc === null ? '' : `: macro AUC ${share(evaluation.auc)}`;
  const point = `Threshold ${evaluation.threshold === null ? '' : Number(evaluation.threshold.toFixed(3))}`;
  const curves = defined.map((index) =>
    rocSeries(evaluation, index, two ? auc : shortName(evaluation.classes[index]!)),
  );
  const points = defined.length === 0 ? [] : operatingPoint(evaluation, point);
  const axis = (name: string, gap: number): Record<string, unknown> =>
    valueAxis(name, gap, {
      min: 0,
      max: 1,
      interval: 0.2,
      axisLabel: { color: PALETTE.ink, fontSize: 12, formatter: (value: number) => value.toFixed(1) },
    });
  return drawChart('roc', `ROC, ${splitName(evaluation.split)}${macro}`, SQUARE, {
    grid: { left: 66, right: 26, top: 72, bottom: 60 },
    legend: {
      ...legend([...curves, ...points].map((series) => String(series['name']))),
      ...(two ? {} : { orient: 'vertical', top: undefined, left: undefined, right: 40, bottom: 76 }),
    },
    xAxis: axis('1 − specificity', 32),
    yAxis: axis('Sensitivity', 42),
    series:
      defined.length === 0
        ? []
        : [
            {
              type: 'line',
              name: 'chance',
              silent: true,
              symbol: 'none',
              color: PALETTE.muted,
              lineStyle: { color: PALETTE.muted, width: 1, type: [4, 4] },
              data: [
                [0, 0],
                [1, 1],
              ],
            },
            ...curves,
            ...points,
          ],
    ...(defined.length === 0 ? { graphic: emptyNote('Not defined: both classes are needed.') } : {}),
  });
}

/**
 * The confusion matrix: rows are the true classes, columns the predicted ones, both in the order of the class list and
 * under its names; each cell holds the count and its share of the row, which is also its shade.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { confusionMatrixChart } from 'covidct-torch/report';
 *
 * const { test } = await (await RunFolder.open('runs/first')).metrics();
 * if (test !== undefined) await writeFile('confusion-matrix.svg', confusionMatrixChart(test).svg);
 * ```
 */
export function confusionMatrixChart(evaluation: Evaluation): Chart {
  checkArgument(evaluationSchema, evaluation, 'confusionMatrixChart', 'evaluation');
  const { classes, confusionMatrix } = evaluation;
  const names = classes.map((name) => shortName(name));
  const cells = confusionMatrix.flatMap((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, predicted) => {
      const part = total === 0 ? 0 : count / total;
      return {
        value: [predicted, truth, part],
        label: {
          color: part > 0.6 ? PALETTE.paper : PALETTE.ink,
          formatter: `{count|${count}}\n{part|${total === 0 ? 'no images' : `${(100 * part).toFixed(1)} %`}}`,
        },
      };
    });
  });
  const letters = Math.max(...names.map((name) => name.length));
  const axis = (name: string, gap: number): Record<string, unknown> =>
    valueAxis(name, gap, { type: 'category', data: names, splitLine: { show: false }, axisTick: { show: false } });
  const crowded = letters * classes.length > 40;
  const large = classes.length <= 4;
  const rich = (color: string) => ({
    count: { fontSize: large ? 22 : 13, fontWeight: 600, lineHeight: large ? 28 : 16, color },
    part: { fontSize: large ? 12 : 10, color },
  });
  return drawChart(
    'confusion-matrix',
    `Confusion matrix, ${splitName(evaluation.split)} (n = ${evaluation.n})`,
    SQUARE,
    {
      grid: { left: 56 + 8 * letters, right: 26, top: 50, bottom: crowded ? 70 + 5 * letters : 66 },
      xAxis: {
        ...axis('Predicted', crowded ? 40 + 5 * letters : 36),
        axisLabel: { interval: 0, color: PALETTE.ink, fontSize: 12, rotate: crowded ? 40 : 0 },
      },
      yAxis: { ...axis('True', 24 + 7 * letters), inverse: true },
      visualMap: {
        show: false,
        type: 'continuous',
        min: 0,
        max: 1,
        dimension: 2,
        inRange: { color: [...PALETTE.scale] },
      },
      series: [
        {
          type: 'heatmap',
          silent: true,
          itemStyle: { borderColor: PALETTE.paper, borderWidth: 3 },
          data: cells.map((cell) => ({ ...cell, label: { show: true, ...cell.label, rich: rich(cell.label.color) } })),
        },
      ],
    },
  );
}

/** The curves by epoch. */
import type { EpochRecord } from '../log/types';
import { checkArgument } from '../options/check';
import { epochRecordsSchema } from '../log/event-schema';
import { emptyNote, legend, PALETTE, valueAxis } from './chart-style';
import type { Chart } from './chart-style';
import { drawChart } from './draw-chart';

export type { Chart } from './chart-style';
export { confusionMatrixChart, rocChart } from './evaluation-charts';
export { misclassifiedHistogram } from './misclassified-chart';

const SIZE = { width: 640, height: 420 };

interface Curve {
  readonly name: string;
  readonly value: (record: EpochRecord) => number | null;
}

/** Whole epochs at readable distances, whatever their number. */
function epochAxis(epochs: number): Record<string, unknown> {
  const interval =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => epochs / step <= 13) ?? Math.ceil(epochs / 10);
  return valueAxis('Epoch', 30, {
    min: interval === 1 && epochs > 1 ? 1 : 0,
    max: Math.max(2, epochs),
    interval,
    splitLine: { show: false },
    axisLabel: { color: PALETTE.ink, fontSize: 12, showMaxLabel: epochs < 3 || epochs % interval === 0 },
  });
}

function curveSeries(history: readonly EpochRecord[], { name, value }: Curve, index: number): Record<string, unknown> {
  const color = PALETTE.others[index];
  const data = history.map((record) => {
    const number = value(record);
    // A gap, not a zero, where there is no value.
    return [record.epoch, number === null || !Number.isFinite(number) ? null : number];
  });
  return {
    type: 'line',
    name,
    data,
    silent: true,
    color,
    symbol: index === 0 ? 'circle' : 'rect',
    symbolSize: 6,
    showSymbol: history.length <= 40,
    showAllSymbol: true,
    lineStyle: { width: 2, color, type: index === 0 ? 'solid' : [6, 3] },
    itemStyle: { color },
    connectNulls: false,
  };
}

function bestLine(history: readonly EpochRecord[]): Record<string, unknown> {
  const best = history.findLast((record) => record.best);
  if (best === undefined || history.length < 2) return {};
  const nearRight = best.epoch > history.length * 0.75;
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      animation: false,
      lineStyle: { color: PALETTE.muted, type: [2, 3], width: 1 },
      label: {
        formatter: `best: epoch ${best.epoch}`,
        position: 'insideEndTop',
        rotate: 0,
        color: PALETTE.muted,
        fontSize: 11,
        align: nearRight ? 'right' : 'left',
        distance: 4,
      },
      data: [{ xAxis: best.epoch }],
    },
  };
}

function curves(
  name: string,
  title: string,
  history: readonly EpochRecord[],
  yAxis: Record<string, unknown>,
  wanted: readonly Curve[],
): Chart {
  const shown = wanted.filter(({ value }, index) => index === 0 || history.some((record) => value(record) !== null));
  const series = shown.map((curve, index) => ({
    ...curveSeries(history, curve, index),
    ...(index === 0 ? bestLine(history) : {}),
  }));
  return drawChart(name, title, SIZE, {
    grid: { left: 74, right: 30, top: 72, bottom: 58 },
    legend: legend(shown.map((curve) => curve.name)),
    xAxis: epochAxis(Math.max(1, history.at(-1)?.epoch ?? 1)),
    yAxis,
    series,
    ...(history.length === 0 ? { graphic: emptyNote('No epoch has been finished.') } : {}),
  });
}

/**
 * Mean cross entropy per sample by epoch, of the training and, where there is one, the validation split.
 *
 * @returns an SVG; for an empty history an empty frame that says so
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { lossCurve } from 'covidct-torch/report';
 *
 * const { epochs } = await (await RunFolder.open('runs/first')).history();
 * await writeFile('loss.svg', lossCurve(epochs).svg);
 * ```
 */
export function lossCurve(history: readonly EpochRecord[]): Chart {
  checkArgument(epochRecordsSchema, history, 'lossCurve', 'history');
  return curves(
    'loss',
    'Loss',
    history,
    valueAxis('Cross entropy per image (nats)', 50, { min: 0, ...(history.length === 0 ? { max: 1 } : {}) }),
    [
      { name: 'Training', value: (record) => record.trainLoss },
      { name: 'Validation', value: (record) => record.validationLoss },
    ],
  );
}

/**
 * Accuracy by epoch, of the training and, where there is one, the validation split; in [0, 1].
 *
 * @returns an SVG; for an empty history an empty frame that says so
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { accuracyCurve } from 'covidct-torch/report';
 *
 * const { epochs } = await (await RunFolder.open('runs/first')).history();
 * await writeFile('accuracy.svg', accuracyCurve(epochs).svg);
 * ```
 */
export function accuracyCurve(history: readonly EpochRecord[]): Chart {
  checkArgument(epochRecordsSchema, history, 'accuracyCurve', 'history');
  const values = history
    .flatMap((record) => [record.trainAccuracy, record.validationAccuracy ?? record.trainAccuracy])
    .filter(Number.isFinite);
  const low = values.length === 0 ? 0 : Math.floor((Math.min(...values) - 0.02) * 10) / 10;
  const axis = valueAxis('Accuracy', 50, {
    min: Math.max(0, low),
    max: 1,
    axisLabel: { color: PALETTE.ink, fontSize: 12, formatter: (value: number) => value.toFixed(1) },
    interval: low < 0.4 ? 0.2 : 0.1,
  });
  return curves('accuracy', 'Accuracy', history, axis, [
    { name: 'Training', value: (record) => record.trainAccuracy },
    { name: 'Validation', value: (record) => record.validationAccuracy },
  ]);
}

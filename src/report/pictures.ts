/** Writes the charts as files, SVG and PNG. */
import path from 'node:path';
import { writeWhole } from '../files/write';
import type { EpochRecord } from '../log/types';
import type { Evaluation } from '../metrics/types';
import { pathSchema } from '../options/atoms';
import { checkArgument } from '../options/check';
import { accuracyCurve, confusionMatrixChart, lossCurve, misclassifiedHistogram, rocChart } from './charts';
import type { Chart } from './charts';
import { svgToPng } from './overlay';
import { picturesInputSchema } from './schema';

/** A chart that lies on the disk. */
export interface Picture {
  /** Stem of both file names. */
  readonly name: string;
  readonly title: string;
  /** Absolute path of the SVG file. */
  readonly svg: string;
  /** Absolute path of the PNG file. */
  readonly png: string;
  /** Content of the PNG file, e.g. for TensorBoard. */
  readonly bytes: Uint8Array;
  /** Size of the PNG, in pixels. */
  readonly width: number;
  readonly height: number;
}

/** Dots of the PNG for each unit of the chart. */
const SCALE = 2;

/** Loss and accuracy by epoch. */
export function drawCurves(history: readonly EpochRecord[]): Chart[] {
  return [lossCurve(history), accuracyCurve(history)];
}

/** ROC, confusion matrix and the histogram of the misclassified scores. */
export function drawEvaluationCharts(evaluation: Evaluation): Chart[] {
  return [rocChart(evaluation), confusionMatrixChart(evaluation), misclassifiedHistogram(evaluation)];
}

/** A chart as PNG, twice as fine as its SVG. */
export function renderChart(chart: Chart): Promise<{ png: Uint8Array; width: number; height: number }> {
  return svgToPng(chart.svg, { width: chart.width * SCALE });
}

/**
 * Writes loss, accuracy and, with an evaluation, ROC, confusion matrix and the histogram of the misclassified scores
 * into `dir`, which is made when it is missing. Each file appears whole or not at all.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when a file cannot be written
 * @example
 * ```ts
 * import { RunFolder } from 'covidct-torch';
 * import { writePictures } from 'covidct-torch/report';
 *
 * const run = await RunFolder.open('runs/first');
 * const { test } = await run.metrics();
 * const pictures = await writePictures('pictures', { history: (await run.history()).epochs, evaluation: test ?? null
 * }); console.log(pictures.length);
 * ```
 */
export async function writePictures(
  dir: string,
  input: { readonly history: readonly EpochRecord[]; readonly evaluation: Evaluation | null },
): Promise<Picture[]> {
  checkArgument(pathSchema, dir, 'writePictures', 'dir');
  checkArgument(picturesInputSchema, input, 'writePictures', 'input');
  const pictures: Picture[] = [];
  for (const chart of [
    ...drawCurves(input.history),
    ...(input.evaluation === null ? [] : drawEvaluationCharts(input.evaluation)),
  ]) {
    const stem = path.resolve(dir, chart.name);
    const { png, width, height } = await renderChart(chart);
    await writeWhole(`${stem}.svg`, chart.svg);
    await writeWhole(`${stem}.png`, png);
    pictures.push({
      name: chart.name,
      title: chart.title,
      svg: `${stem}.svg`,
      png: `${stem}.png`,
      bytes: png,
      width,
      height,
    });
  }
  return pictures;
}

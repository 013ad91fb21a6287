/** Writes the charts as files, SVG and PNG. */
import path from 'node:path';
import { writeWhole } from '../files';
import type { EpochRecord } from '../log/types';
import type { Evaluation } from '../metrics/types';
import { accuracyCurve, confusionMatrixChart, lossCurve, misclassifiedHistogram, rocChart } from './charts';
import type { Chart } from './charts';
import { svgToPng } from './overlay';

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
  /** Of the PNG, in pixels. */
  readonly width: number;
  readonly height: number;
}

/** Dots of the PNG for each unit of the chart. */
const SCALE = 2;

/** Every chart that history and evaluation give, in the order of the report. */
export function drawCharts(input: { readonly history: readonly EpochRecord[]; readonly evaluation: Evaluation | null }): Chart[] {
  const { history, evaluation } = input;
  const figures = evaluation === null ? [] : [rocChart(evaluation), confusionMatrixChart(evaluation), misclassifiedHistogram(evaluation)];
  return [lossCurve(history), accuracyCurve(history), ...figures];
}

/**
 * Writes loss, accuracy and, with an evaluation, ROC, confusion matrix and the histogram of the misclassified scores into
 * `dir`, which is made when it is missing. Each file appears whole or not at all.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when a file cannot be written
 */
export async function writePictures(dir: string, input: { readonly history: readonly EpochRecord[]; readonly evaluation: Evaluation | null }): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const chart of drawCharts(input)) {
    const stem = path.resolve(dir, chart.name);
    const { png, width, height } = await svgToPng(chart.svg, { width: chart.width * SCALE });
    await writeWhole(`${stem}.svg`, chart.svg);
    await writeWhole(`${stem}.png`, png);
    pictures.push({ name: chart.name, title: chart.title, svg: `${stem}.svg`, png: `${stem}.png`, bytes: png, width, height });
  }
  return pictures;
}

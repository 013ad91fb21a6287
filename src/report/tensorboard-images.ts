/** Gathers the pictures of a run and shows them in its TensorBoard folder. */
import { readdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { change } from '../files/operations';
import { removeWhole, syncFolder } from '../files/write';
import { TensorBoardLogger } from '../log/tensorboard';
import type { Evaluation } from '../metrics/types';
import type { RunFolder } from '../train/run-folder';
import type { Chart } from './chart-style';
import { drawEvaluationCharts, renderChart } from './pictures';

/** A PNG file and its size in pixels. */
export interface PngPicture {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Pictures on their way into one event file; nothing is written before
 * {@link write}, so a failure leaves no half of them.
 */
export class TensorBoardImages {
  readonly #folder: RunFolder;
  readonly #step: number;
  readonly #name: string;
  readonly #images: (PngPicture & { readonly tag: string })[] = [];

  /**
   * @param step the epoch they stand at
   * @param name what they are of, e.g. `test`; they replace those of that name
   */
  constructor(folder: RunFolder, step: number, name: string) {
    this.#folder = folder;
    this.#step = step;
    this.#name = name;
  }

  /** Adds a picture. TensorBoard groups by what comes before the first slash of the tag. */
  add(tag: string, { png, width, height }: PngPicture): void {
    this.#images.push({ tag, png, width, height });
  }

  /** Adds a chart as `<group>/<its name>`. */
  async chart(group: string, chart: Chart): Promise<void> {
    this.add(`${group}/${chart.name}`, await renderChart(chart));
  }

  /** Adds ROC, confusion matrix and the histogram of the misclassified scores under the split's name. */
  async evaluation(evaluation: Evaluation): Promise<void> {
    for (const chart of drawEvaluationCharts(evaluation)) await this.chart(evaluation.split, chart);
  }

  /**
   * Writes one event file into `tensorboard/`, in the place of an earlier one of the same name; none when there is
   * nothing to show. Throws CovidCtError ERR_RUN_FOLDER.
   */
  async write(): Promise<void> {
    if (this.#images.length === 0) return;
    const dir = this.#folder.file('tensorboard');
    const earlier = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith(`.${this.#name}`));
    // In a folder of its own first: what stands in `tensorboard/` is whole.
    const own = this.#folder.file('tensorboard', `.${this.#name}-${process.pid}`);
    const board = new TensorBoardLogger({ dir: own, filenameSuffix: this.#name });
    try {
      try {
        for (const { tag, png, width, height } of this.#images)
          await board.image(tag, png, { width, height }, this.#step);
      } finally {
        await board.close();
      }
      const path = join(dir, basename(board.path));
      await change('rename', board.path, () => rename(board.path, path), path);
      await syncFolder(dir);
      for (const name of earlier) await removeWhole(join(dir, name));
    } finally {
      await removeWhole(own);
    }
  }
}

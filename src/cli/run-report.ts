/** Brings the figures, pictures and report of a run folder up to date. */
import { readFile } from 'node:fs/promises';
import { countClasses, RunFolder, sampleMontage, TensorBoardLogger } from '../index';
import type { Classifier, Dataset, Evaluation } from '../index';
import { encodeImage } from '../report/overlay';
import { writePictures } from '../report/pictures';
import { gradCamMontages, montageFile } from './grad-cam';
import type { GradCamMontage } from './grad-cam';
import { note, progressLine } from './io';
import type { Io, OutputFlags } from './io';
import { writeReport } from './report-data';

/** What an evaluation leaves for the report, in `pictures/pictures.json`. */
export interface PictureFacts {
  /** Grad-CAM montages of one split. */
  readonly gradCam: { readonly split: string; readonly layer: string; readonly groups: readonly (Omit<GradCamMontage, 'picture'> & { readonly file: string | null })[] } | null;
  /** Montages of the data. */
  readonly samples: readonly { readonly file: string; readonly title: string; readonly caption: string }[];
  readonly split: { readonly name: string; readonly n: number; readonly perClass: Readonly<Record<string, number>> };
}

interface Picture {
  readonly tag: string;
  readonly file: string;
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

const FACTS = 'pictures/pictures.json';

/** Draws the charts and writes `report.html` from what lies in the folder. */
export async function refreshReport(dir: string): Promise<string> {
  const folder = await RunFolder.open(dir);
  const [history, metrics] = await Promise.all([folder.history(), folder.metrics()]);
  await writePictures(folder.file('pictures'), { history: history.epochs, evaluation: metrics.test ?? metrics.validation ?? null });
  return writeReport(folder, history, metrics, await readFacts(folder));
}

/** What an earlier evaluation left; null before the first. */
async function readFacts(folder: RunFolder): Promise<PictureFacts | null> {
  const text = await readFile(folder.file(FACTS), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : (JSON.parse(text) as PictureFacts);
}

/**
 * Puts an evaluation into its run folder: `metrics.json`, Grad-CAM and sample montages, charts, TensorBoard pictures and
 * `report.html`. The montages stay those of the test split once it has been evaluated.
 */
export async function addToReport(about: { readonly folder: RunFolder; readonly model: Classifier; readonly dataset: Dataset; readonly evaluation: Evaluation; readonly flags: OutputFlags; readonly io: Io }): Promise<void> {
  const { folder, model, dataset, evaluation, flags, io } = about;
  await folder.writeMetrics(evaluation);
  if (evaluation.split === 'test' || (await folder.metrics()).test === undefined) {
    const line = progressLine(io, flags);
    line.show('drawing Grad-CAM montages');
    const montages = await gradCamMontages(model, dataset, evaluation, io.signal).finally(() => line.clear());
    const samples = await sampleMontages(dataset, io.signal);
    await keepPictures(folder, { model, dataset, evaluation, montages, samples });
  }
  const report = await refreshReport(folder.dir);
  note(io, flags, `report: ${report}`);
}

async function sampleMontages(dataset: Dataset, signal: AbortSignal): Promise<(Picture & { readonly title: string })[]> {
  const pictures: (Picture & { title: string })[] = [];
  for (const [label, name] of dataset.classes.entries()) {
    if (!dataset.samples.some((sample) => sample.label === label)) continue;
    const sheet = await sampleMontage(dataset, { label, signal });
    pictures.push({ tag: `samples/${name}`, file: `samples-${label}.png`, title: name, png: await encodeImage(sheet), width: sheet.width, height: sheet.height });
  }
  return pictures;
}

interface Drawn {
  readonly model: Classifier;
  readonly dataset: Dataset;
  readonly evaluation: Evaluation;
  readonly montages: readonly GradCamMontage[];
  readonly samples: readonly (Picture & { readonly title: string })[];
}

async function keepPictures(folder: RunFolder, { model, dataset, evaluation, montages, samples }: Drawn): Promise<void> {
  const { split } = evaluation;
  const drawn: Picture[] = montages.flatMap(({ kind, picture }) => (picture === null ? [] : [{ tag: `grad-cam/${kind}`, file: montageFile(kind), ...picture }]));
  for (const { file, png } of [...drawn, ...samples]) await folder.write(`pictures/${file}`, png);
  const facts: PictureFacts = {
    gradCam: montages.length === 0 ? null : { split, layer: model.layers.default, groups: montages.map(({ picture, ...group }) => ({ ...group, file: picture === null ? null : montageFile(group.kind) })) },
    samples: samples.map(({ file, title }) => ({ file, title, caption: `Some images of ${dataset.name}, drawn at random` })),
    split: { name: split, n: dataset.samples.length, perClass: countClasses(dataset) },
  };
  await folder.write(FACTS, `${JSON.stringify(facts, null, 2)}\n`);
  const charts = await writePictures(folder.file('pictures'), { history: (await folder.history()).epochs, evaluation });
  const board = new TensorBoardLogger({ dir: folder.file('tensorboard') });
  try {
    for (const { tag, png, width, height } of [...drawn, ...samples]) await board.image(tag, png, { width, height }, 0);
    for (const { name, bytes, width, height } of charts) await board.image(`charts/${name}`, bytes, { width, height }, 0);
  } finally {
    await board.close();
  }
}

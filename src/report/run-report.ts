/** Brings the metrics, pictures and report of a run folder up to date. */
import { countClasses } from '../data/splits';
import type { Dataset } from '../data/types';
import { InvalidOptionError } from '../errors';
import type { Evaluation } from '../metrics/types';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { RunFolder } from '../train/run-folder';
import { TensorBoardImages } from './tensorboard-images';
import { readFacts, writeFacts } from './picture-index';
import type { MontageFacts, PictureFacts } from './types';
import { gatherReport } from './report-data';
import { dashed, gradCamMontages, sourcesOf } from './grad-cam';
import type { GradCamMontagesOptions } from './grad-cam';
import { renderReport } from './html';
import { drawCurves, writePictures } from './pictures';
import { keepSamples } from './sample-pictures';
import { addEvaluationSchema, addTrainingSchema } from './schema';

/** What {@link addTraining} needs. */
export interface AddTrainingOptions {
  /** The training split; some images of each class are shown. */
  readonly dataset: Dataset;
  readonly signal?: AbortSignal;
}

/** What {@link addEvaluation} needs. */
export interface AddEvaluationOptions extends GradCamMontagesOptions {
  /** Its `split` must be `train`, `validation` or `test`: `evaluate(model, data.test, { split: 'test' })`. */
  readonly evaluation: Evaluation;
}

/**
 * Draws the charts of a run and writes its `report.html` from what lies in the folder; needs neither model nor data.
 *
 * @param runDir run folder, as `Trainer` or `covidct train` makes it
 * @returns absolute path of the report
 * @throws CovidCtError ERR_RUN_FOLDER when it is no run folder, or a file of it is damaged or cannot be written
 * @example
 * ```ts
 * import { writeReport } from 'covidct-torch/report';
 *
 * console.log(await writeReport('runs/first')); // path of report.html: one file, no network
 * ```
 */
export async function writeReport(runDir: string): Promise<string> {
  return refresh(await RunFolder.open(checkArgument(pathSchema, runDir, 'writeReport', 'runDir')));
}

/**
 * Puts the pictures of a finished training into its run folder: montages of some training images of each class, the
 * charts of loss, accuracy and validation, the same in TensorBoard, and `report.html`. Montages that an evaluation has
 * put there stay. Images that could not be decoded in the training are not drawn from.
 *
 * @returns absolute path of the report
 * @throws CovidCtError ERR_RUN_FOLDER; BadImageError; AbortedError
 * @example
 * ```ts
 * import { openDataset } from 'covidct-torch';
 * import { addTraining } from 'covidct-torch/report';
 *
 * const { train } = await openDataset('COVID-CT');
 * console.log(await addTraining('runs/first', { dataset: train })); // path of the report
 * ```
 */
export async function addTraining(runDir: string, options: AddTrainingOptions): Promise<string> {
  checkArgument(pathSchema, runDir, 'addTraining', 'runDir');
  const { dataset, signal } = checkOptions(addTrainingSchema, options, 'addTraining');
  const folder = await RunFolder.open(runDir);
  const [{ epochs, events }, { validation }, facts] = await Promise.all([
    folder.history(),
    folder.metrics(),
    readFacts(folder),
  ]);
  const board = new TensorBoardImages(folder, epochs.length, 'training');
  for (const chart of drawCurves(epochs)) await board.chart('training', chart);
  if (validation !== undefined) await board.evaluation(validation);
  const isOwn = facts === null || (facts.gradCam === null && facts.split?.name === 'train');
  const skipped = new Set(
    events.flatMap((event) => (event.type === 'skipped' && event.split === 'train' ? [event.id] : [])),
  );
  const samples = await keepSamples({
    folder: isOwn ? folder : null,
    board,
    images: await folder.images(),
    split: 'train',
    signal,
    dataset: { ...dataset, samples: dataset.samples.filter(({ id }) => !skipped.has(id)) },
  });
  if (isOwn)
    await writeFacts(folder, {
      gradCam: null,
      samples,
      split: { name: 'train', n: dataset.samples.length, perClass: countClasses(dataset) },
    });
  await board.write();
  return refresh(folder);
}

/**
 * Puts an evaluation into its run folder: `metrics.json`, Grad-CAM and sample montages, charts, TensorBoard pictures
 * and `report.html`. The montages stay those of the test split once it has been evaluated. Only images that were scored
 * are drawn. Whether the evaluation belongs to this run (same weights, data and threshold) is for the caller to know.
 *
 * @param runDir run folder, as `Trainer` or `covidct train` makes it
 * @returns absolute path of the report
 * @throws InvalidOptionError for an evaluation of another split than train, validation or test; DatasetError when it is
 *   not of this data set; CovidCtError ERR_RUN_FOLDER; as `Classifier.explain`. Before the first picture is drawn, the
 *   metrics are in the folder
 * @example
 * ```ts
 * import { Classifier, evaluate, openDataset } from 'covidct-torch';
 * import { addEvaluation } from 'covidct-torch/report';
 *
 * const { test } = await openDataset('COVID-CT');
 * using model = await Classifier.load('runs/first');
 * if (test !== null) {
 *   const evaluation = await evaluate(model, test, { split: 'test' });
 *   console.log(await addEvaluation('runs/first', { model, dataset: test, evaluation })); // path of the report
 * }
 * ```
 */
export async function addEvaluation(runDir: string, options: AddEvaluationOptions): Promise<string> {
  checkArgument(pathSchema, runDir, 'addEvaluation', 'runDir');
  const { evaluation, ...about } = checkOptions(addEvaluationSchema, options, 'addEvaluation');
  const { split } = evaluation;
  if (!['train', 'validation', 'test'].includes(split)) {
    throw new InvalidOptionError(
      'addEvaluation: evaluation.split: expected train, validation or test; ' +
        `got "${split}"; say which at evaluate(model, data, { split: 'test' })`,
      [{ path: 'evaluation.split', message: 'not a split of a run' }],
    );
  }
  sourcesOf(about.dataset, evaluation.samples);
  const folder = await RunFolder.open(runDir);
  await folder.writeMetrics(evaluation);
  const [{ epochs }, { test }] = await Promise.all([folder.history(), folder.metrics()]);
  const board = new TensorBoardImages(folder, epochs.length, evaluation.split);
  await board.evaluation(evaluation);
  if (split === 'test' || test === undefined)
    await writeFacts(folder, await keepMontages(folder, board, evaluation, about));
  await board.write();
  return refresh(folder);
}

async function keepMontages(
  folder: RunFolder,
  board: TensorBoardImages,
  evaluation: Evaluation,
  about: GradCamMontagesOptions,
): Promise<PictureFacts> {
  const { split } = evaluation;
  const { model, dataset, signal, layer = model.layers.default } = about;
  const groups: MontageFacts[] = [];
  const images = { ...(await folder.images()), ...about.images };
  for (const { picture, ...words } of await gradCamMontages(evaluation, { ...about, images })) {
    const file = picture === null ? null : `grad-cam-${dashed(words.kind)}.png`;
    groups.push({ ...words, file });
    if (picture === null) continue;
    await folder.write(`pictures/${file}`, picture.png);
    board.add(`${split}/grad-cam/${dashed(words.kind)}`, picture);
  }
  const scored = new Set(evaluation.samples.map(({ id }) => id));
  const samples = await keepSamples({
    folder,
    board,
    images,
    split,
    signal,
    dataset: { ...dataset, samples: dataset.samples.filter(({ id }) => scored.has(id)) },
  });
  return {
    gradCam: groups.length === 0 ? null : { split, layer, groups },
    samples,
    split: { name: split, n: dataset.samples.length, perClass: countClasses(dataset) },
  };
}

async function refresh(folder: RunFolder): Promise<string> {
  const [history, metrics, facts] = await Promise.all([folder.history(), folder.metrics(), readFacts(folder)]);
  await writePictures(folder.file('pictures'), {
    history: history.epochs,
    evaluation: metrics.test ?? metrics.validation ?? null,
  });
  await folder.write('report.html', renderReport(await gatherReport(folder, { history, metrics, facts })));
  return folder.file('report.html');
}

/** `covidct evaluate`: the metrics of a trained model on one split. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { addEvaluation } from '../report/index';
import { DatasetError, evaluate, RunFolder } from '../index';
import { datasetFingerprint } from '../data/fingerprint';
import { INTENDED_USE } from '../intended-use';
import type { Classifier, Dataset, DatasetSplits, Evaluation, SplitName } from '../index';
import { probabilityColumns } from './csv';
import { EXIT } from './exit-codes';
import { dataOptionsOf, withData } from './data-flags';
import type { DataFlags, DataOptions } from './data-flags';
import {
  dataFolder,
  imageFlags,
  number,
  withAnyNumbers,
  withBadFile,
  withCsv,
  withDevice,
  withImages,
  withOutput,
} from './flags';
import type { ImageFlags } from './flags';
import { loadModel } from './load-model';
import type { ModelFlags } from './load-model';
import { note, print, printCsv, printJson, progressLine } from './io';
import type { Io } from './io';
import { openData } from './open-data';
import { evaluationText } from './format/format';

/** Flags of the command. */
export interface EvaluateFlags extends ModelFlags, ImageFlags, DataFlags {
  readonly data?: string;
  /** What a command that has opened the data already was told of them; nothing more is said then of what is in them. */
  readonly opening?: DataOptions;
  readonly split: SplitName;
  readonly batchSize?: number;
  readonly threshold?: number;
}

const EXAMPLES = `
Examples:
  $ covidct evaluate --model runs/first --data COVID-CT
  $ covidct evaluate --model runs/first --data COVID-CT --split validation --json

Of a run folder, metrics.json, the pictures and report.html are brought up to date; but not by metrics on other data
than the run's own, of its last weights or at another threshold, which are only printed. Look at the test split once,
at the very end: whatever is chosen by looking at it, its metrics no longer tell how the model does on new images.`;

/** Adds the command. */
export function addEvaluate(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('evaluate')
    .summary('metrics of a trained model on a split')
    .description('Evaluates a trained model on one split of a data set.');
  withCsv(
    withOutput(
      withImages(withBadFile(withDevice(withAnyNumbers(withData(command))))),
      'write one JSON object to standard output',
    ),
    'write the score of every image as CSV: id, label, predicted, correct, loss, one probability per class, error',
  )
    .requiredOption('--model <dir>', 'run folder or model folder')
    .addOption(new Option('--split <name>', 'which split').choices(['train', 'validation', 'test']).default('test'))
    .addOption(new Option('--which <weights>', 'which weights of a run (default: best)').choices(['best', 'last']))
    .option('--batch-size <n>', 'images in one forward pass (default: 8)', number)
    .option(
      '--threshold <t>',
      'a probability of the last class at or above this is positive (default: the one stored with the model)',
      number,
    )
    .addHelpText('after', EXAMPLES)
    .action((flags: EvaluateFlags) =>
      run(async (io) => {
        await evaluateRun(flags, io);
        return EXIT.ok;
      }),
    );
}

/**
 * Evaluates, prints, and brings the run folder up to date.
 *
 * @param more put before the metrics in the line of JSON, to tell it from other lines
 */
export async function evaluateRun(
  flags: EvaluateFlags,
  io: Io,
  more: Readonly<Record<string, string>> = {},
): Promise<Evaluation> {
  const dir = dataFolder(io, flags.data);
  const model = await loadModel(flags, io);
  try {
    // With the model's classes: of a folder of classes, only the model knows which comes first.
    const said = flags.opening ?? dataOptionsOf(flags);
    const { positive, ...opening } = said;
    void positive; // the model's order says which it is
    const data = await openData(
      dir,
      { ...opening, classes: [...model.classes] },
      io,
      flags,
      flags.opening !== undefined,
    );
    const dataset = splitOf(data, flags.split);
    const threshold = model.classes.length === 2 ? (flags.threshold ?? model.threshold) : undefined;
    const evaluation = await evaluateSplit(model, dataset, { ...flags, threshold }, io);
    if (flags.json === true) printJson(io, { ...more, ...evaluation, intendedUse: INTENDED_USE });
    else if (flags.csv === true) printScores(io, evaluation);
    else print(io, evaluationText(evaluation));
    const folder = await RunFolder.open(flags.model).catch(() => null);
    if (folder === null) return evaluation;
    const mismatch = await whyNotOfTheRun(folder, { flags, data, threshold, model });
    if (mismatch === null) await keep({ folder, model, dataset, evaluation, flags, io });
    else note(io, flags, `${folder.dir} was left as it was: ${mismatch}`);
    return evaluation;
  } finally {
    model.dispose();
  }
}

/** One row per image, those left out at the end. */
function printScores(io: Io, { classes, samples, skipped }: Evaluation): void {
  printCsv(io, ['id', 'label', 'predicted', 'correct', 'loss', ...probabilityColumns(classes), 'error']);
  for (const { id, label, predicted, loss, probabilities } of samples) {
    printCsv(io, [id, classes[label]!, classes[predicted]!, label === predicted ? 1 : 0, loss, ...probabilities, null]);
  }
  for (const { id, reason } of skipped) printCsv(io, [id, null, null, null, null, ...classes.map(() => null), reason]);
}

/** The split of that name. Throws DatasetError when there is none. */
export function splitOf(data: DatasetSplits, name: SplitName): Dataset {
  const split = data[name];
  if (split !== null) return split;
  throw new DatasetError(
    `${data.name}: expected a ${name} split; it ` +
      `has ${(['train', 'validation', 'test'] as const).filter((each) => data[each] !== null).join(' and ')}`,
  );
}

async function evaluateSplit(model: Classifier, split: Dataset, flags: EvaluateFlags, io: Io): Promise<Evaluation> {
  const line = progressLine(io, flags);
  try {
    const { batchSize, threshold, onBadFile } = flags;
    return await evaluate(model, split, {
      split: flags.split,
      transform: model.transform,
      batchSize,
      threshold,
      onBadFile,
      ...imageFlags(flags),
      signal: io.signal,
      onProgress: (done, total) => line.show(`${split.name}: ${done} of ${total} images`, done / total),
    });
  } finally {
    line.clear();
  }
}

interface Asked {
  readonly flags: EvaluateFlags;
  readonly data: DatasetSplits;
  readonly threshold: number | undefined;
  readonly model: Classifier;
}

/** Why the metrics are none that the run's report should show, in words; null when they are the run's own. */
async function whyNotOfTheRun(folder: RunFolder, { flags, data, threshold, model }: Asked): Promise<string | null> {
  const { threshold: stored, origin } = model;
  if (flags.which === 'last') return 'its report shows the best weights, and these are the metrics of the last';
  if (threshold !== undefined && threshold !== stored)
    return `its report shows the threshold stored with the model, ${stored}, and these are the metrics at ${threshold}`;
  if ((await folder.card())?.origin !== origin)
    return 'its training has kept other weights meanwhile, and these are the metrics of those before; evaluate again';
  const { data: own } = await folder.config();
  const same = (['train', 'validation'] as const).every(
    (name) => own[name]?.fingerprint === (data[name] === null ? undefined : datasetFingerprint(data[name])),
  );
  return same
    ? null
    : `its training and validation images are not those of ${data.name}, so these are metrics ` +
        'on other data; if they are parts of the same images, some may have been trained on: ' +
        'hold out what was held out for the training (--val-split, --test-split, --split-seed)';
}

async function keep({
  folder,
  model,
  dataset,
  evaluation,
  flags,
  io,
}: {
  folder: RunFolder;
  model: Classifier;
  dataset: Dataset;
  evaluation: Evaluation;
  flags: EvaluateFlags;
  io: Io;
}): Promise<void> {
  const line = progressLine(io, flags);
  line.show('drawing pictures');
  const onProgress = (done: number, total: number): void =>
    line.show(`drawing Grad-CAM: ${done} of ${total} images`, done / total);
  const report = await addEvaluation(folder.dir, {
    model,
    dataset,
    evaluation,
    images: imageFlags(flags),
    signal: io.signal,
    onProgress,
  }).finally(() => line.clear());
  note(io, flags, `report: ${report}`);
}

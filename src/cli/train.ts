/** `covidct train`: learns from the training split, chooses on the validation split, writes a run folder. */
import type { Command } from 'commander';
import { join } from 'node:path';
import { addTraining, writeReport } from '../report/index';
import { Classifier, ConsoleLogger, TensorBoardLogger, Trainer } from '../index';
import type { RunFolder } from '../index';
import type { RunConfig } from '../train/run-schema';
import { locateWeights } from '../weights/index';
import type { DatasetSplits, TrainingHistory, TrainLogger } from '../index';
import type { TrainCommandOptions } from './options';
import { differencesOfData, differencesOfTransforms, gatherTrainOptions } from './config';
import { dataOptionsOf, partOptions, withClasses, withData } from './data-flags';
import type { DataOptions } from './data-flags';
import { evaluateRun, splitOf } from './evaluate';
import { EXIT } from './exit-codes';
import { dataOfEnvironment, deviceFlags, withBadFile, withDevice, withImages, withOutput } from './flags';
import type { DeviceFlags } from './flags';
import { fineTuningOptions, withFineTuning } from './fine-tuning-flags';
import { during, note, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { openData } from './open-data';
import { ownFolder } from '../files/owner';
import { assertRunFolderFree } from '../train/run-folder';
import {
  assertSameRecipe,
  dataOfRun,
  dataSourceOf,
  deviceOfRun,
  isFinished,
  openTasks,
  resumedTrainer,
  runToResume,
} from './resume';
import type { ResumeFlags } from './resume';
import { withRecipe, withResume } from './train-flags';
import { loadText } from './format/weights';
import { historyText } from './format/format';

type Flags = ResumeFlags & Record<string, unknown> & { config?: string; test?: boolean };

const EXAMPLES = `
Examples:
  $ covidct train --data COVID-CT --out runs/first
  $ covidct train --data COVID-CT --out runs/small --arch vgg11_bn --image-size 128 --epochs 10
  $ covidct train --data COVID-CT --out runs/as-written --preset tutorial
  $ covidct train --data slices --positive ill --val-split 0.2 --out runs/own     a folder of classes without splits
  $ covidct train --data cohort.csv --label-column finding --group-column patient --val-split 0.2 --out runs/cohort
  $ covidct train --data COVID-CT --out runs/tuned --optimizer adamw --freeze backbone --unfreeze 5:all
  $ covidct train --config recipe.json --lr 0.001     flags win over the file

A configuration file is a JSON object whose keys are the options, e.g.
  { "data": "COVID-CT", "out": "runs/first", "architecture": "vgg19_bn", "learningRate": 0.01, "batchSize": 8 }

The config.json of a run, or its folder, is taken too:
  $ covidct train --config runs/first --data COVID-CT --out runs/again

A run that was killed or stopped goes on where its last checkpoint is, to the bit:
  $ covidct train --resume runs/first
  $ covidct train --data COVID-CT --out runs/first --resume auto     begins it or goes on; for a service manager

Ctrl-C ends the training after the present step and leaves a usable run folder and a checkpoint; a second one quits at
once.`;

/** Adds the command. */
export function addTrain(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('train')
    .summary('train a classifier and write a run folder')
    .description('Trains a classifier. The test split is not looked at unless --test is given.');
  withFineTuning(
    withOutput(
      withImages(withBadFile(withDevice(withClasses(withData(command))))),
      'write every event, and the result last, as lines of JSON to standard output',
    ),
  );
  withResume(withRecipe(command))
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => train(flags, io)));
}

/** The flags under the options' names. */
export function optionsOf({
  config,
  json,
  quiet,
  test,
  resume,
  accept,
  arch,
  lr,
  lrFactor,
  cacheBytes,
  deviceCacheBytes,
  valSplit,
  ...rest
}: Flags): Record<string, unknown> {
  void [config, json, quiet, test, resume, accept];
  return {
    ...fineTuningOptions(rest),
    ...dataOptionsOf({ ...rest, valSplit }),
    architecture: arch,
    learningRate: lr,
    learningRateFactor: lrFactor,
    maxCacheBytes: cacheBytes,
    maxDeviceCacheBytes: deviceCacheBytes,
  };
}

async function train(flags: Flags, io: Io): Promise<number> {
  const run = await runToResume(flags);
  return run === null ? await begin(flags, io) : await goOn(run, flags, io);
}

/** Goes on with a run. */
async function goOn(folder: RunFolder, flags: Flags, io: Io): Promise<number> {
  const config = await folder.config();
  if (flags.resume === 'auto') {
    const asked = await gatherTrainOptions(flags.config, optionsOf(flags), { data: dataOfEnvironment(io) });
    assertSameRecipe(folder.dir, config, asked.options);
  }
  const { data, path, opening, dataSource } = await dataOfRun(config, flags, io);
  if (flags.test === true) splitOf(data, 'test');
  const finished = await isFinished(folder, config, flags.epochs);
  if (finished) note(io, flags, `${folder.dir}: the run is finished.`);
  const loggers = loggersOf(folder.dir, flags, io);
  const trainer = finished ? null : await resumedTrainer(folder, flags, io, { loggers, dataSource });
  const history = trainer === null ? null : await resumed(trainer, data, folder.dir, flags, io);
  if (history?.stop.reason === 'aborted') return concluded(history, flags, io);
  // Two processes that are started at once do not both draw; what a dead one has left of its ownership goes.
  const owned = await ownFolder(folder.dir, 'covidct train', { signal: io.signal });
  try {
    const left = await openTasks(folder);
    if (left.draw) await draw(folder.dir, data, flags, io);
    if (flags.test === true && left.test) {
      const { onBadFile } = config.options as { onBadFile?: 'error' | 'skip' };
      const device = deviceOfRun(config, flags);
      await evaluateTest({ out: folder.dir, data: path, opening, onBadFile, device }, flags, io);
    } else if (left.report) await writeReport(folder.dir);
  } finally {
    await owned.release();
  }
  return history === null ? EXIT.ok : concluded(history, flags, io);
}

/** Trains from the checkpoint on. */
async function resumed(
  trainer: Trainer,
  data: DatasetSplits,
  out: string,
  flags: Flags,
  io: Io,
): Promise<TrainingHistory> {
  return await fit(trainer, data, out, flags, io).finally(() => trainer.model.dispose());
}

/** Puts the pictures into the run folder. Without io's signal: what a Ctrl-C has left is to be shown as well. */
async function draw(out: string, data: DatasetSplits, flags: OutputFlags, io: Io): Promise<void> {
  await during(io, flags, 'drawing pictures', () => addTraining(out, { dataset: data.train }));
}

/** Writes the last line of JSON. Returns the exit code. */
function concluded(history: TrainingHistory, flags: Flags, io: Io): number {
  if (flags.json === true) printJson(io, resultOf(history));
  return history.stop.reason === 'aborted' ? io.interruptedCode() : EXIT.ok;
}

/** Begins a run. */
async function begin(flags: Flags, io: Io): Promise<number> {
  const { options, run } = await gatherTrainOptions(flags.config, optionsOf(flags), { data: dataOfEnvironment(io) });
  await assertRunFolderFree(options.out, options.overwrite);
  const { data: opening } = partOptions(options);
  const data = await openData(options.data, opening, io, flags);
  if (flags.test === true) splitOf(data, 'test');
  if (data.validation === null)
    note(
      io,
      flags,
      `${data.name} has no validation split: the last epoch's weights will count as ` +
        'the best. --val-split 0.2 holds a fifth of the training images out for one',
    );
  if (run !== null) note(io, flags, differencesOfData(run, data));
  const history = await trainOn(data, options, flags, io, run === null ? [] : [differenceLogger(run, flags, io)]);
  const aborted = history.stop.reason === 'aborted';
  if (!aborted && flags.test === true) {
    const { data: dataDir, out, onBadFile } = options;
    await evaluateTest({ out, data: dataDir, onBadFile, opening, device: options }, flags, io);
  }
  return concluded(history, flags, io);
}

/** Tells where the transforms are not those of the run in --config. */
function differenceLogger(run: RunConfig, flags: Flags, io: Io): TrainLogger {
  return {
    log: (event) => {
      if (event.type === 'start') note(io, flags, differencesOfTransforms(run, event));
    },
    close: () => undefined,
  };
}

interface TestOptions {
  readonly out: string;
  readonly data: string;
  readonly onBadFile: 'error' | 'skip' | undefined;
  readonly opening: DataOptions;
  readonly device: DeviceFlags;
}

async function evaluateTest({ out, device, ...rest }: TestOptions, { json, quiet }: Flags, io: Io): Promise<void> {
  await evaluateRun({ model: out, split: 'test', json, quiet, ...deviceFlags(device), ...rest }, io, {
    type: 'evaluation',
  });
}

/** The last line of JSON. */
export function resultOf(history: TrainingHistory): Record<string, unknown> {
  return { type: 'result', ...history, epochs: history.epochs.length };
}

/** Trains, puts the pictures into the run folder when an epoch was finished, and tells people how it ended. */
export async function trainOn(
  data: DatasetSplits,
  options: TrainCommandOptions,
  flags: OutputFlags,
  io: Io,
  loggers: readonly TrainLogger[] = [],
): Promise<TrainingHistory> {
  const { data: opening, rest } = partOptions(options);
  const { data: dataDir, architecture, weights, dropout, channels, ...machine } = rest;
  const { device, threads, precision, convolution, ...recipe } = machine;
  const model = await Classifier.create({
    architecture,
    classes: [...data.classes],
    device,
    threads,
    precision,
    convolution,
    dropout,
    channels,
    seed: recipe.seed,
    imageSize: recipe.imageSize,
  });
  try {
    if (weights !== undefined) {
      const file = locateWeights(weights, architecture);
      const report = await during(io, flags, `loading ${file}`, () =>
        model.loadWeights(file, { replaceHead: true, signal: io.signal }),
      );
      note(io, flags, loadText(file, report, model.pretraining));
    }
    const trainer = new Trainer({
      model,
      ...recipe,
      dataSource: dataSourceOf(dataDir, opening),
      loggers: [...loggers, ...loggersOf(recipe.out, flags, io)],
    });
    return await fit(trainer, data, options.out, flags, io);
  } finally {
    model.dispose();
  }
}

/** Trains, puts the pictures into the run folder when an epoch was finished, and tells people how it ended. */
async function fit(
  trainer: Trainer,
  data: DatasetSplits,
  out: string,
  flags: OutputFlags,
  io: Io,
): Promise<TrainingHistory> {
  const { architecture, parameterCount, device, deviceReason } = trainer.model;
  const millions = (parameterCount / 1e6).toFixed(2);
  note(io, flags, `${architecture}, ${millions} million parameters, on ${device}: ${deviceReason}`);
  const history = await trainer.fit(data.train, data.validation, { signal: io.signal });
  if (history.epochs.length > 0) await draw(out, data, flags, io);
  if (flags.json !== true && flags.quiet !== true) print(io, historyText(history));
  if (history.stop.reason === 'aborted' && trainer.options.keepCheckpoints > 0)
    note(io, flags, `Continue with: covidct train --resume ${out}`);
  return history;
}

/** The loggers of the command line. */
function loggersOf(out: string, flags: OutputFlags, io: Io): TrainLogger[] {
  return [new TensorBoardLogger({ dir: join(out, 'tensorboard') }), ...consoleLoggers(flags, io)];
}

/** For people on standard error, unless lines of JSON pass by on the same terminal. */
function consoleLoggers(flags: OutputFlags, io: Io): ConsoleLogger[] {
  const json = flags.json === true ? [new ConsoleLogger({ stream: io.stdout, mode: 'json' })] : [];
  if (json.length > 0 && io.stdout.isTTY === true) return json;
  // The end is reported on standard output, in more words.
  return [
    ...json,
    new ConsoleLogger({ stream: io.stderr, mode: flags.quiet === true ? 'quiet' : 'auto', ending: false }),
  ];
}

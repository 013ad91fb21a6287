/** `covidct train`: learns from the training split, chooses on the validation split, writes a run folder. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { join } from 'node:path';
import { addTraining } from '../report/index';
import { Classifier, ConsoleLogger, TensorBoardLogger, Trainer } from '../index';
import { BEST_BY } from '../metrics/registry';
import { locateWeights } from '../weights/index';
import type { DatasetSplits, TrainingHistory, TrainLogger } from '../index';
import type { TrainCommandOptions } from './options';
import { differencesOfData, differencesOfTransforms, gatherTrainOptions } from './config';
import { dataOptionsOf, partOptions, withClasses, withData } from './data-flags';
import type { DataFlags } from './data-flags';
import { evaluateRun, splitOf } from './evaluate';
import { EXIT } from './exit-codes';
import {
  bytes,
  classWeights,
  dataOfEnvironment,
  deviceFlags,
  number,
  threshold,
  withBadFile,
  withDevice,
  withImages,
  withOutput,
} from './flags';
import { fineTuningOptions, withFineTuning } from './fine-tuning-flags';
import { during, note, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { openData } from './open-data';
import { assertRunFolderFree } from '../train/run-folder';
import { loadText } from './format/weights';
import { historyText } from './format/format';

type Flags = OutputFlags & DataFlags & Record<string, unknown> & { config?: string; test?: boolean };

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

Ctrl-C ends the training after the present step and leaves a usable run folder; a second one quits at once.`;

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
  )
    .option('--out <dir>', 'run folder to write; must be new or empty')
    .option('--overwrite', 'replace an earlier run in that folder')
    .option('--arch <name>', 'architecture, e.g. vgg19_bn (default), vgg11_bn, tiny')
    .option(
      '--weights <what>',
      'start from imagenet, a known name (covidct weights list), or a ' +
        '.pth or .safetensors file; a head of another size is replaced',
    )
    .option('--channels <n>', '3 (default), or 1: images are made gray', number)
    .option('--epochs <n>', 'at most this many epochs (default: 60)', number)
    .option('--batch-size <n>', 'images in a micro-batch (default: 8)', number)
    .option('--accumulate <n>', 'micro-batches in one optimizer step (default: 8)', number)
    .option('--lr <rate>', 'learning rate (default: 0.01; every other optimizer than sgd: 0.0001)', number)
    .option(
      '--lr-factor <factor>',
      'what the rate is multiplied by when only the loss stops improving (default: 0.1)',
      number,
    )
    .option('--momentum <m>', 'momentum of sgd (default: 0.9) and rmsprop (default: 0)', number)
    .option('--weight-decay <l2>', 'L2 penalty (default: 0; adamw: 0.01)', number)
    .option('--dampening <d>', 'dampening of the momentum (default: 0)', number)
    .option('--nesterov', 'Nesterov momentum')
    .option('--dropout <p>', 'dropout of the head (default: that of the architecture; 0.5 for VGG)', number)
    .option('--image-size <px>', 'side of the square the network sees (default: that of the weights, or 224)', number)
    .option('--patience <n>', 'epochs without improvement that are forgiven (default: 5)', number)
    .option('--class-weights <w>', 'balanced, or one number per class, separated by commas', classWeights)
    .addOption(
      new Option('--keep <weights>', 'which weights stay in the run folder: best (default), last, or both').choices([
        'best',
        'last',
        'both',
      ]),
    )
    .option('--best-by <metric>', `of the validation split: ${BEST_BY.join(', ')} (default accuracy)`)
    .option('--threshold <t>', 'validation (default: chosen there) or a number in [0, 1]', threshold)
    .option('--seed <n>', 'seed of everything random (default: 0)', number)
    .option('--preset <name>', 'default, or tutorial: its accumulation and missing normalization')
    .option('--prefetch <n>', 'micro-batches prepared ahead (default: 2)', number)
    .option('--cache-bytes <n>', 'decoded pixels kept in memory, e.g. 512MiB (default: 2GiB)', bytes)
    .option('--device-cache-bytes <n>', 'pixels kept in the memory of a GPU (default: 1GiB)', bytes)
    .option(
      '--config <file>',
      'JSON file with options, or a run or its config.json, whose training is done again; flags win',
    )
    .option('--test', 'evaluate the test split at the end')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => train(flags, io)));
}

/** The flags under the options' names. */
export function optionsOf({
  config,
  json,
  quiet,
  test,
  arch,
  lr,
  lrFactor,
  cacheBytes,
  deviceCacheBytes,
  valSplit,
  ...rest
}: Flags): Record<string, unknown> {
  void [config, json, quiet, test];
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
  const history = await trainOn(
    data,
    options,
    flags,
    io,
    run === null
      ? []
      : [
          {
            log: (event) => {
              if (event.type === 'start') note(io, flags, differencesOfTransforms(run, event));
            },
            close: () => undefined,
          },
        ],
  );
  const aborted = history.stop.reason === 'aborted';
  if (!aborted && flags.test === true) {
    const { data: dataDir, out, onBadFile } = options;
    await evaluateRun(
      {
        model: out,
        data: dataDir,
        split: 'test',
        json: flags.json,
        quiet: flags.quiet,
        ...deviceFlags(options),
        onBadFile,
        opening,
      },
      io,
      { type: 'evaluation' },
    );
  }
  if (flags.json === true) printJson(io, resultOf(history));
  return aborted ? io.interruptedCode() : EXIT.ok;
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
  const history = await fit(data, options, flags, io, loggers);
  // Without io's signal: what a Ctrl-C has left is to be shown as well.
  if (history.epochs.length > 0)
    await during(io, flags, 'drawing pictures', () => addTraining(options.out, { dataset: data.train }));
  if (flags.json !== true && flags.quiet !== true) print(io, historyText(history));
  return history;
}

/** Makes the classifier, trains it with every logger of the command line, and frees it. */
async function fit(
  data: DatasetSplits,
  options: TrainCommandOptions,
  flags: OutputFlags,
  io: Io,
  more: readonly TrainLogger[],
): Promise<TrainingHistory> {
  const {
    data: dataDir,
    architecture,
    weights,
    dropout,
    channels,
    device,
    threads,
    precision,
    convolution,
    ...recipe
  } = partOptions(options).rest;
  void dataDir;
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
    note(
      io,
      flags,
      `${architecture}, ${(model.parameterCount / 1e6).toFixed(2)} million ` +
        `parameters, on ${model.device}: ${model.deviceReason}`,
    );
    const loggers = [
      ...more,
      new TensorBoardLogger({ dir: join(recipe.out, 'tensorboard') }),
      ...consoleLoggers(flags, io),
    ];
    return await new Trainer({ model, ...recipe, loggers }).fit(data.train, data.validation, { signal: io.signal });
  } finally {
    model.dispose();
  }
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

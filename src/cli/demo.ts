/** `covidct demo`: the whole job on made-up slices, or on real ones: train, evaluate, explain, report. */
import type { Command } from 'commander';
import { access } from 'node:fs/promises';
import { DatasetError, makePhantoms } from '../index';
import type { DatasetSplits } from '../index';
import { gatherTrainOptions } from './config';
import { evaluateRun } from './evaluate';
import { EXIT } from './exit-codes';
import { dataOptionsOf, withClasses, withData } from './data-flags';
import type { DataFlags } from './data-flags';
import { dataOfEnvironment, deviceFlags, number, withDevice, withOutput } from './flags';
import type { DeviceFlags } from './flags';
import { note, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { openData } from './open-data';
import { assertRunFolderFree } from '../train/run-folder';
import { resultOf, trainOn } from './train';

interface Flags extends OutputFlags, DataFlags, DeviceFlags {
  readonly data?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly phantoms: string;
  readonly arch: string;
  readonly epochs?: number;
  readonly imageSize?: number;
  readonly count: number;
  readonly seed?: number;
}

const EXAMPLES = `
Examples:
  $ covidct demo
  $ covidct demo --data COVID-CT --epochs 20 --image-size 128

Without --data and COVIDCT_DATA, made-up slices are drawn into ./phantoms: no patient is behind them, and nothing
that is measured on them says anything about real images. It takes a few minutes on two cores.`;

/** Small enough for two cores; more optimizer steps per epoch than the tutorial's recipe, for the set is small. */
const RECIPE = {
  imageSize: 64,
  epochs: 40,
  batchSize: 8,
  accumulate: 1,
  learningRate: 0.003,
  dropout: 0.2,
  patience: 20,
};

/** Adds the command. */
export function addDemo(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('demo')
    .summary('the whole job on made-up slices')
    .description(
      'Trains a small VGG with batch norm, evaluates it on the test split and writes a run folder with a report.',
    );
  withOutput(
    withDevice(withClasses(withData(command))),
    'write every event, the evaluation, and the result last, as lines of JSON to standard output',
  )
    .option('--out <dir>', 'run folder (default: the first free one of runs/demo, runs/demo-2, ...)')
    .option('--overwrite', 'replace an earlier run in that folder')
    .option('--phantoms <dir>', 'where the made-up slices go', 'phantoms')
    .option('--count <n>', 'how many of them', number, 240)
    .option('--arch <name>', 'architecture', 'tiny')
    .option('--epochs <n>', `at most this many epochs (default: ${RECIPE.epochs})`, number)
    .option('--image-size <px>', `side of the square the network sees (default: ${RECIPE.imageSize})`, number)
    .option('--seed <n>', 'seed of everything random (default: 0)', number)
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => demo(flags, io)));
}

async function demo(flags: Flags, io: Io): Promise<number> {
  const out = flags.out ?? (await firstFree('runs/demo'));
  await assertRunFolderFree(out, flags.overwrite === true);
  const dir = await dataOf(flags, io);
  const opening = dataOptionsOf(flags);
  const data = await openData(dir, opening, io, flags);
  const split = heldOut(data);
  if (split !== 'test')
    note(
      io,
      flags,
      `${data.name} has no test split: the validation split, which chooses the weights, is evaluated instead`,
    );
  const { seed, epochs, imageSize, overwrite } = flags;
  const { options } = await gatherTrainOptions(
    undefined,
    {
      data: dir,
      out,
      architecture: flags.arch,
      ...deviceFlags(flags),
      seed,
      epochs,
      imageSize,
      overwrite,
    },
    RECIPE,
  );
  const history = await trainOn(data, options, flags, io);
  const aborted = history.stop.reason === 'aborted';
  if (!aborted)
    await evaluateRun(
      {
        model: out,
        data: dir,
        split,
        json: flags.json,
        quiet: flags.quiet,
        ...deviceFlags(flags),
        opening,
      },
      io,
      { type: 'evaluation' },
    );
  if (flags.json === true) printJson(io, resultOf(history));
  else if (history.epochs.length > 0)
    print(io, ['', `Look at ${out}/report.html, or run: tensorboard --logdir ${out}/tensorboard`]);
  return aborted ? io.interruptedCode() : EXIT.ok;
}

/** The split to be evaluated. Refused before the training where there is none. */
function heldOut(data: DatasetSplits): 'test' | 'validation' {
  if (data.test !== null) return 'test';
  if (data.validation !== null) return 'validation';
  throw new DatasetError(
    `${data.name}: expected a test or validation split to evaluate; it has images for training ` +
      'alone. Put some of them into a test folder, or hold some out with --test-split 0.2',
  );
}

async function dataOf(flags: Flags, io: Io): Promise<string> {
  const named = flags.data ?? dataOfEnvironment(io);
  if (named !== undefined && named !== '') return named;
  const { dir, counts, written } = await makePhantoms(flags.phantoms, {
    count: flags.count,
    seed: flags.seed,
    size: 128,
    signal: io.signal,
  });
  note(
    io,
    flags,
    `${written ? 'drew' : 'found'} ${counts.train + counts.validation + counts.test} made-up ` +
      `slices in ${dir}: no patient is behind them`,
  );
  return dir;
}

async function firstFree(base: string): Promise<string> {
  for (let index = 1; ; index += 1) {
    const dir = index === 1 ? base : `${base}-${index}`;
    if (
      await access(dir).then(
        () => false,
        () => true,
      )
    )
      return dir;
  }
}

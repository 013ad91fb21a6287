/** `covidct evaluate`: the figures of a trained model on one split. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { Classifier, DatasetError, evaluate, INTENDED_USE, RunFolder } from '../index';
import type { Dataset, DatasetSplits, Evaluation, SplitName } from '../index';
import { EXIT } from './exit-codes';
import { dataFolder, number, withBadFile, withData, withDevice, withOutput } from './flags';
import { print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';
import { addToReport } from './run-report';
import { openData } from './train';
import { evaluationText } from './words';

/** Flags of the command. */
export interface EvaluateFlags extends OutputFlags {
  readonly model: string;
  readonly data?: string;
  readonly split: SplitName;
  readonly which?: 'best' | 'last';
  readonly batchSize?: number;
  readonly threshold?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly onBadFile?: 'error' | 'skip';
}

const EXAMPLES = `
Examples:
  $ covidct evaluate --model runs/first --data COVID-CT
  $ covidct evaluate --model runs/first --data COVID-CT --split validation --json

Of a run folder, metrics.json, the pictures and report.html are brought up to date. Look at the test split once, at the
very end: whatever is chosen by looking at it, its figures no longer tell how the model does on new images.`;

/** Adds the command. */
export function addEvaluate(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program.command('evaluate').summary('figures of a trained model on a split').description('Evaluates a trained model on one split of a data set.');
  withOutput(withBadFile(withDevice(withData(command))), 'write one JSON object to standard output')
    .requiredOption('--model <dir>', 'run folder or model folder')
    .addOption(new Option('--split <name>', 'which split').choices(['train', 'validation', 'test']).default('test'))
    .addOption(new Option('--which <weights>', 'which weights of a run (default: best)').choices(['best', 'last']))
    .option('--batch-size <n>', 'images in one forward pass (default: 8)', number)
    .option('--threshold <t>', 'a probability of the last class at or above this is positive (default: the one stored with the model)', number)
    .addHelpText('after', EXAMPLES)
    .action((flags: EvaluateFlags) => run(async (io) => {
      await evaluateRun(flags, io);
      return EXIT.ok;
    }));
}

/** Evaluates, prints, and brings the run folder up to date. */
export async function evaluateRun(flags: EvaluateFlags, io: Io): Promise<Evaluation> {
  const data = await openData(dataFolder(io, flags.data), io, flags);
  const split = splitOf(data, flags.split);
  const model = await Classifier.load(flags.model, { device: flags.device, threads: flags.threads, which: flags.which });
  try {
    const threshold = model.classes.length === 2 ? (flags.threshold ?? model.threshold) : undefined;
    const evaluation = await evaluateSplit(model, split, { ...flags, threshold }, io);
    if (flags.json === true) printJson(io, { ...evaluation, intendedUse: INTENDED_USE });
    else print(io, evaluationText(evaluation));
    const folder = await RunFolder.open(flags.model).catch(() => null);
    if (folder !== null && (flags.which ?? 'best') === 'best') await addToReport({ folder, model, dataset: split, evaluation, flags, io });
    return evaluation;
  } finally {
    model.dispose();
  }
}

async function evaluateSplit(model: Classifier, split: Dataset, flags: EvaluateFlags, io: Io): Promise<Evaluation> {
  const line = progressLine(io, flags);
  try {
    const { batchSize, threshold, onBadFile } = flags;
    return await evaluate(model, split, { split: flags.split, transform: model.transform, batchSize, threshold, onBadFile, signal: io.signal, onProgress: (done, total) => line.show(`${split.name}: ${done} of ${total} images`) });
  } finally {
    line.clear();
  }
}

function splitOf(data: DatasetSplits, name: SplitName): Dataset {
  const split = data[name];
  if (split !== null) return split;
  throw new DatasetError(`${data.name}: expected a ${name} split; it has ${(['train', 'validation', 'test'] as const).filter((each) => data[each] !== null).join(' and ')}`);
}

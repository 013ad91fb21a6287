/** `covidct predict`: what a trained model says of images. */
import type { Command } from 'commander';
import { BadImageError, Classifier } from '../index';
import type { Convolution, ImageSource, Precision, Prediction } from '../index';
import { checkOptions } from '../options/check';
import { predictOptionsSchema } from '../options/model';
import { EXIT } from './exit-codes';
import { number, withBadFile, withDevice, withOutput } from './flags';
import { note, noteLeftOut, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { imageFiles, nameOf } from './sources';
import { percent } from './words';

interface Flags extends OutputFlags {
  readonly model: string;
  readonly batchSize?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly precision?: Precision;
  readonly convolution?: Convolution;
  readonly onBadFile?: 'error' | 'skip';
}

const EXAMPLES = `
Examples:
  $ covidct predict --model runs/first slice.png
  $ covidct predict --model runs/first --json scans/ > answers.jsonl

A folder stands for the images in it. For research and education, not for diagnosis.`;

/** Adds the command. */
export function addPredict(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program.command('predict').summary('what a trained model says of images').description('Classifies images.').argument('<path...>', 'image files, or folders of images');
  withOutput(withBadFile(withDevice(command)), 'write one JSON object a line for each image: path, label, probabilities')
    .requiredOption('--model <dir>', 'run folder or model folder')
    .option('--batch-size <n>', 'images in one forward pass (default: 8)', number)
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Flags) => run((io) => predict(paths, flags, io)));
}

async function predict(paths: readonly string[], flags: Flags, io: Io): Promise<number> {
  const { batchSize: size } = checkOptions(predictOptionsSchema, { batchSize: flags.batchSize }, 'covidct predict');
  const { files, leftOut } = await imageFiles(paths);
  noteLeftOut(io, '', leftOut);
  const model = await Classifier.load(flags.model, { device: flags.device, threads: flags.threads, precision: flags.precision, convolution: flags.convolution });
  try {
    let left = 0;
    for (let at = 0; at < files.length; at += size) {
      for (const answer of await answersFor(model, files.slice(at, at + size), flags, io)) {
        if ('error' in answer) left += 1;
        if (flags.json === true) printJson(io, answer);
        else print(io, inWords(answer));
      }
    }
    if (left > 0) note(io, {}, `${left} of ${files.length} files could not be decoded`);
    else if (flags.json !== true) note(io, flags, 'For research and education, not for diagnosis.');
    return EXIT.ok;
  } finally {
    model.dispose();
  }
}

type Answer = Prediction | { readonly path: string; readonly error: string };

/** With `--on-bad-file skip`, a file that cannot be decoded is answered with its error and the others go on. */
async function answersFor(model: Classifier, files: readonly ImageSource[], flags: Flags, io: Io): Promise<Answer[]> {
  try {
    return await model.predict(files, { batchSize: files.length, signal: io.signal });
  } catch (error) {
    if (!(error instanceof BadImageError) || flags.onBadFile !== 'skip') throw error;
    const [file] = files;
    if (files.length === 1 && file !== undefined) return [{ path: nameOf(file), error: error.reason }];
    const answers: Answer[] = [];
    for (const each of files) answers.push(...(await answersFor(model, [each], flags, io)));
    return answers;
  }
}

function inWords(answer: Answer): string {
  if ('error' in answer) return `${answer.path}: left out: ${answer.error}`;
  const probabilities = Object.entries(answer.probabilities).map(([name, value]) => `${name} ${percent(value)}`);
  return `${answer.path}: ${answer.label} (${probabilities.join(', ')})`;
}

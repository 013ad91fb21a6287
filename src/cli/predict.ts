/** `covidct predict`: what a trained model says of images. */
import type { Command } from 'commander';
import { BadImageError } from '../index';
import type { Classifier, Prediction } from '../index';
import { checkOptions } from '../options/check';
import { predictOptionsSchema } from '../model/options';
import { csvPath, probabilityColumns } from './csv';
import { EXIT } from './exit-codes';
import { imageFlags, number, withModelAndImages } from './flags';
import type { ImageFlags } from './flags';
import { loadModel } from './load-model';
import type { ModelFlags } from './load-model';
import { note, noteLeftOut, print, printCsv, printJson, progressLine } from './io';
import type { Io } from './io';
import { givenImages, inGroups, SOURCES_HELP, whyMissing } from './sources';
import type { GivenImage } from './sources';
import { percent } from './format/format';

interface Flags extends ModelFlags, ImageFlags {
  readonly batchSize?: number;
}

const EXAMPLES = `
Examples:
  $ covidct predict --model runs/first slice.png
  $ covidct predict --model runs/first --json scans/ > predictions.jsonl
  $ find /archive -name '*.png' -print0 | covidct predict --model runs/first --csv @- > predictions.csv
  $ curl -s https://example.org/slice.png | covidct predict --model runs/first -
${SOURCES_HELP}
In CSV a cell that a spreadsheet would compute has an apostrophe in front, a path of that kind ./ instead.
For research and education, not for diagnosis.`;

/** Adds the command. */
export function addPredict(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('predict')
    .summary('what a trained model says of images')
    .description('Classifies images.');
  withModelAndImages(command, {
    json: 'write one JSON object per line for each image: path, label, probabilities',
    csv: 'write CSV: path, label, one probability per class, error',
  })
    .option('--batch-size <n>', 'images in one forward pass (default: 8)', number)
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Flags) => run((io) => predict(paths, flags, io)));
}

async function predict(paths: readonly string[], flags: Flags, io: Io): Promise<number> {
  const { batchSize } = checkOptions(predictOptionsSchema, { batchSize: flags.batchSize }, 'covidct predict');
  const given = await givenImages(paths, io);
  const model = await loadModel(flags, io);
  // On the same terminal the results themselves show how far it is.
  const line = progressLine(io, { quiet: flags.quiet === true || io.stdout.isTTY === true });
  let [done, left] = [0, 0];
  try {
    if (flags.csv === true) printCsv(io, ['path', 'label', ...probabilityColumns(model.classes), 'error']);
    for await (const group of inGroups(
      given.images((leftOut) => {
        line.clear();
        noteLeftOut(io, '', leftOut);
      }),
      batchSize,
    )) {
      for (const result of await resultsFor(model, group, flags, io)) {
        if ('error' in result) left += 1;
        tell(io, flags, model, result);
      }
      done += group.length;
      line.show(
        `${done}${given.total === null ? '' : ` of ${given.total}`} images`,
        given.total === null ? undefined : done / given.total,
      );
    }
  } finally {
    line.clear();
    model.dispose();
  }
  if (left > 0) note(io, {}, `${left} of ${done} files could not be decoded`);
  else if (flags.json !== true) note(io, flags, 'For research and education, not for diagnosis.');
  return EXIT.ok;
}

type Result =
  (Omit<Prediction, 'path'> & { readonly path: string }) | { readonly path: string; readonly error: string };

/** With `--on-bad-file skip`, a file that cannot be decoded has its error as result and the others go on. */
async function resultsFor(model: Classifier, group: readonly GivenImage[], flags: Flags, io: Io): Promise<Result[]> {
  const images = group.flatMap((each) => ('source' in each ? [each] : []));
  try {
    const results =
      images.length === 0
        ? []
        : await model.predict(
            images.map(({ source }) => source),
            { batchSize: images.length, ...imageFlags(flags), signal: io.signal },
          );
    const rest = results.values();
    return group.map((each) =>
      'source' in each ? { ...rest.next().value!, path: each.name } : whyMissing(each, flags.onBadFile),
    );
  } catch (error) {
    if (!(error instanceof BadImageError) || flags.onBadFile !== 'skip') throw error;
    const [only] = group;
    if (group.length === 1 && only !== undefined) return [{ path: only.name, error: error.reason }];
    const results: Result[] = [];
    for (const each of group) results.push(...(await resultsFor(model, [each], flags, io)));
    return results;
  }
}

function tell(io: Io, flags: Flags, { classes }: Classifier, result: Result): void {
  if (flags.json === true) return printJson(io, result);
  if (flags.csv !== true) return print(io, inWords(result));
  if ('error' in result) printCsv(io, [csvPath(result.path), null, ...classes.map(() => null), result.error]);
  else printCsv(io, [csvPath(result.path), result.label, ...classes.map((name) => result.probabilities[name]!), null]);
}

function inWords(result: Result): string {
  if ('error' in result) return `${result.path}: left out: ${result.error}`;
  const probabilities = Object.entries(result.probabilities).map(([name, value]) => `${name} ${percent(value)}`);
  return `${result.path}: ${result.label} (${probabilities.join(', ')})`;
}

/** Flags that say what a data set holds: its classes, the columns of a table, what is to be held out. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { OpenDatasetOptions } from '../index';
import { names, number } from './flags';

/** What is said of a data set, by the names of the options. */
export type DataOptions = Pick<OpenDatasetOptions, (typeof DATA_OPTIONS)[number]>;

/** Every option of the kind. */
export const DATA_OPTIONS = [
  'classes',
  'positive',
  'pathColumn',
  'labelColumn',
  'splitColumn',
  'groupColumn',
  'root',
  'delimiter',
  'groupPattern',
  'validationSplit',
  'testSplit',
  'splitSeed',
] as const;

/** The same as commander names the flags. */
export interface DataFlags extends Omit<DataOptions, 'validationSplit'> {
  readonly valSplit?: number;
}

/** A regular expression. */
function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw new InvalidArgumentError(
      `expected a regular expression: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** One character; a tab by its name. */
function delimiter(text: string): string {
  const one = text === 'tab' || text === '\\t' ? '\t' : text;
  if (one.length !== 1) throw new InvalidArgumentError('expected one character, or tab');
  return one;
}

/** --data, with COVIDCT_DATA in its place, and the columns of a table. */
export function withData(command: Command): Command {
  return command
    .option(
      '--data <path>',
      'data set: the COVID-CT layout, a folder of classes, a table (.csv, ' +
        '.tsv), or a file of covidct prepare (default: $COVIDCT_DATA)',
    )
    .option(
      '--path-column <name>',
      'of a table: column of the image paths (default: the one whose name leaves no doubt)',
    )
    .option('--label-column <name>', 'of a table: column of the classes (default: the same)')
    .option(
      '--split-column <name>',
      'of a table: column that says train, val or test (default: the same; without one all rows are for training)',
    )
    .option(
      '--group-column <name>',
      'of a table: column of what belongs together, e.g. the patient (default: the same)',
    )
    .option('--root <dir>', 'of a table: folder the paths are relative to (default: its own)')
    .option('--delimiter <sign>', 'of a table: sign between the columns, or tab (default: found out)', delimiter)
    .option(
      '--group-pattern <regex>',
      'of a folder: finds in the path of an image what belongs together, e.g. "(patient\\d+)"',
      pattern,
    )
    .option(
      '--val-split <share>',
      'share of the training images to hold out for validation, where there ' +
        'is no such split: by class, and whole groups where they are known',
      number,
    )
    .option('--test-split <share>', 'the same for a test split', number)
    .option('--split-seed <n>', 'seed of what is held out (default: 0)', number);
}

/** --classes and --positive. */
export function withClasses(command: Command): Command {
  return command
    .option(
      '--classes <names>',
      'class names in the order of their indices, the positive one last, e.g. NonCOVID,COVID (default: ' +
        "COVID-CT's own, or those found, sorted); also allows names that are refused otherwise",
      names,
    )
    .option('--positive <name>', 'of two classes the one that counts as positive');
}

/** The flags under the options' names; what was not given is left out. */
export function dataOptionsOf({ valSplit, ...flags }: DataFlags): DataOptions {
  const given: Record<string, unknown> = { ...flags, validationSplit: valSplit };
  return Object.fromEntries(DATA_OPTIONS.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
}

/** Options of a command in two: what is said of the data, and the rest. */
export function partOptions<T extends Record<string, unknown>>(
  options: T,
): { data: DataOptions; rest: Omit<T, (typeof DATA_OPTIONS)[number]> } {
  const isData = (name: string): boolean => (DATA_OPTIONS as readonly string[]).includes(name);
  const entries = Object.entries(options);
  return {
    data: Object.fromEntries(entries.filter(([name, value]) => isData(name) && value !== undefined)),
    rest: Object.fromEntries(entries.filter(([name]) => !isData(name))) as Omit<T, (typeof DATA_OPTIONS)[number]>,
  };
}

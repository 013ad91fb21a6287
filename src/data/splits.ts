/** Helpers shared by the readers: naming the splits, counting classes, and reporting every fault of a list at once. */
import { DatasetError } from '../errors';
import { datasetSchema } from './schemas';
import { checkArgument } from '../options/check';
import { mergeLeftOut } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import type { Dataset, DatasetSplits, Sample } from './types';

/** The three parts of a data set. */
export type SplitName = 'train' | 'validation' | 'test';
export const SPLIT_NAMES: readonly SplitName[] = ['train', 'validation', 'test'];

/** Spellings of the splits that folders, tables and command lines use. */
const SPELLINGS: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  test: 'test',
};

/** Returns the split for a spelling, ignoring case; undefined for an unknown one. */
export function parseSplitName(text: string): SplitName | undefined {
  const key = text.trim().toLowerCase();
  return Object.hasOwn(SPELLINGS, key) ? SPELLINGS[key] : undefined;
}

/** The files left out of each split. */
export type LeftOutBySplit = Readonly<Partial<Record<SplitName, readonly LeftOut[]>>>;

const MOST_LINES = 200;

/** Throws a DatasetError with one line per problem, if there are any. */
export function throwProblems(headline: string, problems: readonly string[], advice: string): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, MOST_LINES).map((line) => `  ${line}`);
  if (problems.length > MOST_LINES) shown.push(`  ... and ${problems.length - MOST_LINES} more`);
  throw new DatasetError([
    `${headline}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
    ...shown,
    advice,
  ]);
}

/** Counts the images of each class. Throws DatasetError for a label that is not a class index. */
export function countClasses(dataset: Dataset): Readonly<Record<string, number>> {
  checkArgument(datasetSchema, dataset, 'countClasses', 'dataset');
  const counts = dataset.classes.map(() => 0);
  for (const { id, label } of dataset.samples) {
    if (counts[label] === undefined)
      throw new DatasetError(`${dataset.name}: expected a label from 0 to ${counts.length - 1}; ${id} has ${label}`);
    counts[label] += 1;
  }
  return Object.fromEntries(dataset.classes.map((name, label) => [name, counts[label]!]));
}

/**
 * Creates the splits from a list of samples for each; an undefined list becomes null.
 *
 * @param leftOut files that each split's reader left out
 */
export function makeSplits(
  name: string,
  classes: readonly string[],
  samples: Readonly<Record<SplitName, readonly Sample[] | undefined>>,
  leftOut: LeftOutBySplit = {},
): DatasetSplits & { readonly leftOut: readonly LeftOut[] } {
  const part = (split: SplitName): Dataset | null => {
    const list = samples[split];
    if (list === undefined) return null;
    const left = leftOut[split] ?? [];
    return Object.freeze({
      name: `${name} ${split}`,
      classes,
      samples: list,
      ...(left.length === 0 ? {} : { leftOut: left }),
    });
  };
  const train = part('train') ?? { name: `${name} train`, classes, samples: [] };
  const all = mergeLeftOut(...SPLIT_NAMES.map((split) => leftOut[split]));
  return { name, classes, train, validation: part('validation'), test: part('test'), leftOut: all };
}

/** Sorts class names in natural order, so that "10" comes after "9". */
export function sortedClasses(names: Iterable<string>): string[] {
  const list = [...new Set(names)];
  const numeric = list.every((name) => /^\d+$/.test(name));
  return numeric ? list.sort((a, b) => Number(a) - Number(b)) : list.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

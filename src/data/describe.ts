/** Describes a data set in one line: classes, counts, the positive class, and what was assumed. */
import { splitsSchema } from './schemas';
import { checkArgument } from '../options/check';
import { groupNotes } from './groups';
import { countClasses, SPLIT_NAMES } from './splits';
import type { Dataset, DatasetSplits } from './types';

function countsText(dataset: Dataset): string {
  const counts = Object.entries(countClasses(dataset));
  return `${dataset.samples.length} (${counts.map(([name, count]) => `${name} ${count}`).join(', ')})`;
}

/**
 * Describes what was opened: the classes in the order of their indices, the positive one of two, the images of each
 * class in each split, classes without images, and what the reader assumed. Files that it left out are in `leftOut`.
 *
 * @example
 * `scans: classes healthy, ill (positive); train 90 (healthy 50, ill 40), no validation split, no test split`
 */
export function describeDataset(data: DatasetSplits): string {
  const { name, classes } = checkArgument(splitsSchema, data, 'describeDataset', 'data');
  const order = classes
    .map((each, index) => (classes.length === 2 && index === 1 ? `${each} (positive)` : each))
    .join(', ');
  const there = SPLIT_NAMES.map((split) => [split, data[split] ?? null] as const);
  const parts = there.map(([split, part]) => (part === null ? `no ${split} split` : `${split} ${countsText(part)}`));
  const empty = there.flatMap(([split, part]) =>
    part === null
      ? []
      : Object.entries(countClasses(part)).flatMap(([each, count]) =>
          count === 0 ? [`${split} has no image of ${each}`] : [],
        ),
  );
  const groups = groupNotes(
    there.flatMap(([split, part]) => (part === null ? [] : [{ name: split, samples: part.samples }])),
  );
  return [
    `${name}: ${classes.length === 1 ? 'one class only, ' : 'classes '}${order}`,
    parts.join(', '),
    ...empty,
    ...(data.notes ?? []),
    ...groups,
  ].join('; ');
}

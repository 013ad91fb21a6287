/** Holds out a validation or test split from the training images of a data set that has none. */
import { DatasetError } from '../errors';
import { splitsSchema } from './schemas';
import { checkArgument, checkOptions } from '../options/check';
import { splitDataset } from './samples';
import { makeSplits } from './splits';
import type { DatasetSplits } from './types';
import { z } from 'zod';
import { seedSchema } from '../options/atoms';

/** A share in (0, 1). */
export const shareSchema = z.number().gt(0).lt(1);

export const holdOutOptionsSchema = z
  .strictObject({ validation: shareSchema.optional(), test: shareSchema.optional(), seed: seedSchema.default(0) })
  .refine(
    ({ validation = 0, test = 0 }) => validation + test < 1,
    'validation and test together must leave images for training',
  );
export type HoldOutOptions = z.input<typeof holdOutOptionsSchema>;

/**
 * Holds out some of the training images as a validation or test split: stratified by class, by whole groups
 * (`Sample.group`) if they are known, and reproducibly by seed. `notes` says what was held out.
 *
 * @param options
 *   - `validation`: share of the training images, in (0, 1); default: none
 *   - `test`: the same for a test split
 *   - `seed`: seed of the selection; default 0
 * @throws DatasetError when the data set has that split already, or too few images (or groups) for it or for the rest
 * @example
 * ```ts
 * import { holdOut, openFolder } from 'covidct-torch';
 *
 * const data = await openFolder('scans');
 * const { train, validation, test } = holdOut(data, { validation: 0.15, test: 0.15, seed: 1 });
 * console.log(train.samples.length, validation?.samples.length, test?.samples.length);
 * ```
 */
export function holdOut(data: DatasetSplits, options: HoldOutOptions): DatasetSplits {
  const { validation = 0, test = 0, seed } = checkOptions(holdOutOptionsSchema, options, 'holdOut');
  checkArgument(splitsSchema, data, 'holdOut', 'data');
  if (validation === 0 && test === 0) return data;
  for (const [name, share] of [
    ['validation', validation],
    ['test', test],
  ] as const) {
    if (share > 0 && data[name] !== null)
      throw new DatasetError(
        `${data.name}: it has a ${name} split already, with ${data[name].samples.length} images; ` +
          `leave ${name === 'validation' ? 'validationSplit (--val-split)' : 'testSplit (--test-split)'} out`,
      );
  }
  const { samples } = data.train;
  const groups = new Set(samples.flatMap(({ group }) => (group === undefined ? [] : [group])));
  const alone = samples.find(({ group }) => group === undefined);
  if (groups.size > 0 && alone !== undefined) {
    throw new DatasetError(
      `${data.name}: some images have a group and others none, e.g. ${alone.id}, so that images of one ` +
        'patient could land on both sides; give every image its ' +
        'group, or leave the column of the groups out of the table',
    );
  }
  const parts = splitDataset(data.train, { fractions: { train: 1 - validation - test, validation, test }, seed });
  for (const name of ['train', 'validation', 'test'] as const) {
    if (parts[name] !== null && parts[name].samples.length === 0)
      throw new DatasetError(
        `${data.name}: too few images for a ${name} split: there ` +
          `are ${samples.length}${groups.size > 0 ? ` in ${groups.size} groups` : ''}; ` +
          'give other shares (--val-split, --test-split)',
      );
  }
  const left = new Set(parts.train.samples.map(({ label }) => label));
  const lost = data.classes.filter((_, label) => !left.has(label) && samples.some((sample) => sample.label === label));
  if (lost.length > 0)
    throw new DatasetError(
      `${data.name}: too few ${groups.size > 0 ? 'groups' : 'images'} of ${lost.join(', ')}: ` +
        'none would be left for training; give other shares (--val-split, --test-split)',
    );
  const shares = [
    ...(validation > 0 ? [`${validation} for validation`] : []),
    ...(test > 0 ? [`${test} for test`] : []),
  ].join(', ');
  const note =
    `held out of the training images: ${shares}, by ` +
    `class, ${groups.size > 0 ? 'whole groups' : 'each image by itself, for no groups (patients) are known'}, ` +
    `seed ${seed}`;
  const split = makeSplits(
    data.name,
    data.classes,
    {
      train: parts.train.samples,
      validation: parts.validation?.samples ?? data.validation?.samples,
      test: parts.test?.samples ?? data.test?.samples,
    },
    { train: data.train.leftOut ?? [], validation: data.validation?.leftOut ?? [], test: data.test?.leftOut ?? [] },
  );
  return { ...split, notes: [...(data.notes ?? []), note] };
}

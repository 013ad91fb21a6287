/** Creates a data set from a list of paths or images in memory, and splits a data set into parts. */
import path from 'node:path';
import { datasetSchema } from './schemas';
import { checkArgument, checkOptions } from '../options/check';
import { splitGroups } from './group-split';
import { toLastingSource } from './images/source';
import { makeDraw, shuffleInPlace, STREAM } from './random';
import { makeSplits, SPLIT_NAMES, throwProblems } from './splits';
import type { SplitName } from './splits';
import type { Dataset, DatasetSplits, Sample } from './types';
import { z } from 'zod';
import { seedSchema } from '../options/atoms';
import { classListSchema } from './classes';
import type { ImageInput } from './images/source';

export const samplesOptionsSchema = z.strictObject({
  name: z.string().min(1).default('samples'),
  classes: classListSchema,
  samples: z.array(
    z.strictObject({
      /** Validated when it is converted to a source. */
      source: z.custom<ImageInput>(
        (value) => value !== undefined && value !== null,
        'expected a path, a file: URL, bytes, a Blob or pixels',
      ),
      label: z.union([z.int().min(0), z.string().min(1)]),
      id: z.string().min(1).optional(),
      /** Group, e.g. the patient, that `splitDataset` keeps in one part. */
      group: z.string().min(1).optional(),
    }),
  ),
});
export type SamplesOptions = z.input<typeof samplesOptionsSchema>;

const fraction = z.number().min(0).max(1);
export const splitOptionsSchema = z.strictObject({
  /** Shares of the samples; they must sum to 1. */
  fractions: z
    .strictObject({ train: fraction, validation: fraction.default(0), test: fraction.default(0) })
    .refine(
      ({ train, validation, test }) => Math.abs(train + validation + test - 1) < 1e-9,
      'the fractions must sum to 1',
    ),
  seed: seedSchema.default(0),
  /** Keep the share of every class the same in each part. */
  stratify: z.boolean().default(true),
});
export type SplitOptions = z.input<typeof splitOptionsSchema>;

/**
 * Creates a data set from a list. The files are not read before they are decoded.
 *
 * @param options
 *   - `classes`: class names in the order of their indices
 * - `samples`: an image (a path, `file:` URL, bytes, Blob or pixels; no stream, which could be read once only), its
 *     label as index or class name, and a name for it (default: the path, or `sample-<position>` for bytes)
 * @throws DatasetError for an unknown label or a repeated id; InvalidOptionError
 * @example
 * ```ts
 * import { fromSamples } from 'covidct-torch';
 *
 * const dataset = fromSamples({
 *   classes: ['negative', 'positive'],
 *   samples: [
 *     { source: 'a.png', label: 'positive' },
 *     { source: { data: new Uint8Array(4 * 4 * 3), width: 4, height: 4 }, label: 0, id: 'black' },
 *   ],
 * });
 * console.log(dataset.samples.length); // 2
 * ```
 */
export function fromSamples(options: SamplesOptions): Dataset {
  const { name, classes, samples } = checkOptions(samplesOptionsSchema, options, 'fromSamples');
  const problems: string[] = [];
  const ids = new Set<string>();
  const made = samples.map(({ source: input, label, id, group }, index): Sample => {
    const source = toLastingSource(input, 'fromSamples', `samples[${index}].source`);
    const known = typeof label === 'number' ? label : classes.indexOf(label);
    const unique = id ?? (typeof source === 'string' ? source : `sample-${index}`);
    if (known < 0 || known >= classes.length)
      problems.push(
        `samples[${index}]: the label ${JSON.stringify(label)} is ` +
          `not one of ${classes.map((c, i) => `${i} ${c}`).join(', ')}`,
      );
    if (ids.has(unique)) problems.push(`samples[${index}]: the id "${unique}" is taken; give each sample its own id`);
    ids.add(unique);
    return Object.freeze({
      id: unique,
      source: typeof source === 'string' ? path.resolve(source) : source,
      label: known,
      origin: `${name}[${index}]`,
      ...(group === undefined ? {} : { group }),
    });
  });
  throwProblems(name, problems, 'Correct the list.');
  return Object.freeze({ name, classes: Object.freeze([...classes]), samples: Object.freeze(made) });
}

/** Returns integers that sum to n in the proportion of the fractions (largest remainder method). */
function shares(n: number, fractions: readonly number[]): number[] {
  const exact = fractions.map((fraction) => fraction * n);
  const whole = exact.map(Math.floor);
  const order = exact.map((_, index) => index).sort((a, b) => exact[b]! - whole[b]! - (exact[a]! - whole[a]!) || a - b);
  let left = n - whole.reduce((sum, value) => sum + value, 0);
  for (const index of order) {
    if (left <= 0) break;
    whole[index]! += 1;
    left -= 1;
  }
  return whole;
}

/** Returns the positions for each part, class by class. */
function splitByClass(dataset: Dataset, fractions: readonly number[], seed: number, stratify: boolean): number[][] {
  const all = [...dataset.samples.keys()];
  const strata = stratify
    ? dataset.classes.map((_, label) => all.filter((index) => dataset.samples[index]!.label === label))
    : [all];
  const picked: number[][] = fractions.map(() => []);
  strata.forEach((stratum, number) => {
    shuffleInPlace(stratum, makeDraw({ seed, sample: number, stream: STREAM.split }));
    let from = 0;
    shares(stratum.length, fractions).forEach((count, part) => {
      for (const index of stratum.slice(from, from + count)) picked[part]!.push(index);
      from += count;
    });
  });
  return picked;
}

/**
 * Splits a data set randomly into parts; each part keeps the order of the original.
 *
 * If samples have a `group`, e.g. the patient, each group stays in one part, and the shares are met as closely as the
 * groups allow. Without groups, slices of one patient may be in two parts.
 *
 * @param options
 *   - `fractions`: shares of train, validation and test, which sum to 1; a part with share 0 is null
 *   - `seed`: seed of the split; default 0
 *   - `stratify`: whether each class is split in the same shares; default true
 * @example
 * ```ts
 * import { openFolder, splitDataset } from 'covidct-torch';
 *
 * const { train: all } = await openFolder('scans');
 * const parts = splitDataset(all, { fractions: { train: 0.7, validation: 0.15, test: 0.15 }, seed: 1 });
 * console.log(parts.train.samples.length, parts.test?.samples.length);
 * ```
 */
export function splitDataset(dataset: Dataset, options: SplitOptions): DatasetSplits {
  const { fractions, seed, stratify } = checkOptions(splitOptionsSchema, options, 'splitDataset');
  checkArgument(datasetSchema, dataset, 'splitDataset', 'dataset');
  const wanted = SPLIT_NAMES.map((split) => fractions[split]);
  const picked = dataset.samples.some(({ group }) => group !== undefined)
    ? splitGroups(dataset.samples, dataset.classes.length, wanted, makeDraw({ seed, stream: STREAM.split }), stratify)
    : splitByClass(dataset, wanted, seed, stratify);
  const part = (split: SplitName): Sample[] | undefined =>
    fractions[split] === 0
      ? undefined
      : picked[SPLIT_NAMES.indexOf(split)]!.sort((a, b) => a - b).map((index) => dataset.samples[index]!);
  const leftOut = { train: dataset.leftOut ?? [] };
  return makeSplits(
    dataset.name,
    dataset.classes,
    { train: part('train'), validation: part('validation'), test: part('test') },
    leftOut,
  );
}

/** Opens a data set of any known layout: COVID-CT, a folder of classes, a table, or a packed file. */
import { stat } from 'node:fs/promises';
import { DatasetError, InvalidOptionError } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { COVID_CT_CLASSES, CovidCtDataset, isCovidCt } from './covid-ct';
import { openCsv } from './csv';
import { openFolder } from './folder';
import { holdOut } from './hold-out';
import { isPacked, PackedDataset } from './packed/packed';
import type { DatasetSplits } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { callbackSchema, seedSchema } from '../options/atoms';
import { classChoice } from './classes';
import { tableShape } from './csv';
import { folderOptionsSchema } from './folder';
import { shareSchema } from './hold-out';
import type { UnpackProgress } from './archive';

/** The options for opening a data set, in the library and on the command line. */
export const dataShape = {
  ...classChoice,
  ...tableShape,
  /** Share of the training images to hold out for validation, in (0, 1), if there is no such split. */
  validationSplit: shareSchema.optional(),
  /** The same for a test split. */
  testSplit: shareSchema.optional(),
  /** Seed of the held-out selection; default 0. */
  splitSeed: seedSchema.optional(),
};

export const openDatasetOptionsSchema = z
  .strictObject({
    ...dataShape,
    groupPattern: folderOptionsSchema.shape.groupPattern,
    /** In the COVID-CT layout, the folder of the split lists; default `Data-split`. */
    split: z.string().min(1).optional(),
    onProgress: callbackSchema<(progress: UnpackProgress) => void>().optional(),
    signal: signalSchema,
  })
  .refine(
    ({ validationSplit = 0, testSplit = 0 }) => validationSplit + testSplit < 1,
    'validationSplit and testSplit together must leave images for training',
  );
/** Options of `openDataset`. */
export type OpenDatasetOptions = z.input<typeof openDatasetOptionsSchema>;

type Resolved = ReturnType<typeof checkOpenOptions>;

function checkOpenOptions(options: OpenDatasetOptions) {
  return checkOptions(openDatasetOptionsSchema, options, 'openDataset');
}

const TABLE_OPTIONS = ['pathColumn', 'labelColumn', 'splitColumn', 'groupColumn', 'root', 'delimiter'] as const;

/** Refuses options that do not apply to the layout. */
function refuse(data: string, layout: string, options: Resolved, names: readonly (keyof Resolved)[]): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  const message = `${given.join(', ')}: not for ${layout}, which ${data} is`;
  throw new InvalidOptionError(
    `openDataset: ${message}`,
    given.map((path) => ({ path, message })),
  );
}

/** Checks the requested classes against those of a layout with a fixed order. */
function checkOrder(data: string, what: string, own: readonly string[], { classes, positive }: Resolved): void {
  if (classes !== undefined && JSON.stringify(classes) !== JSON.stringify(own)) {
    throw new DatasetError(
      `${data}: expected a data set of the classes ${classes.join(', ')}; ${what} has ${own.join(', ')}, in that order`,
    );
  }
  if (positive !== undefined && (own.length !== 2 || own[1] !== positive)) {
    throw new DatasetError(
      `${data}: expected a data set whose positive class is ${positive}; ${what} has ${own.join(', ')}, ` +
        `of which ${own.length === 2 ? `${own[1]} is positive` : 'none is positive'}, in that order`,
    );
  }
}

async function openAny(data: string, options: Resolved): Promise<DatasetSplits> {
  const { classes, positive, signal, split, onProgress, groupPattern } = options;
  if ((await stat(data).catch(() => null))?.isFile()) {
    const packed = await isPacked(data);
    if (
      !packed &&
      (/\.(?:csv|tsv|tab|txt)$/i.test(data) || TABLE_OPTIONS.some((name) => options[name] !== undefined))
    ) {
      refuse(data, 'a table', options, ['split', 'groupPattern']);
      const table = Object.fromEntries(TABLE_OPTIONS.map((name) => [name, options[name]]));
      return openCsv(data, { ...table, classes, positive, signal });
    }
    refuse(data, 'a packed data set', options, [...TABLE_OPTIONS, 'split', 'groupPattern']);
    const opened = await PackedDataset.open(data, { classes });
    checkOrder(data, 'it', opened.classes, options);
    return opened;
  }
  if (!(await isCovidCt(data))) {
    refuse(data, 'a folder of classes', options, TABLE_OPTIONS);
    return openFolder(data, { classes, positive, groupPattern, signal });
  }
  refuse(data, 'the COVID-CT layout', options, [...TABLE_OPTIONS, 'groupPattern']);
  checkOrder(data, 'COVID-CT', COVID_CT_CLASSES, options);
  return CovidCtDataset.open(data, { split, onProgress, signal });
}

/**
 * Opens the COVID-CT layout (`Images-processed` and `Data-split`), a folder of classes, a table (`.csv`, `.tsv`) or a
 * packed data set (a file).
 *
 * @param data path of the folder or file
 * @param options as for `CovidCtDataset.open`, `openFolder` and `openCsv`; one that does not apply to the layout is
 *   refused. Progress is reported only for zip files that are unpacked. `classes`: class names in the order of their
 *   indices, e.g. a model's. `validationSplit`, `testSplit`: shares of the training images to hold out where there is
 *   no such split, by class and whole groups, with `splitSeed` (see `holdOut`)
 * @throws DatasetError (also when COVID-CT or a packed data set is asked for other classes than its own), CovidCtError
 *   ERR_BAD_ARCHIVE, ERR_PACKED_DATA, AbortedError, InvalidOptionError
 * @example
 * ```ts
 * import { openDataset } from 'covidct-torch';
 *
 * const { train, validation, test } = await openDataset('scans', { validationSplit: 0.2, splitSeed: 1 });
 * console.log(train.samples.length, validation?.samples.length, test);
 * ```
 */
export async function openDataset(data: string, options: OpenDatasetOptions = {}): Promise<DatasetSplits> {
  const resolved = checkOpenOptions(options);
  checkArgument(pathSchema, data, 'openDataset', 'data');
  const opened = await openAny(data, resolved);
  const { validationSplit, testSplit, splitSeed } = resolved;
  return holdOut(opened, { validation: validationSplit, test: testSplit, seed: splitSeed });
}

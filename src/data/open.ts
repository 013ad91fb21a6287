/** Opens a data set of any known layout: COVID-CT, a folder of classes, or a packed file. */
import { stat } from 'node:fs/promises';
import { DatasetError } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { openDatasetOptionsSchema } from '../options/data';
import type { CovidCtOptions, FolderOptions } from '../options/data';
import { COVID_CT_CLASSES, CovidCtDataset, isCovidCt } from './covid-ct';
import { openFolder } from './folder';
import { PackedDataset } from './packed';
import type { DatasetSplits } from './types';

/** Options of {@link openDataset}. */
export interface OpenDatasetOptions extends CovidCtOptions, Pick<FolderOptions, 'classes'> {}

/**
 * Opens the COVID-CT layout (`Images-processed` and `Data-split`), a folder of classes, or a packed data set (a file).
 *
 * @param options as for `CovidCtDataset.open`; progress is told only of zip files that are unpacked. `classes`: class
 *   names in the order of their indices, e.g. a model's; a folder's own are sorted without it
 * @throws DatasetError (also when COVID-CT or a packed data set is asked for other classes than its own), CovidCtError
 *   ERR_PACKED_DATA, AbortedError
 */
export async function openDataset(dir: string, openOptions: OpenDatasetOptions = {}): Promise<DatasetSplits> {
  checkArgument(pathSchema, dir, 'openDataset', 'dir');
  const { classes, ...options } = checkOptions(openDatasetOptionsSchema, openOptions, 'openDataset');
  if ((await stat(dir).catch(() => null))?.isFile()) return PackedDataset.open(dir, { classes });
  if (!(await isCovidCt(dir))) return openFolder(dir, { classes });
  if (classes !== undefined && JSON.stringify(classes) !== JSON.stringify(COVID_CT_CLASSES)) {
    throw new DatasetError(`${dir}: expected a data set of the classes ${classes.join(', ')}; COVID-CT has ${COVID_CT_CLASSES.join(', ')}, in that order`);
  }
  return CovidCtDataset.open(dir, options);
}

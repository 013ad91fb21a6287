/** Opens a data set of either known layout: COVID-CT, or a folder of classes. */
import { DatasetError } from '../errors';
import type { CovidCtOptions, FolderOptions } from '../options/data';
import { COVID_CT_CLASSES, CovidCtDataset, isCovidCt } from './covid-ct';
import { openFolder } from './folder';
import type { DatasetSplits } from './types';

/** Options of {@link openDataset}. */
export interface OpenDatasetOptions extends CovidCtOptions, Pick<FolderOptions, 'classes'> {}

/**
 * Opens the COVID-CT layout (`Images-processed` and `Data-split`) or a folder of classes.
 *
 * @param options as for `CovidCtDataset.open`; progress is told only of zip files that are unpacked. `classes`: class
 *   names in the order of their indices, e.g. a model's; a folder's own are sorted without it
 * @throws DatasetError (also when COVID-CT is asked for other classes than its own), CovidCtError ERR_BAD_ARCHIVE,
 *   AbortedError
 */
export async function openDataset(dir: string, { classes, ...options }: OpenDatasetOptions = {}): Promise<DatasetSplits> {
  if (!(await isCovidCt(dir))) return openFolder(dir, { classes });
  if (classes !== undefined && JSON.stringify(classes) !== JSON.stringify(COVID_CT_CLASSES)) {
    throw new DatasetError(`${dir}: expected a data set of the classes ${classes.join(', ')}; COVID-CT has ${COVID_CT_CLASSES.join(', ')}, in that order`);
  }
  return CovidCtDataset.open(dir, options);
}

/** Opens a data set of either known layout: COVID-CT, or a folder of classes. */
import type { CovidCtOptions } from '../options/data';
import { CovidCtDataset, isCovidCt } from './covid-ct';
import { openFolder } from './folder';
import type { DatasetSplits } from './types';

/**
 * Opens the COVID-CT layout (`Images-processed` and `Data-split`) or a folder of classes.
 *
 * @param options as for `CovidCtDataset.open`; progress is told only of zip files that are unpacked
 * @throws DatasetError, CovidCtError ERR_BAD_ARCHIVE, AbortedError
 */
export async function openDataset(dir: string, options: CovidCtOptions = {}): Promise<DatasetSplits> {
  if (await isCovidCt(dir)) return CovidCtDataset.open(dir, options);
  return openFolder(dir);
}

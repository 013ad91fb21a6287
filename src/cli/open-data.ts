/** Opens the data set of a command, telling how far the unpacking of its zip files is. */
import { openDataset } from '../index';
import type { DatasetSplits } from '../index';
import { progressLine } from './io';
import type { Io, OutputFlags } from './io';

/** @param classes class names in the order of their indices; the data set's own when undefined */
export async function openData(dir: string, classes: readonly string[] | undefined, io: Io, flags: OutputFlags): Promise<DatasetSplits> {
  const line = progressLine(io, flags);
  try {
    return await openDataset(dir, {
      ...(classes === undefined ? {} : { classes: [...classes] }),
      signal: io.signal,
      onProgress: ({ archive, entries, totalEntries }) => line.show(`unpacking ${archive}: ${entries} of ${totalEntries} files`, entries / totalEntries),
    });
  } finally {
    line.clear();
  }
}

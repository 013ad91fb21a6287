/** Opens the data set of a command, says what is in it, and tells how far the unpacking of its zip files is. */
import { describeDataset } from '../data/describe';
import { openDataset } from '../index';
import type { DatasetSplits } from '../index';
import type { DataOptions } from './data-flags';
import { note, noteLeftOut, progressLine } from './io';
import type { Io, OutputFlags } from './io';

/**
 * @param options what the command was told of the data
 * @param silent whether it has been said already what is in it
 */
export async function openData(
  dir: string,
  options: DataOptions,
  io: Io,
  flags: OutputFlags,
  silent = false,
): Promise<DatasetSplits> {
  const line = progressLine(io, flags);
  let data: DatasetSplits;
  try {
    data = await openDataset(dir, {
      ...options,
      signal: io.signal,
      onProgress: ({ archive, entries, totalEntries }) =>
        line.show(`unpacking ${archive}: ${entries} of ${totalEntries} files`, entries / totalEntries),
    });
  } finally {
    line.clear();
  }
  if (silent) return data;
  note(io, flags, describeDataset(data));
  noteLeftOut(io, `${data.name}: `, data.leftOut ?? []);
  return data;
}

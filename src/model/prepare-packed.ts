/** Packs a data set into one file; the resize, where one is asked for, is the addon's own. */
import { DatasetError } from '../errors';
import { writePacked } from '../data/packed/write';
import type { PackedSummary } from '../data/packed/write';
import { packedResize, storedSixteenBit } from '../data/packed/packed-resize';
import { SPLIT_NAMES } from '../data/splits';
import type { DatasetSplits } from '../data/types';
import { packageVersion } from '../addon/package-root';
import { pathSchema } from '../options/atoms';
import { splitsSchema } from '../data/schemas';
import { checkArgument, checkOptions } from '../options/check';
import { prepareOptionsSchema } from '../data/packed/prepare-options';
import type { PrepareOptions } from '../data/packed/prepare-options';
import { Resizer } from './resizer';

/**
 * Decodes and checks every image of a data set and writes them with splits, labels, ids and origins into one file,
 * which {@link PackedDataset.open} and `openDataset` read without decoding. The file appears whole or not at all.
 *
 * Without `resize` the pixels are those of the originals, byte for byte, and a training gives the same numbers. With it
 * every image is stored as the transform step `resize(N)` leaves it, which needs LibTorch: a training then has that
 * step in front of its transforms, and stores it with the model.
 *
 * @param data any data set with splits, e.g. of `openDataset`
 * @param file to write, e.g. `covid-ct.pack`
 * @param options
 *   - `resize`: pixels of the shorter side, up or down; default: as decoded
 *   - `onBadFile`: `error` (default), or `skip`: leave out what cannot be decoded, and list it in the file
 *   - `sixteenBit`: the values of 16-bit images that become 0 and 255; a training on the file stores them with
 *     the model. `options.maxPixels` and the other limits as decodeImage has them
 * @throws BadImageError; DatasetError; AbortedError; CovidCtError ERR_PACKED_DATA when it cannot be written or is there
 *   already
 * @example
 * ```ts
 * import { openDataset, preparePacked } from 'covidct-torch';
 *
 * const data = await openDataset('COVID-CT');
 * const { fingerprint, skipped } = await preparePacked(data, 'covid-ct.pack', { resize: 256, onBadFile: 'skip' });
 * console.log(fingerprint, skipped.length);
 * ```
 */
export async function preparePacked(
  data: DatasetSplits,
  file: string,
  options: PrepareOptions = {},
): Promise<PackedSummary> {
  const resolved = checkOptions(prepareOptionsSchema, options, 'preparePacked');
  checkArgument(splitsSchema, data, 'preparePacked', 'data');
  checkArgument(pathSchema, file, 'preparePacked', 'file');
  const before = packedResize(SPLIT_NAMES.flatMap((split) => data[split] ?? []));
  const resize = resolved.resize ?? before ?? undefined;
  if (before !== null && resize !== before)
    throw new DatasetError(
      `${data.name}: its images were resized to a shorter side of ${before} pixels ` +
        `already; give resize ${before} or none, or pack the originals`,
    );
  const sixteenBit = storedSixteenBit(
    SPLIT_NAMES.flatMap((split) => data[split] ?? []),
    resolved.sixteenBit,
  );
  const resizer = new Resizer();
  try {
    return await writePacked(
      data,
      file,
      { ...resolved, resize, sixteenBit },
      { resize: (pixels, size) => resizer.resize(pixels, size), writtenBy: packageVersion() },
    );
  } finally {
    resizer.dispose();
  }
}

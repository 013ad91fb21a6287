/** A data set in one file with decoded images: opened like any other data set, read image by image. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { DatasetError } from '../../errors';
import { LeftOutCounter, mergeLeftOut } from '../../files/left-out';
import type { LeftOut } from '../../files/left-out';
import { pathSchema } from '../../options/atoms';
import { checkArgument, checkOptions } from '../../options/check';
import type { SixteenBit } from '../images/options';
import { PackedFile, PackedImage } from './file';
import { HEAD_BYTES, isPackedHead } from './format';
import type { PackedIndex } from './format';
import { makeSplits, SPLIT_NAMES } from '../splits';
import type { LeftOutBySplit, SplitName } from '../splits';
import type { Dataset, DatasetSplits, Sample } from '../types';
import { z } from 'zod';
import { classListSchema } from '../classes';

/** Options of `PackedDataset.open`. */
export const packedOptionsSchema = z.strictObject({ classes: classListSchema.optional() });
export type PackedOptions = z.input<typeof packedOptionsSchema>;

/** Whether a file is a packed data set, by its first bytes; false if it cannot be read. */
export async function isPacked(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return isPackedHead(buffer.subarray(0, bytesRead));
  } catch {
    return false; // a folder
  } finally {
    await handle.close();
  }
}

/**
 * A data set that `preparePacked` (`covidct prepare`) wrote.
 *
 * @example
 * ```ts
 * import { PackedDataset } from 'covidct-torch';
 *
 * await using data = await PackedDataset.open('covid-ct.pack');
 * console.log(data.train.samples.length, data.fingerprint);
 * ```
 */
export class PackedDataset implements DatasetSplits {
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly test: Dataset | null;
  /** Absolute path. */
  readonly file: string;
  /** SHA-256 over names, labels and pixels: 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** Shorter side of every image in pixels; null: as decoded. */
  readonly resize: number | null;
  /** Values of 16-bit originals that became 0 and 255; null if none were set. */
  readonly sixteenBit: SixteenBit | null;
  /** Files that could not be decoded when the file was written. */
  readonly skipped: readonly { readonly split: SplitName; readonly id: string; readonly reason: string }[];
  /** Files left out when the file was written, by the reader of the originals and by the decoder. */
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
  readonly #source: PackedFile;

  private constructor(source: PackedFile) {
    const { index, head, path: file } = source;
    this.#source = source;
    this.file = file;
    this.fingerprint = head.fingerprint;
    this.resize = index.resize;
    this.sixteenBit = index.sixteenBit ?? null;
    this.skipped = index.skipped;
    this.name = index.name;
    this.classes = Object.freeze(index.classes);
    const samples: Record<SplitName, readonly Sample[] | undefined> = {
      train: [],
      validation: undefined,
      test: undefined,
    };
    let first = 0;
    for (const split of SPLIT_NAMES) {
      const count = index.counts[split];
      if (count === null) continue;
      samples[split] = Object.freeze(Array.from({ length: count }, (_, i) => sampleOf(source, first + i)));
      first += count;
    }
    ({
      train: this.train,
      validation: this.validation,
      test: this.test,
      leftOut: this.leftOut,
    } = makeSplits(this.name, this.classes, samples, leftOutOf(index)));
    this.notes = index.notes ?? [];
  }

  /**
   * Opens a packed data set and checks its index; an image is checked when it is first read.
   *
   * @param options
   *   - `classes`: the classes it must have, in that order
   * @throws CovidCtError ERR_PACKED_DATA for a file that is damaged, truncated, of another version or not a packed one;
   *   DatasetError for other classes
   */
  static async open(file: string, options: PackedOptions = {}): Promise<PackedDataset> {
    const { classes } = checkOptions(packedOptionsSchema, options, 'PackedDataset.open');
    const source = await PackedFile.open(path.resolve(checkArgument(pathSchema, file, 'PackedDataset.open', 'file')));
    if (classes !== undefined && JSON.stringify(classes) !== JSON.stringify(source.index.classes)) {
      await source.close();
      throw new DatasetError(
        `${file}: expected a data set of the classes ${classes.join(', ')}; ` +
          `it has ${source.index.classes.join(', ')}, in that order`,
      );
    }
    return new PackedDataset(source);
  }

  /**
   * Closes the file after pending reads; later reads fail with ERR_DISPOSED. May be called more than once.
   */
  async close(): Promise<void> {
    await this.#source.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Returns the files left out of each split, according to the index. */
function leftOutOf({ leftOut, skipped }: PackedIndex): LeftOutBySplit {
  return Object.fromEntries(
    SPLIT_NAMES.map((split) => {
      const undecodable = new LeftOutCounter();
      for (const file of skipped) if (file.split === split) undecodable.add('undecodable', file.id);
      return [split, mergeLeftOut(leftOut?.[split], undecodable.list())];
    }),
  );
}

function sampleOf(source: PackedFile, i: number): Sample {
  const { ids, labels, origins, groups } = source.index;
  const group = groups?.[i] ?? '';
  const origin = origins[i]!;
  return Object.freeze({
    id: ids[i]!,
    source: new PackedImage(source, i),
    label: labels[i]!,
    ...(origin === '' ? {} : { origin }),
    ...(group === '' ? {} : { group }),
  });
}

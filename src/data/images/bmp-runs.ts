/** Expands the run-length encoding of BMP into one palette index a pixel, lines in the order of the file. */
import { Refusal } from './refusal';

interface Runs {
  readonly width: number;
  readonly height: number;
  /** RLE4: two indices a byte. */
  readonly nibbles: boolean;
}

/** Receives each run: its position, its length, and a function for the index of its pixel i. */
type Sink = (position: number, count: number, index: (i: number) => number) => void;

/**
 * Iterates over the runs and passes each to `sink`. Skipped pixels have index 0.
 *
 * @throws Refusal when a run exceeds its line, the bytes end early, or pixels are missing; an empty line is refused
 *   too, because decoders treat it differently
 */
function walk(bytes: Uint8Array, { width, height, nibbles }: Runs, sink: Sink): void {
  const total = width * height;
  let [at, position, column] = [0, 0, 0];
  const advance = (count: number, index: (i: number) => number): void => {
    if (column + count > width || position + count > total)
      throw new Refusal('a run of its pixels goes beyond the end of a line');
    sink(position, count, index);
    position += count;
    column += count;
  };
  const next = (): number => {
    if (at >= bytes.length) throw new Refusal(`its runs of pixels were cut off after ${position} of ${total}`);
    return bytes[at++]!;
  };
  while (position < total) {
    const [count, value] = [next(), next()];
    if (count > 0) advance(count, nibbles ? (i) => (i % 2 === 0 ? value >> 4 : value & 15) : () => value);
    else if (value === 0) {
      if (column === 0)
        throw new Refusal(
          'it has an empty line among its runs of pixels, which readers take differently; save it uncompressed',
        );
      position += width - column;
      column = 0;
    } else if (value === 1) {
      throw new Refusal(`its runs of pixels end after ${position} of ${total}`);
    } else if (value === 2) {
      position = Math.min(total, position + next() + next() * width);
      column = position % width;
    } else {
      const from = at;
      const taken = nibbles ? Math.ceil(value / 2) : value;
      at += taken + (taken % 2);
      if (from + taken > bytes.length)
        throw new Refusal(`its runs of pixels were cut off after ${position} of ${total}`);
      advance(
        value,
        nibbles
          ? (i) => (i % 2 === 0 ? bytes[from + (i >> 1)]! >> 4 : bytes[from + (i >> 1)]! & 15)
          : (i) => bytes[from + i]!,
      );
    }
    if (column === width && position < total && bytes[at] === 0 && bytes[at + 1] === 0) {
      at += 2; // the end of a line that is full
      column = 0;
    }
  }
}

/** Returns one index per pixel. Nothing is allocated before all runs have been checked. */
export function expandRuns(bytes: Uint8Array, runs: Runs): Uint8Array {
  walk(bytes, runs, () => undefined);
  const indices = new Uint8Array(runs.width * runs.height);
  walk(bytes, runs, (position, count, index) => {
    for (let i = 0; i < count; i += 1) indices[position + i] = index(i);
  });
  return indices;
}

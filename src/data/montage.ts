/** Lays out images in a grid, and samples images of a class as the tutorial shows them. */
import { DatasetError, InvalidOptionError, throwIfAborted } from '../errors';
import { datasetSchema } from './schemas';
import { checkArgument, checkOptions } from '../options/check';
import { imageOptionsOf } from './images/options';
import { decodeChecked, letterbox } from './images/decode';
import { makeDraw, shuffleInPlace, STREAM } from './random';
import type { Dataset, Pixels } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { seedSchema } from '../options/atoms';
import { imageShape } from './images/options';

export const montageOptionsSchema = z.strictObject({
  /** Index of the class to draw from. */
  label: z.int().min(0).optional(),
  /** Name of the class to draw from; give this or `label`, or neither to draw from all. */
  class: z.string().optional(),
  count: z.int().min(1).max(1024).default(5),
  columns: z.int().min(1).max(64).default(5),
  /** Side of a tile in pixels. */
  tile: z.int().min(8).max(1024).default(224),
  seed: seedSchema.default(0),
  ...imageShape,
  signal: signalSchema,
});
export type MontageOptions = z.input<typeof montageOptionsSchema>;

const GAP = 4;
const PAPER = 255;

/**
 * Lays images out row by row on white, each fitted into a square tile on black.
 *
 * @param options
 *   - `columns`: tiles in a row
 *   - `tile`: side of a tile in pixels
 * @returns RGB, uint8; a last row that is not full stays white
 */
export async function montage(
  images: readonly Pixels[],
  options: { columns?: number; tile?: number } = {},
): Promise<Pixels> {
  const { columns, tile } = checkOptions(montageOptionsSchema.pick({ columns: true, tile: true }), options, 'montage');
  if (images.length === 0) throw new DatasetError('a montage needs at least one image');
  const across = Math.min(columns, images.length);
  const down = Math.ceil(images.length / across);
  const width = across * (tile + GAP) + GAP;
  const height = down * (tile + GAP) + GAP;
  const data = new Uint8Array(width * height * 3).fill(PAPER);
  for (const [index, image] of images.entries()) {
    const fitted = await letterbox(image, tile);
    const top = GAP + Math.floor(index / across) * (tile + GAP);
    const left = GAP + (index % across) * (tile + GAP);
    for (let y = 0; y < tile; y += 1) {
      data.set(fitted.data.subarray(y * tile * 3, (y + 1) * tile * 3), ((top + y) * width + left) * 3);
    }
  }
  return { data, width, height };
}

/** Returns the label that `label` or `class` selects; undefined for any. */
function wantedLabel(dataset: Dataset, label: number | undefined, className: string | undefined): number | undefined {
  if (className === undefined) {
    if (label === undefined || label < dataset.classes.length) return label;
    throw new InvalidOptionError(
      `sampleMontage: label ${label} is out of range; ${dataset.name} has ${dataset.classes.length} classes`,
      [{ path: 'label', message: 'out of range' }],
    );
  }
  const found = dataset.classes.indexOf(className);
  if (found >= 0 && (label === undefined || label === found)) return found;
  const fault =
    found < 0 ? `is not one of the classes ${dataset.classes.join(', ')}` : `is class ${found}, not ${label}`;
  throw new InvalidOptionError(`sampleMontage: "${className}" ${fault}`, [{ path: 'class', message: 'does not fit' }]);
}

/**
 * Samples images of a class, or of all classes, without replacement, and lays them out.
 *
 * @param options
 *   - `class`: name of the class, or `options.label` its index
 *   - `count`: images, default 5; fewer when the class has fewer
 *   - `columns`: default 5
 *   - `tile`: side of a tile in pixels, default 224
 *   - `maxPixels`: and the other limits, and `sixteenBit`, as decodeImage has them
 * @throws DatasetError when there is no image of the class; BadImageError; AbortedError; InvalidOptionError
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { openDataset } from 'covidct-torch';
 * import { encodeImage, sampleMontage } from 'covidct-torch/report';
 *
 * const { train } = await openDataset('COVID-CT');
 * const pixels = await sampleMontage(train, { class: 'COVID', count: 10 });
 * await writeFile('samples.png', await encodeImage(pixels));
 * ```
 */
export async function sampleMontage(dataset: Dataset, options: MontageOptions = {}): Promise<Pixels> {
  const {
    label,
    class: className,
    count,
    columns,
    tile,
    seed,
    signal,
    ...images
  } = checkOptions(montageOptionsSchema, options, 'sampleMontage');
  checkArgument(datasetSchema, dataset, 'sampleMontage', 'dataset');
  const wanted = wantedLabel(dataset, label, className);
  const candidates = dataset.samples.filter((sample) => wanted === undefined || sample.label === wanted);
  if (candidates.length === 0)
    throw new DatasetError(
      `${dataset.name} has no image${wanted === undefined ? '' : ` of class ${dataset.classes[wanted]}`}`,
    );
  shuffleInPlace(candidates, makeDraw({ seed, stream: STREAM.montage }));
  const drawn: Pixels[] = [];
  for (const { source, origin } of candidates.slice(0, count)) {
    drawn.push(await decodeChecked(source, { ...imageOptionsOf(images), signal, origin }));
    throwIfAborted(signal);
  }
  return montage(drawn, { columns, tile });
}

/** Writes a data set of made-up slices in the layout of COVID-CT, for demonstrations and tests. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { change } from '../../files/operations';
import { fileError, fillFile, makeFolder, removeWhole, syncFolder } from '../../files/write';
import { CovidCtError, DatasetError, messageOf, throwIfAborted } from '../../errors';
import { pathSchema } from '../../options/atoms';
import { checkArgument, checkOptions } from '../../options/check';
import { COVID_CT_CLASSES, PHANTOMS_FILE } from '../covid-ct';
import { encodePng } from '../images/decode';
import { phantomPixels } from './image';
import { z } from 'zod';
import { seedSchema } from '../../options/atoms';
import { signalSchema } from '../../options/check';
import { phantomSizeSchema } from './image';

export const phantomOptionsSchema = z.strictObject({
  /** Images in all, half of each class (an odd one is left out); 12 at least, so that each split holds both classes. */
  count: z.int().min(12).max(20_000).default(120),
  seed: seedSchema.default(0),
  /** Typical width in pixels; each image differs a little. */
  size: phantomSizeSchema,
  signal: signalSchema,
});
export type PhantomOptions = z.input<typeof phantomOptionsSchema>;

export { phantomPixels } from './image';

const README = `These images are made up. A program drew them; no patient, no scanner and no hospital is behind them.
They look roughly like chest CT slices so that the software can be tried and tested without real data.
The images called COVID carry soft bright patches at the rim of the lungs; the others do not.
Nothing that is measured on them says anything about real images.
`;

/** What a set of phantoms consists of; a folder with anything else in it is not replaced. */
const OWN_FILES = new Set(['Data-split', 'Images-processed', 'README.txt', PHANTOMS_FILE]);

/** What was written. */
export interface PhantomSet {
  readonly dir: string;
  /** Images of each class in each split. */
  readonly counts: Readonly<Record<'train' | 'validation' | 'test', number>>;
  /** False when the folder held exactly these images already. */
  readonly written: boolean;
}

interface Facts {
  readonly madeUp: true;
  readonly version: 1;
  readonly count: number;
  readonly seed: number;
  readonly size: number;
}

/** The facts of the phantoms in `dir`, null when it is empty or not there; anything else is not ours to overwrite. */
async function existing(dir: string): Promise<string | null> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new DatasetError(`${dir}: phantoms cannot be written there: ${messageOf(error)}`, { cause: error });
  });
  if (names.length === 0) return null;
  if (names.includes(PHANTOMS_FILE) && names.every((name) => OWN_FILES.has(name)))
    return readFile(path.join(dir, PHANTOMS_FILE), 'utf8');
  throw new DatasetError(
    `${dir} holds other files. Give an empty folder, or a name that does not exist, for the phantoms`,
  );
}

async function writeClass(
  dir: string,
  label: number,
  count: number,
  facts: Facts,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const className = COVID_CT_CLASSES[label]!;
  const folder = path.join(dir, 'Images-processed', `CT_${className}`);
  await makeFolder(folder);
  const names: string[] = [];
  for (let number = 0; number < count; number += 1) {
    throwIfAborted(signal);
    const name = `phantom-${className.toLowerCase()}-${String(number + 1).padStart(4, '0')}.png`;
    const pixels = phantomPixels({
      seed: facts.seed,
      index: number * 2 + label,
      positive: label === 1,
      size: facts.size,
    });
    await fillFile(path.join(folder, name), await encodePng(pixels));
    names.push(name);
  }
  return names;
}

async function writeLists(dir: string, label: number, names: readonly string[], held: number): Promise<void> {
  const className = COVID_CT_CLASSES[label]!;
  const folder = path.join(dir, 'Data-split', className);
  await makeFolder(folder);
  const cut = names.length - 2 * held;
  const parts = { train: names.slice(0, cut), val: names.slice(cut, cut + held), test: names.slice(cut + held) };
  for (const [split, list] of Object.entries(parts))
    await fillFile(path.join(folder, `${split}CT_${className}.txt`), `${list.join('\n')}\n`);
}

/**
 * Writes made-up slices as PNG that `CovidCtDataset.open` reads: three fifths for training, a fifth each for
 * validation and test, both classes alike. The folder appears whole or not at all; phantoms of other numbers that are
 * there already are replaced, and exactly these are left as they are.
 *
 * @param options
 *   - `count`: images in all, default 120
 *   - `seed`: another seed, other images; default 0
 *   - `size`: typical width in pixels, default 160
 * @throws DatasetError when `dir` holds anything else; AbortedError
 * @example
 * ```ts
 * import { makePhantoms, openDataset } from 'covidct-torch';
 *
 * await makePhantoms('phantoms', { count: 60, seed: 1 });
 * const { train } = await openDataset('phantoms');
 * console.log(train.samples.length); // 36
 * ```
 */
export async function makePhantoms(dir: string, options: PhantomOptions = {}): Promise<PhantomSet> {
  const { count, seed, size, signal } = checkOptions(phantomOptionsSchema, options, 'makePhantoms');
  const root = path.resolve(checkArgument(pathSchema, dir, 'makePhantoms', 'dir'));
  const each = Math.floor(count / 2);
  const held = Math.max(1, Math.round(each / 5));
  const counts = { train: 2 * (each - 2 * held), validation: 2 * held, test: 2 * held };
  const facts: Facts = { madeUp: true, version: 1, count, seed, size };
  const text = `${JSON.stringify(facts, null, 2)}\n`;
  const there = await existing(root);
  if (there === text) return { dir: root, counts, written: false };
  const unfinished = `${root}.unfinished-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    for (const label of COVID_CT_CLASSES.keys())
      await writeLists(unfinished, label, await writeClass(unfinished, label, each, facts, signal), held);
    await fillFile(path.join(unfinished, 'README.txt'), README);
    await fillFile(path.join(unfinished, PHANTOMS_FILE), text);
    await removeWhole(root);
    await change('rename', unfinished, () => rename(unfinished, root), root);
    await syncFolder(path.dirname(root));
  } catch (error) {
    await removeWhole(unfinished).catch(() => undefined); // must not hide the first failure
    if (error instanceof CovidCtError) throw error;
    throw new DatasetError(fileError('write the phantoms', root, error).message, { cause: error });
  }
  return { dir: root, counts, written: true };
}

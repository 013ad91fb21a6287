/** Opens the COVID-CT data set in the layout of its public repository, with unpacked or zipped images. */
import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatasetError, messageOf, throwIfAborted } from '../errors';
import { mergeLeftOut } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import { pathSchema, textSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { isFolder, unpackBeside } from './archive';
import { sourceOfBytes } from './images/byte-path';
import { checkFolder, entriesOf, ImageFinder } from './find-images';
import type { Entry } from './find-images';
import { isPacked } from './packed/packed';
import { countClasses, makeSplits, parseSplitName, SPLIT_NAMES, throwProblems } from './splits';
import type { SplitName } from './splits';
import { decodeText } from './table';
import type { Dataset, DatasetSplits, Sample } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { callbackSchema } from '../options/atoms';
import type { UnpackProgress } from './archive';

export const covidCtOptionsSchema = z.strictObject({
  /** Folder of the split lists, relative to the data set; set it to use your own lists. */
  split: z.string().min(1).default('Data-split'),
  /** Called while the zip files are unpacked. */
  onProgress: callbackSchema<(progress: UnpackProgress) => void>().optional(),
  signal: signalSchema,
});
export type CovidCtOptions = z.input<typeof covidCtOptionsSchema>;

/** Index 0 is NonCOVID, index 1, the positive class, is COVID. */
export const COVID_CT_CLASSES: readonly string[] = Object.freeze(['NonCOVID', 'COVID']);

const IMAGES = 'Images-processed';
const LIST_NAMES: Readonly<Record<SplitName, string>> = { train: 'train', validation: 'val', test: 'test' };

type ResolvedOptions = ReturnType<typeof checkCovidCtOptions>;

function checkCovidCtOptions(options: CovidCtOptions) {
  return checkOptions(covidCtOptionsSchema, options, 'CovidCtDataset.open');
}

/** Whether `dir` looks like the data set, with its images or its lists; opening it reports what is missing. */
export async function isCovidCt(dir: string): Promise<boolean> {
  return (await isFolder(path.join(dir, IMAGES))) || (await isFolder(path.join(dir, 'Data-split')));
}

async function imageFolder(dir: string, className: string, options: ResolvedOptions): Promise<string> {
  const folder = path.join(dir, IMAGES, `CT_${className}`);
  if (await isFolder(folder)) return folder;
  const zip = `${folder}.zip`;
  const packed = await stat(zip).catch(() => null);
  if (packed?.isFile()) return unpackBeside(zip, options);
  throw new DatasetError(
    `${dir}: neither the folder ${IMAGES}/CT_${className} nor ${IMAGES}/CT_${className}.zip ` +
      'is there. Expected a clone of the COVID-CT repository (Images-processed and Data-split)',
  );
}

interface ListedName {
  readonly name: string;
  readonly origin: string;
}

/**
 * Parses a list file with one name per line; any line ending is accepted, a byte-order mark and blank lines are
 * skipped.
 */
export function parseList(text: string, file: string): ListedName[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [{ name: line, origin: `${file}:${index + 1}` }]));
}

async function readList(dir: string, file: string): Promise<ListedName[]> {
  const bytes = await readFile(path.join(dir, file)).catch((error: unknown) => {
    throw new DatasetError(
      `${dir}: the list ${file} cannot be read: ${messageOf(error)}. Expected one image name a line`,
      { cause: error },
    );
  });
  return parseList(decodeText(bytes, path.join(dir, file)).text, file);
}

interface ClassSamples {
  readonly samples: Record<SplitName, Sample[]>;
  readonly unlisted: readonly string[];
  readonly leftOut: readonly LeftOut[];
  readonly problems: readonly string[];
}

async function readClass(dir: string, label: number, options: ResolvedOptions): Promise<ClassSamples> {
  const className = COVID_CT_CLASSES[label]!;
  const folder = await imageFolder(dir, className, options);
  const inside = `${IMAGES}/CT_${className}`;
  throwIfAborted(options.signal);
  const entries = await entriesOf(Buffer.from(folder)).catch((error: unknown) => {
    throw new DatasetError(`${folder} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  // Names are compared in Unicode normal form: a file system may store an accent as a separate character.
  const files = new Map(entries.map((entry) => [entry.name.normalize('NFC'), entry]));
  const seen = new Map<Entry, string>();
  const problems: string[] = [];
  const samples: ClassSamples['samples'] = { train: [], validation: [], test: [] };
  for (const split of SPLIT_NAMES) {
    const list = path.posix.join(options.split, className, `${LIST_NAMES[split]}CT_${className}.txt`);
    for (const { name, origin } of await readList(dir, list)) {
      const file = files.get(name.normalize('NFC')) ?? files.get(name.trim().normalize('NFC'));
      const earlier = file === undefined ? undefined : seen.get(file);
      if (file === undefined) problems.push(`${origin}: "${name}" is not in ${inside}`);
      else if (earlier !== undefined) problems.push(`${origin}: "${file.name}" is listed already in ${earlier}`);
      else {
        seen.set(file, origin);
        samples[split].push(
          Object.freeze({ id: `${inside}/${file.name}`, source: sourceOfBytes(file.file), label, origin }),
        );
      }
    }
  }
  const finder = new ImageFinder(options.signal);
  await finder.addEntries(
    entries.filter((entry) => !seen.has(entry)),
    `${inside}/`,
  );
  for (const { id } of finder.images) finder.leftOut.add('unlisted', id);
  return { samples, unlisted: finder.images.map(({ id }) => id), leftOut: finder.leftOut.list(), problems };
}

/** The file that marks a folder of synthetic slices. */
export const PHANTOMS_FILE = 'phantoms.json';

/** Whether the slices are phantoms; the name of the data set says so, to keep their metrics apart from patients'. */
async function isMadeUp(root: string): Promise<boolean> {
  return access(path.join(root, PHANTOMS_FILE)).then(
    () => true,
    () => false,
  );
}

/**
 * The COVID-CT data set: 425 slices for training, 118 for validation and 203 for test in the public repository, with
 * class 0 NonCOVID and class 1 COVID.
 *
 * @example
 * ```ts
 * import { CovidCtDataset } from 'covidct-torch';
 *
 * const data = await CovidCtDataset.open('COVID-CT');
 * console.log(data.train.samples.length, data.classes); // 425 [ 'NonCOVID', 'COVID' ]
 * ```
 */
export class CovidCtDataset implements DatasetSplits {
  /** `COVID-CT`, or `made-up slices` for a set of `makePhantoms`. */
  readonly name: string;
  readonly classes = COVID_CT_CLASSES;
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
  /** Images that no list names; they are in no split. */
  readonly unlisted: readonly string[];
  /** Files that were left out, by reason; images that no list names have the reason `unlisted`. */
  readonly leftOut: readonly LeftOut[];

  private constructor(
    /** The folder it was opened from, absolute. */
    readonly dir: string,
    madeUp: boolean,
    parts: readonly ClassSamples[],
  ) {
    this.name = madeUp ? 'made-up slices' : 'COVID-CT';
    const gather = (split: SplitName): Sample[] => parts.flatMap((part) => part.samples[split]);
    const splits = makeSplits(
      this.name,
      this.classes,
      { train: gather('train'), validation: gather('validation'), test: gather('test') },
      { train: mergeLeftOut(...parts.map((part) => part.leftOut)) },
    );
    this.train = splits.train;
    this.validation = splits.validation!;
    this.test = splits.test!;
    this.leftOut = splits.leftOut;
    this.unlisted = parts.flatMap((part) => part.unlisted);
  }

  /**
   * Opens the data set and checks every listed name. Zip files are unpacked into their own folder, or into the user's
   * cache if the data set is read-only.
   *
   * @param dir a clone of the repository: `Images-processed` and `Data-split`
   * @param options
   *   - `split`: folder of the lists, relative to `dir`; default `Data-split`
   *   - `onProgress`: called for each unpacked file
   * @throws DatasetError listing every missing, repeated or doubly assigned name with its list and line, or naming the
   *   zip file and the entry that is damaged or unsafe; AbortedError
   */
  static async open(dir: string, options: CovidCtOptions = {}): Promise<CovidCtDataset> {
    checkArgument(pathSchema, dir, 'CovidCtDataset.open', 'dir');
    const resolved = checkCovidCtOptions(options);
    throwIfAborted(resolved.signal);
    const root = path.resolve(dir);
    if (await isPacked(root))
      throw new DatasetError(`${root} is a packed data set. Open it with openDataset() or PackedDataset.open()`);
    await checkFolder(root, 'Expected a clone of the COVID-CT repository (Images-processed and Data-split)');
    const parts: ClassSamples[] = [];
    for (const label of COVID_CT_CLASSES.keys()) parts.push(await readClass(root, label, resolved));
    throwProblems(
      root,
      parts.flatMap((part) => part.problems),
      'Fetch the missing images, or correct the lists.',
    );
    const dataset = new CovidCtDataset(root, await isMadeUp(root), parts);
    const empty = [dataset.train, dataset.validation, dataset.test].filter(({ samples }) => samples.length === 0);
    throwProblems(
      root,
      empty.map(({ name }) => `${name} has no images`),
      `Correct the lists in ${resolved.split}.`,
    );
    return dataset;
  }

  /** Returns a split by name: train, val or validation, test. */
  split(name: SplitName | 'val'): Dataset {
    const split = parseSplitName(checkArgument(textSchema, name, 'CovidCtDataset.split', 'name'));
    if (split === undefined)
      throw new DatasetError(`COVID-CT has no split "${name}"; expected train, val, validation or test`);
    return this[split];
  }

  /** Returns the number of images of each class in each split. */
  counts(): Readonly<Record<SplitName, Readonly<Record<string, number>>>> {
    return {
      train: countClasses(this.train),
      validation: countClasses(this.validation),
      test: countClasses(this.test),
    };
  }
}

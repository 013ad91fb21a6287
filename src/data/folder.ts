/** Reads a folder whose subfolders are the classes, optionally below train, val and test folders. */
import path from 'node:path';
import { DatasetError, messageOf } from '../errors';
import { leftOutText } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { orderClasses, suggestedOrder } from './classes';
import type { ClassChoice } from './classes';
import { checkFolder, entriesOf, ImageFinder, isFolderEntry } from './find-images';
import type { Entry, FoundImage } from './find-images';
import { groupOf } from './groups';
import { understandSplitNames } from './split-names';
import { makeSplits, SPLIT_NAMES, throwProblems } from './splits';
import type { SplitName } from './splits';
import { isHidden, isSystemFolder } from './system-names';
import type { DatasetSplits, Sample } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { regExpSchema } from '../options/atoms';
import { classChoice } from './classes';

export const folderOptionsSchema = z.strictObject({
  ...classChoice,
  /**
   * Regular expression for the path relative to the folder; its capture group named `group`, or the first one, is the
   * sample's group, e.g. the patient.
   */
  groupPattern: regExpSchema('expected a regular expression with a group, e.g. /(patient\\d+)/').optional(),
  signal: signalSchema,
});
export type FolderOptions = z.input<typeof folderOptionsSchema>;

/** A folder-of-classes data set. */
export interface FolderDataset extends DatasetSplits {
  readonly dir: string;
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
}

/** One level of folders: candidates for classes or splits, and everything else. */
interface Level {
  readonly folders: readonly Entry[];
  readonly others: readonly Entry[];
}

/** The folder of a split. */
interface SplitFolder extends Level {
  readonly split: SplitName;
  /** Prefix of the ids: empty, or ending in a slash. */
  readonly prefix: string;
  readonly finder: ImageFinder;
}

const FOLDER = 'Expected a folder with a subfolder for each class';

async function readLevel(dir: Buffer): Promise<Level> {
  const entries = await entriesOf(dir).catch((error: unknown) => {
    throw new DatasetError(`${dir.toString()} cannot be read: ${messageOf(error)}. ${FOLDER}`, { cause: error });
  });
  const folders = await Promise.all(
    entries.map(async (entry) => !isHidden(entry.name) && (await isFolderEntry(entry))),
  );
  return {
    folders: entries.filter((_, index) => folders[index]),
    others: entries.filter((_, index) => !folders[index]),
  };
}

/** Counts images outside the class folders as left out. */
async function leaveOut(
  finder: ImageFinder,
  entries: readonly Entry[],
  prefix: string,
  reason: LeftOut['reason'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const beside = new ImageFinder(signal);
  await beside.addEntries(entries, prefix);
  for (const { id } of beside.images) finder.leftOut.add(reason, id);
  finder.leftOut.addAll(beside.leftOut.list());
}

/** Returns the folder of each split; without split folders, the root is the training split. */
async function splitFolders(
  root: string,
  { classes, signal }: FolderOptions,
): Promise<{ splits: SplitFolder[]; notes: readonly string[] }> {
  const level = await readLevel(Buffer.from(root));
  const named = new Set(classes ?? []);
  const {
    splits: understood,
    problems,
    notes,
  } = understandSplitNames(level.folders.map(({ name }) => name).filter((name) => !named.has(name)));
  const found = [...problems];
  const spoken = new Set(understood.values());
  if (spoken.size > 0 && !spoken.has('train'))
    found.push(
      `there ${understood.size === 1 ? 'is a folder' : 'are folders'} for a ` +
        `split, ${[...understood.keys()].map((name) => `"${name}"`).join(' and ')}, but none for train`,
    );
  throwProblems(
    root,
    found,
    'Keep one folder for each split, e.g. train, val and test; or ' +
      'name the classes (classes, --classes), if they are classes.',
  );
  if (spoken.size === 0)
    return { splits: [{ ...level, split: 'train', prefix: '', finder: new ImageFinder(signal) }], notes };
  const splits: SplitFolder[] = [];
  for (const entry of level.folders) {
    const split = understood.get(entry.name);
    if (split !== undefined)
      splits.push({
        ...(await readLevel(entry.file)),
        split,
        prefix: `${entry.name}/`,
        finder: new ImageFinder(signal),
      });
  }
  // Files that belong to no split are reported with the training split.
  const { finder } = splits.find(({ split }) => split === 'train')!;
  await leaveOut(
    finder,
    [...level.others, ...level.folders.filter(({ name }) => !understood.has(name))],
    '',
    'outsideSplits',
    signal,
  );
  return { splits, notes };
}

/** Explains why a folder is not accepted as a class unless it is named. */
function doubtful(name: string, prefix: string, candidates: readonly string[]): string {
  const others = suggestedOrder(candidates.filter((other) => !isSystemFolder(other)));
  return (
    `the folder "${prefix}${name}" belongs to the operating system or a tool and is probably ` +
    'not a class: name the classes without it to leave it out ' +
    `(--classes ${others.join(',') || 'NonCOVID,COVID'}), or with it to use it as one`
  );
}

/** Returns the classes in order. Throws DatasetError when they are ambiguous. */
async function classNames(
  root: string,
  splits: readonly SplitFolder[],
  choice: ClassChoice,
): Promise<readonly string[]> {
  const wanted = choice.classes;
  const named = new Set(wanted ?? []);
  const problems: string[] = [];
  const names = new Set<string>();
  for (const { folders, prefix } of splits) {
    for (const { name } of folders) {
      if (isSystemFolder(name) && !named.has(name)) {
        if (wanted === undefined)
          problems.push(
            doubtful(
              name,
              prefix,
              folders.map((each) => each.name),
            ),
          );
      } else if (wanted !== undefined && !named.has(name))
        problems.push(`the folder "${prefix}${name}" is not one of the classes ${wanted.join(', ')}`);
      else names.add(name);
    }
  }
  if (names.size === 0 && problems.length === 0)
    throw new DatasetError(
      `${root}: no class folders. Expected one subfolder for each class with its ` +
        'images, e.g. NonCOVID and COVID, or train, val and test with those inside',
    );
  for (const name of wanted ?? []) if (!names.has(name)) problems.push(`the class "${name}" has no folder`);
  const training = splits.find(({ split }) => split === 'train')!;
  for (const name of names)
    if (!training.folders.some((entry) => entry.name === name))
      problems.push(`the class "${name}" has no folder in the training split`);
  if (names.size === 1 && wanted === undefined) problems.push(...(await wrapped(training)));
  const ordered = orderClasses(names, choice);
  throwProblems(
    root,
    [...problems, ...ordered.problems],
    'Rename the folders, or give the classes that are there (classes, --classes).',
  );
  return Object.freeze(ordered.classes);
}

/** Detects that the given folder is one level too high: its only folder contains nothing but folders. */
async function wrapped({ folders, prefix }: SplitFolder): Promise<string[]> {
  const [only] = folders.filter(({ name }) => !isSystemFolder(name));
  const inside = await readLevel(only!.file);
  if (inside.folders.length < 2 || inside.others.some(({ name }) => !isHidden(name))) return [];
  return [
    `"${prefix}${only!.name}" is the only class and holds nothing but folders (${inside.folders
      .slice(0, 4)
      .map(({ name }) => name)
      .join(', ')}): if those are the classes or splits, open ${prefix}${only!.name} instead`,
  ];
}

/**
 * Opens `dir/<class>/**` (everything is the training split; see `splitDataset`) or `dir/{train,val,test}/<class>/**`.
 * The folders of the splits may have other common names (`training_set`, `dev`, `holdout`, ...); `notes` says which
 * folder is which split. Files that are left out are counted by reason in `leftOut`.
 *
 * @param options
 *   - `classes`: class names in the order of their indices; default: the folder names, sorted. Also allows names
 *     that are refused otherwise
 *   - `positive`: the positive one of two classes, which comes last
 *   - `groupPattern`: regular expression for the path relative to `dir`; its capture group named `group`, or the first
 *     one, is the sample's group, e.g. the patient
 * @throws DatasetError when there are no classes, a class has no images, the splits' classes differ, a split or class
 *   would have to be guessed, or the order of two classes would make the negative one (`NonCOVID`, `normal`) the
 *   positive
 * @example
 * ```ts
 * import { openFolder } from 'covidct-torch';
 *
 * const data = await openFolder('scans', { classes: ['normal', 'ill'], groupPattern: /(patient\d+)/ });
 * console.log(data.train.classes, data.leftOut);
 * ```
 */
export async function openFolder(dir: string, options: FolderOptions = {}): Promise<FolderDataset> {
  const { classes: wanted, positive, groupPattern, signal } = checkOptions(folderOptionsSchema, options, 'openFolder');
  const root = await checkFolder(checkArgument(pathSchema, dir, 'openFolder', 'dir'), FOLDER);
  const { splits, notes } = await splitFolders(root, { classes: wanted, signal });
  const classes = await classNames(root, splits, { classes: wanted, positive });
  const samples: Record<SplitName, Sample[] | undefined> = { train: undefined, validation: undefined, test: undefined };
  const leftOut: Partial<Record<SplitName, readonly LeftOut[]>> = {};
  const problems: string[] = [];
  const toSample =
    (label: number) =>
    ({ id, source }: FoundImage): Sample =>
      Object.freeze({ id, source, label, ...groupOf(id, groupPattern, problems) });
  for (const split of SPLIT_NAMES) {
    const folder = splits.find((each) => each.split === split);
    if (folder === undefined) continue;
    const { prefix, finder } = folder;
    const list: Sample[] = [];
    await leaveOut(
      finder,
      [...folder.others, ...folder.folders.filter(({ name }) => !classes.includes(name))],
      prefix,
      'outsideClasses',
      signal,
    );
    for (const [label, name] of classes.entries()) {
      const inside = new ImageFinder(signal);
      const entry = folder.folders.find((each) => each.name === name);
      if (entry !== undefined) await inside.addFolder(entry.file, `${prefix}${name}/`);
      finder.leftOut.addAll(inside.leftOut.list());
      if (inside.images.length === 0 && split === 'train')
        problems.push(`no images in ${prefix}${name}${told(inside)}`);
      const sample = toSample(label);
      // push(...images) could exceed the maximum number of arguments.
      for (const image of inside.images) list.push(sample(image));
    }
    if (list.length === 0 && split !== 'train') problems.push(`no images in ${prefix.slice(0, -1)}${told(finder)}`);
    samples[split] = list;
    leftOut[split] = finder.leftOut.list();
  }
  const grouped = ', and the pattern of the groups (groupPattern, --group-pattern) must find one in each';
  throwProblems(
    root,
    problems,
    'Each class folder must hold images (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PNM)' +
      `${groupPattern === undefined ? '' : grouped}.`,
  );
  return { ...makeSplits(path.basename(root), classes, samples, leftOut), dir: root, notes };
}

function told({ leftOut }: ImageFinder): string {
  const list = leftOut.list();
  return list.length === 0 ? '' : `: left out ${leftOutText(list)}`;
}

/** Reads a folder whose subfolders are the classes, with or without a train, val and test folder above them. */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatasetError } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { folderOptionsSchema } from '../options/data';
import type { FolderOptions } from '../options/data';
import { isImageName } from './image-names';
import { makeSplits, parseSplitName, sortedClasses, SPLIT_NAMES, throwProblems } from './splits';
import type { SplitName } from './splits';
import type { DatasetSplits, Sample } from './types';

/** A folder-of-classes data set. */
export interface FolderDataset extends DatasetSplits {
  readonly dir: string;
  /** Files in the class folders that are no images by their names, relative to `dir`. */
  readonly ignored: readonly string[];
}

interface Found {
  readonly images: string[];
  readonly others: string[];
}

/** All files below a folder in sorted order; links are followed, loops are not. */
async function findFiles(dir: string, found: Found, above: readonly string[] = []): Promise<Found> {
  const real = await realpath(dir);
  if (above.includes(real)) return found;
  for (const name of (await readdir(dir)).sort()) {
    if (name.startsWith('.')) continue;
    const file = path.join(dir, name);
    const info = await stat(file).catch(() => null);
    if (info?.isDirectory()) await findFiles(file, found, [...above, real]);
    else (info?.isFile() && isImageName(name) ? found.images : found.others).push(file);
  }
  return found;
}

async function subfolders(dir: string): Promise<string[]> {
  const names = (await readdir(dir)).filter((name) => !name.startsWith('.')).sort();
  const kinds = await Promise.all(names.map(async (name) => (await stat(path.join(dir, name)).catch(() => null))?.isDirectory() ?? false));
  return names.filter((_, index) => kinds[index]);
}

/** The folder of each split: `dir` itself is the training split when it has no train folder. */
async function splitFolders(dir: string): Promise<Map<SplitName, string>> {
  const folders = new Map<SplitName, string>();
  const problems: string[] = [];
  for (const name of await subfolders(dir)) {
    const split = parseSplitName(name);
    if (split === undefined) continue;
    const earlier = folders.get(split);
    if (earlier !== undefined) problems.push(`"${path.basename(earlier)}" and "${name}" both mean the ${split} split`);
    folders.set(split, path.join(dir, name));
  }
  if (folders.size > 0 && !folders.has('train')) problems.push(`there are folders for ${[...folders.keys()].join(' and ')}, but none for train`);
  throwProblems(dir, problems, 'Keep one folder for each split.');
  return folders.has('train') ? folders : new Map([['train', dir]]);
}

async function classNames(dir: string, folders: ReadonlyMap<SplitName, string>, wanted: readonly string[] | undefined): Promise<string[]> {
  const found = await Promise.all([...folders.values()].map(subfolders));
  const names = sortedClasses(found.flat());
  if (names.length === 0) throw new DatasetError(`${dir}: no class folders. Expected one subfolder for each class with its images, e.g. NonCOVID and COVID, or train, val and test with those inside`);
  const problems: string[] = [];
  if (wanted !== undefined) {
    for (const name of names) if (!wanted.includes(name)) problems.push(`the folder "${name}" is not one of the classes ${wanted.join(', ')}`);
    for (const name of wanted) if (!names.includes(name)) problems.push(`the class "${name}" has no folder`);
  }
  const training = found[[...folders.keys()].indexOf('train')]!;
  for (const name of names) if (!training.includes(name)) problems.push(`the class "${name}" has no folder in the training split`);
  throwProblems(dir, problems, 'Rename the folders, or give the classes that are there.');
  return wanted === undefined ? names : [...wanted];
}

/**
 * Opens `dir/<class>/**` (everything is the training split; see `splitDataset`) or `dir/{train,val,test}/<class>/**`.
 *
 * @param options.classes class names in the order of their indices; default: the folder names, sorted
 * @throws DatasetError when there are no classes, a class has no images, or the splits' classes differ
 */
export async function openFolder(dir: string, options: FolderOptions = {}): Promise<FolderDataset> {
  const { classes: wanted } = checkOptions(folderOptionsSchema, options, 'openFolder');
  const root = path.resolve(checkArgument(pathSchema, dir, 'openFolder', 'dir'));
  if (!(await stat(root).catch(() => null))?.isDirectory()) throw new DatasetError(`${root} is not a folder. Expected one with a subfolder for each class`);
  const folders = await splitFolders(root);
  const classes = Object.freeze(await classNames(root, folders, wanted));
  const samples: Record<SplitName, Sample[] | undefined> = { train: undefined, validation: undefined, test: undefined };
  const ignored: string[] = [];
  const problems: string[] = [];
  for (const split of SPLIT_NAMES) {
    const folder = folders.get(split);
    if (folder === undefined) continue;
    const list: Sample[] = [];
    for (const [label, name] of classes.entries()) {
      const inside = path.join(folder, name);
      const found: Found = { images: [], others: [] };
      if ((await stat(inside).catch(() => null))?.isDirectory()) await findFiles(inside, found);
      const relative = (file: string): string => path.relative(root, file).split(path.sep).join('/');
      if (found.images.length === 0 && split === 'train') problems.push(`no images in ${relative(inside)}`);
      list.push(...found.images.map((file) => Object.freeze({ id: relative(file), source: file, label })));
      ignored.push(...found.others.map(relative));
    }
    if (list.length === 0 && split !== 'train') problems.push(`no images in ${path.basename(folder)}`);
    samples[split] = list;
  }
  throwProblems(root, problems, 'Each class folder must hold images (PNG, JPEG, WebP, GIF, TIFF, AVIF).');
  return { ...makeSplits(path.basename(root), classes, samples), dir: root, ignored };
}

/** Finds the images below a folder, and counts the files that it leaves out by reason. */
import type { Dirent } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { CovidCtError, DatasetError, messageOf, throwIfAborted } from '../errors';
import { LeftOutCounter } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { sourceOfBytes, textOfBytes } from './images/byte-path';
import { FIRST_BYTES, imageFormatOf } from './images/format';
import { isImageName } from './images/names';
import { isHidden, isSystemFile, isSystemFolder } from './system-names';
import type { ImageSource } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';

export const findImagesOptionsSchema = z.strictObject({ signal: signalSchema });
export type FindImagesOptions = z.input<typeof findImagesOptionsSchema>;

/** One image below a folder. */
export interface FoundImage {
  /** Path relative to the folder, separated by `/`; bytes that are not UTF-8 are written as `\xE9`. */
  readonly id: string;
  /** Its absolute path, or a source that opens it when the path cannot be a string. */
  readonly source: ImageSource;
}

/** The images below a folder, and what was left out. */
export interface FoundImages {
  readonly images: readonly FoundImage[];
  readonly leftOut: readonly LeftOut[];
}

/** Number of files that are inspected at the same time. */
const AT_ONCE = 32;

type Kind = 'image' | 'folder' | LeftOut['reason'];

/** An entry of a folder. */
export interface Entry {
  /** Name for messages, ids and sorting; not unique when it is not valid UTF-8. */
  readonly name: string;
  readonly file: Buffer;
  readonly dirent: Dirent<Buffer>;
}

/** Joins a folder and a name, both in bytes. */
export function joinBytes(dir: Buffer, name: Buffer): Buffer {
  return Buffer.concat([dir, Buffer.from(path.sep), name]);
}

/** Lists the entries of a folder, sorted by name. Throws the file system's own errors. */
export async function entriesOf(dir: Buffer): Promise<Entry[]> {
  const members = await readdir(dir, { withFileTypes: true, encoding: 'buffer' });
  const entries = members.map((dirent): Entry => ({
    name: textOfBytes(dirent.name),
    file: joinBytes(dir, dirent.name),
    dirent,
  }));
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Whether an entry is a folder or a link to one. */
export async function isFolderEntry({ file, dirent }: Entry): Promise<boolean> {
  if (!dirent.isSymbolicLink()) return dirent.isDirectory();
  return (await stat(file).catch(() => null))?.isDirectory() ?? false;
}

/** Whether the first bytes of a file are those of an image. Throws the file system's own errors. */
export async function isImageByContent(file: Buffer | string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    return imageFormatOf(buffer.subarray(0, bytesRead)) !== null;
  } finally {
    await handle.close();
  }
}

/**
 * Classifies a file. One with an image extension counts as an image; if it is not, decoding fails later. The first
 * bytes of any other file are checked, because an image must not be ignored for its name.
 */
async function kindOfFile({ name, file }: Entry): Promise<Kind> {
  const odd = isHidden(name) || isSystemFile(name);
  if (!odd && isImageName(name)) return 'image';
  const image = await isImageByContent(file).catch(() => null);
  if (image === true) return 'image';
  if (isSystemFile(name)) return 'system';
  if (isHidden(name)) return 'hidden';
  return image === null ? 'unreadable' : 'notAnImage';
}

/** Returns the target of a link, or why it has none. */
async function behindLink(file: Buffer): Promise<Pick<Dirent, 'isDirectory' | 'isFile'> | 'deadLink' | 'unreadable'> {
  try {
    return await stat(file);
  } catch (error) {
    return ['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
      ? 'deadLink'
      : 'unreadable';
  }
}

async function kindOf(entry: Entry): Promise<Kind> {
  const { name, file, dirent } = entry;
  const info = dirent.isSymbolicLink() ? await behindLink(file) : dirent;
  if (typeof info === 'string') return info;
  if (info.isDirectory()) return isSystemFolder(name) ? 'system' : isHidden(name) ? 'hidden' : 'folder';
  return info.isFile() ? kindOfFile(entry) : 'notAFile';
}

/** Collects the images of one or more folders, and the files that are left out. */
export class ImageFinder {
  readonly images: FoundImage[] = [];
  readonly leftOut = new LeftOutCounter();
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Adds everything below a folder; links are followed, loops are not.
   *
   * @param dir the folder
   * @param prefix prefix of the ids: empty, or ending in a slash
   * @param above real paths of the folders above it
   */
  async addFolder(dir: Buffer, prefix: string, above: readonly string[] = []): Promise<void> {
    throwIfAborted(this.#signal);
    const real = await realpath(dir, 'buffer').then(
      (bytes) => bytes.toString('latin1'),
      () => null,
    );
    if (real !== null && above.includes(real)) return this.leftOut.add('linkLoop', prefix);
    const entries = real === null ? null : await entriesOf(dir).catch(() => null);
    if (real === null || entries === null) return this.leftOut.add('unreadable', prefix);
    await this.addEntries(entries, prefix, [...above, real]);
  }

  /** Adds entries of a folder. */
  async addEntries(entries: readonly Entry[], prefix: string, above: readonly string[] = []): Promise<void> {
    for (let at = 0; at < entries.length; at += AT_ONCE) {
      throwIfAborted(this.#signal);
      const some = entries.slice(at, at + AT_ONCE);
      const kinds = await Promise.all(some.map(kindOf));
      for (const [index, entry] of some.entries()) {
        const kind = kinds[index]!;
        const id = `${prefix}${entry.name}`;
        if (kind === 'folder') await this.addFolder(entry.file, `${id}/`, above);
        else if (kind === 'image') this.images.push({ id, source: sourceOfBytes(entry.file) });
        else this.leftOut.add(kind, entry.dirent.isDirectory() ? `${id}/` : id);
      }
    }
  }
}

/**
 * Finds every image below a folder, at any depth, sorted by name.
 *
 * An image is a file with the extension or the first bytes of one, so a slice without an extension or with a wrong one
 * is found as well. Names are bytes: a file whose name is not UTF-8 is found and can be decoded. Files that are left
 * out are counted by reason: other files, dead links and loops, unreadable files, hidden files that are not images,
 * hidden folders, and the files and folders of operating systems (`Thumbs.db`, `@eaDir`, `__MACOSX`, ...).
 *
 * @param options
 *   - `signal`: stops between two folders
 * @throws DatasetError when `dir` is not a folder or cannot be read; AbortedError
 * @example
 * ```ts
 * import { Classifier, findImages } from 'covidct-torch';
 *
 * using model = await Classifier.load('runs/first');
 * const { images, leftOut } = await findImages('scans');
 * const predictions = await model.predict(images.map(({ source }) => source));
 * console.log(predictions.length, leftOut.length);
 * ```
 */
export async function findImages(dir: string, options: FindImagesOptions = {}): Promise<FoundImages> {
  const { signal } = checkOptions(findImagesOptionsSchema, options, 'findImages');
  const root = await checkFolder(checkArgument(pathSchema, dir, 'findImages', 'dir'), 'Expected a folder of images');
  const finder = new ImageFinder(signal);
  const bytes = Buffer.from(root);
  await finder.addEntries(await entriesOf(bytes), '', [(await realpath(bytes, 'buffer')).toString('latin1')]);
  return { images: finder.images, leftOut: finder.leftOut.list() };
}

/**
 * Checks that a folder exists and can be read, and returns its absolute path.
 *
 * @throws DatasetError saying what is wrong, followed by `expected`
 */
export async function checkFolder(dir: string, expected: string): Promise<string> {
  const root = path.resolve(dir);
  try {
    if (!(await stat(root)).isDirectory()) throw new DatasetError(`${root} is not a folder. ${expected}`);
    await readdir(root, { encoding: 'buffer' });
    return root;
  } catch (error) {
    if (error instanceof CovidCtError) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new DatasetError(
      `${root} ${isMissing ? 'does not exist' : `cannot be read: ${messageOf(error)}`}. ${expected}`,
      { cause: error },
    );
  }
}

/** Finds the images below a folder, and counts by reason whatever it leaves out. */
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
  /** Path relative to the folder, its parts separated by `/`; bytes that are no UTF-8 stand as `\xE9`. */
  readonly id: string;
  /** Its absolute path, or, where that cannot be a string, a source that opens it. */
  readonly source: ImageSource;
}

/** The images below a folder, and what was left out. */
export interface FoundImages {
  readonly images: readonly FoundImage[];
  readonly leftOut: readonly LeftOut[];
}

/** Files that are looked into at the same time. */
const AT_ONCE = 32;

type Kind = 'image' | 'folder' | LeftOut['reason'];

/** A member of a folder. */
export interface Entry {
  /** For people, ids and the order; not unique where it stands for bytes. */
  readonly name: string;
  readonly file: Buffer;
  readonly dirent: Dirent<Buffer>;
}

/** A path in bytes: a folder and a name in it. */
export function joinBytes(dir: Buffer, name: Buffer): Buffer {
  return Buffer.concat([dir, Buffer.from(path.sep), name]);
}

/** What lies in a folder, in the order of the names. Throws the file system's own errors. */
export async function entriesOf(dir: Buffer): Promise<Entry[]> {
  const members = await readdir(dir, { withFileTypes: true, encoding: 'buffer' });
  const entries = members.map((dirent): Entry => ({
    name: textOfBytes(dirent.name),
    file: joinBytes(dir, dirent.name),
    dirent,
  }));
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Whether a member is a folder, or a link to one. */
export async function isFolderEntry({ file, dirent }: Entry): Promise<boolean> {
  if (!dirent.isSymbolicLink()) return dirent.isDirectory();
  return (await stat(file).catch(() => null))?.isDirectory() ?? false;
}

/** Whether a file begins as an image. Throws the file system's own errors. */
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
 * A file that is named as an image is taken for one: if it is none, its decoding says so. Any other is looked into, for
 * a name must never make an image vanish.
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

/** What a link leads to, or why it leads nowhere. */
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

/** Collects images and what is left out, also of several folders. */
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
   * @param prefix of the ids: empty, or ending in a slash
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

  /** Adds some members of a folder. */
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
 * Finds every image below a folder, at any depth, in the order of the names.
 *
 * An image is what has the name of one, or begins as one: a slice without an ending or with another's is found as well.
 * Names are bytes: a file whose name is no UTF-8 is found and can be decoded. What is left out is counted by reason:
 * other files, dead links and loops, what cannot be read, hidden files that are no images, hidden folders, and the
 * files and folders of systems (`Thumbs.db`, `@eaDir`, `__MACOSX`, ...).
 *
 * @param options
 *   - `signal`: stops between two folders
 * @throws DatasetError when `dir` is no folder or cannot be read; AbortedError
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
 * The absolute path of a folder that is there and can be read.
 *
 * @throws DatasetError saying which of it is not so; `expected` is put behind
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

/** Turns the words of a command line into images: files, folders, lists of paths, and standard input. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { messageOf, throwIfAborted } from '../errors';
import { findImages, InvalidOptionError } from '../index';
import { sourceOfBytes } from '../data/images/byte-path';
import type { ImageSource, LeftOut } from '../index';
import { leftOutText } from '../files/left-out';
import type { Io } from './io';
import { listedPaths } from './path-list';

/** A path of a list where no image is. */
export interface MissingImage {
  /** The path, for the result. */
  readonly name: string;
  readonly problem: string;
  /** Where the list names it. */
  readonly where: string;
}

/** One image, or why there is none. */
export type GivenImage = { readonly name: string; readonly source: ImageSource } | MissingImage;

/** The images of a command line, none of which is opened before its turn. */
export interface GivenImages {
  /** null where a list says only while it is read. */
  readonly total: number | null;
  /** Tells what of the folders is left out; called for each of them. */
  readonly images: (onLeftOut: (leftOut: readonly LeftOut[]) => void) => AsyncGenerator<GivenImage>;
}

/** For `--help`, and in the commands' words. */
export const SOURCES_HELP = `
A folder stands for the images in it and in its folders. @FILE is a list of paths, one per line or separated by NUL, @-
such a list on standard input, and - an image on standard input; a file of such a name is ./@FILE or ./-.`;

/** Bytes that an image on standard input may have. */
const MOST_BYTES = 1024 ** 3;

/** How results name an image of a folder or a list. */
function nameOf(source: ImageSource): string {
  if (typeof source === 'string') return source;
  return 'name' in source ? source.name : `(${source.byteLength} bytes)`;
}

function refuse(path: string, message: string): InvalidOptionError {
  return new InvalidOptionError(`${path}: ${message}`);
}

type Part = { readonly path: string } & (
  | { readonly kind: 'file' | 'list' | 'input' }
  | { readonly kind: 'folder'; readonly images: GivenImage[]; readonly leftOut: readonly LeftOut[] }
);

async function inFolder(path: string): Promise<Part & { kind: 'folder' }> {
  const found = await findImages(path);
  // By the path as it was given: that is how the results name them.
  const images = found.images.map(({ id, source }): GivenImage => {
    const name = join(path, id);
    return { source: typeof source === 'string' ? name : source, name };
  });
  return { path, kind: 'folder', images, leftOut: found.leftOut };
}

function emptyFolder(leftOut: readonly LeftOut[]): string {
  return `the folder holds no image${leftOut.length === 0 ? '' : `: ${leftOutText(leftOut)}`}`;
}

async function partOf(path: string): Promise<Part> {
  if (path === '-') return { path, kind: 'input' };
  if (path === '@-') return { path, kind: 'list' };
  const file = path.startsWith('@') ? path.slice(1) : path;
  const info = await stat(file).catch((error: unknown) => {
    throw refuse(
      file,
      path === file
        ? messageOf(error)
        : `expected a list of paths: ${messageOf(error)} (a file called ${path} is ./${path})`,
    );
  });
  if (path !== file && info.isDirectory())
    throw refuse(file, 'expected a list of paths, got a folder; give it without the @');
  if (path !== file) return { path, kind: 'list' };
  if (!info.isDirectory()) return { path, kind: 'file' };
  const folder = await inFolder(path);
  if (folder.images.length === 0) throw refuse(path, emptyFolder(folder.leftOut));
  return folder;
}

function standardInput(io: Io, path: string): NonNullable<Io['stdin']> {
  const { stdin } = io;
  if (stdin === undefined || stdin.isTTY === true)
    throw refuse(path, 'expected it on standard input, which is a terminal; use a pipe or <');
  return addAbortSignal(io.signal, stdin);
}

async function imageOfInput(io: Io): Promise<GivenImage> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of standardInput(io, '-') as AsyncIterable<Buffer | string>) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    size += bytes.length;
    if (size > MOST_BYTES) throw refuse('-', `the image on standard input has more than ${MOST_BYTES} bytes`);
    parts.push(bytes);
  }
  if (size === 0) throw refuse('-', 'expected an image on standard input; it is empty');
  return { name: '-', source: Buffer.concat(parts) };
}

async function* imagesOfList(
  list: string,
  io: Io,
  onLeftOut: (leftOut: readonly LeftOut[]) => void,
): AsyncGenerator<GivenImage> {
  const fromInput = list === '@-';
  const name = fromInput ? 'standard input' : list.slice(1);
  const stream = fromInput ? standardInput(io, list) : addAbortSignal(io.signal, createReadStream(name));
  let count = 0;
  for await (const { path, line } of listedPaths(stream as AsyncIterable<Buffer | string>, name)) {
    count += 1;
    const source = sourceOfBytes(path);
    const image = { name: nameOf(source), source };
    const where = `${name}:${line}`;
    const info = await stat(path).catch(messageOf);
    if (typeof info === 'string') yield { name: image.name, problem: info, where };
    else if (info.isDirectory() && typeof source === 'string') {
      const { images, leftOut } = await inFolder(source);
      if (images.length === 0) yield { name: image.name, problem: emptyFolder(leftOut), where };
      else onLeftOut(leftOut);
      yield* images;
    } else yield image;
  }
  if (count === 0) throw refuse(name, 'expected a list with one path per line; it is empty');
}

/**
 * Looks at what was named; lists and standard input are read when it is their turn, so that they may have any length.
 *
 * @throws InvalidOptionError for a path that does not exist, a folder without images, and standard input named twice
 */
export async function givenImages(paths: readonly string[], io: Io): Promise<GivenImages> {
  if (paths.filter((path) => path === '-' || path === '@-').length > 1)
    throw refuse('-', 'standard input can be read once; it is named twice');
  const parts: Part[] = [];
  for (const path of paths) parts.push(await partOf(path));
  const total = parts.some(({ kind }) => kind === 'list')
    ? null
    : parts.reduce((sum, part) => sum + (part.kind === 'folder' ? part.images.length : 1), 0);
  async function* images(onLeftOut: (leftOut: readonly LeftOut[]) => void): AsyncGenerator<GivenImage> {
    for (const part of parts) {
      if (part.kind === 'folder') {
        onLeftOut(part.leftOut);
        yield* part.images;
      } else if (part.kind === 'list') yield* imagesOfList(part.path, io, onLeftOut);
      else yield part.kind === 'input' ? await imageOfInput(io) : { name: part.path, source: part.path };
    }
  }
  return {
    total,
    images: async function* (onLeftOut) {
      try {
        yield* images(onLeftOut);
      } catch (error) {
        throwIfAborted(io.signal);
        throw error;
      }
    },
  };
}

/** The result for a path of a list where no image is. Throws InvalidOptionError unless such files are skipped. */
export function whyMissing(
  { name, problem, where }: MissingImage,
  onBadFile: 'error' | 'skip' | undefined,
): { readonly path: string; readonly error: string } {
  if (onBadFile === 'skip') return { path: name, error: problem };
  throw refuse(where, `${name}: ${problem}; correct the list, or leave such files out with --on-bad-file skip`);
}

/** Images in groups of `size`, the last one smaller. */
export async function* inGroups(images: AsyncIterable<GivenImage>, size: number): AsyncGenerator<GivenImage[]> {
  let group: GivenImage[] = [];
  for await (const image of images) {
    group.push(image);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Turns the paths of a command line into image files; a folder stands for the images in it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findImages, InvalidOptionError } from '../index';
import type { ImageSource, LeftOut } from '../index';
import { leftOutText, mergeLeftOut } from '../left-out';

/** Images that a command was given, and what of its folders it leaves out. */
export interface ImageFiles {
  readonly files: readonly ImageSource[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * @returns the files in the order given, those of a folder by name and at any depth
 * @throws InvalidOptionError for a path that does not exist and for a folder without images
 */
export async function imageFiles(paths: readonly string[]): Promise<ImageFiles> {
  const files: ImageSource[] = [];
  const leftOut: LeftOut[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (info === null) throw refuse(path, 'there is no such file or folder');
    if (!info.isDirectory()) {
      files.push(path);
      continue;
    }
    const found = await findImages(path);
    if (found.images.length === 0) throw refuse(path, `the folder holds no image${found.leftOut.length === 0 ? '' : `: ${leftOutText(found.leftOut)}`}`);
    // By the path as it was given: that is how the answers name them.
    files.push(...found.images.map(({ id, source }) => (typeof source === 'string' ? join(path, id) : source)));
    leftOut.push(...found.leftOut);
  }
  return { files, leftOut: mergeLeftOut(leftOut) };
}

/** How messages and answers name an image of a command line. */
export function nameOf(source: ImageSource): string {
  if (typeof source === 'string') return source;
  return 'name' in source ? source.name : `(${source.byteLength} bytes)`;
}

function refuse(path: string, message: string): InvalidOptionError {
  return new InvalidOptionError(`${path}: ${message}`, [{ path, message }]);
}

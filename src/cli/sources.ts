/** Turns the paths of a command line into image files; a folder stands for the images in it. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidOptionError, isImageName } from '../index';

/**
 * @returns the files in the order given, those of a folder by name and only those with the name of an image
 * @throws InvalidOptionError for a path that does not exist and for a folder without images
 */
export async function imageFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (info === null) throw refuse(path, 'there is no such file or folder');
    if (!info.isDirectory()) {
      files.push(path);
      continue;
    }
    const inside = (await readdir(path)).filter(isImageName).sort();
    if (inside.length === 0) throw refuse(path, 'the folder holds no image');
    files.push(...inside.map((name) => join(path, name)));
  }
  return files;
}

function refuse(path: string, message: string): InvalidOptionError {
  return new InvalidOptionError(`${path}: ${message}`, [{ path, message }]);
}

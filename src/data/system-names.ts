/**
 * The files and folders that operating systems and tools create beside images; none of them is a class or contains
 * data.
 */

const FOLDERS = new Set([
  '@eadir',
  '@recycle',
  '@recently-snapshot',
  '#recycle',
  '#snapshot',
  '__macosx',
  '__pycache__',
  '$recycle.bin',
  'recycler',
  'system volume information',
  'lost+found',
  'node_modules',
  'found.000',
  'windowsimageindexes',
  'network trash folder',
  'temporary items',
  'desktop db',
  'desktop df',
]);

const FILES = new Set([
  'thumbs.db',
  'ehthumbs.db',
  'ehthumbs_vista.db',
  'desktop.ini',
  '.ds_store',
  '.directory',
  '.picasa.ini',
  'picasa.ini',
  'icon\r',
  '.localized',
  'synofile_thumb',
]);

/** Whether a folder name is one that an operating system or a tool creates. */
export function isSystemFolder(name: string): boolean {
  return FOLDERS.has(name.toLowerCase());
}

/** Whether a file name is one that an operating system creates; `._x` contains macOS metadata of the file x. */
export function isSystemFile(name: string): boolean {
  return name.startsWith('._') || name.startsWith('SYNOFILE_THUMB') || FILES.has(name.toLowerCase());
}

/** Whether a name is hidden. */
export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

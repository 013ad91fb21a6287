/**
 * Files and folders that systems and tools put beside images; none of them is a class, and what they hold is no data.
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

/** Whether a folder of that name is a system's or a tool's own. */
export function isSystemFolder(name: string): boolean {
  return FOLDERS.has(name.toLowerCase());
}

/** Whether a file of that name is a system's own; `._x` holds what macOS knows of the file x. */
export function isSystemFile(name: string): boolean {
  return name.startsWith('._') || name.startsWith('SYNOFILE_THUMB') || FILES.has(name.toLowerCase());
}

/** Whether a name is hidden. */
export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

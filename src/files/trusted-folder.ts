/**
 * Refuses folders of the cache that somebody else could have filled: what lies there is loaded and executed, so whoever
 * can write there can run code as this user.
 */
import { lstatSync, readFileSync, realpathSync, statSync, type Stats } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, relative, resolve, sep } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import { makeFolderSync } from './write';
import { cacheFolder } from './cache-folder';

const GROUP_MAY_WRITE = 0o020;
const OTHERS_MAY_WRITE = 0o002;
const OTHERS_MAY_ENTER = 0o011;
/** In such a folder (as /tmp is) nobody but an entry's owner can rename or remove it. */
const STICKY = 0o1000;

function refused(path: string, what: string, remedy: string): CovidCtError {
  return new CovidCtError(
    'ERR_CACHE',
    `${path} ${what}, so what lies there may be anybody's and is not used. ${remedy}`,
  );
}

/** The user's name; undefined for a number without an entry, as some containers give their processes. */
function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** A group's row of /etc/group: name, password, number, members; undefined where it is not listed. */
function rowOfGroup(gid: number): string[] | undefined {
  try {
    const rows = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    return rows.find((fields) => fields[2] === String(gid));
  } catch {
    return undefined;
  }
}

/**
 * Is a group root's, or this user alone? Many systems make one for each user, who then lets it write by default; a
 * directory service's group, which is not listed, counts as one when it has the user's own number.
 */
function isOwnGroup(gid: number): boolean {
  if (gid === 0) return true;
  if (gid !== process.getgid?.()) return false;
  const row = rowOfGroup(gid);
  if (row === undefined) return gid === process.getuid?.();
  const name = nameOfUser();
  return row[0] === name && (row[3] ?? '').split(',').every((member) => member === '' || member === name);
}

function checkOwner(path: string, stats: Stats, uid: number): void {
  if (stats.uid === uid || stats.uid === 0) return;
  throw refused(
    path,
    `belongs to another user (number ${stats.uid}; this is ${uid})`,
    `Remove it, make it yours with \`chown -R ${uid} ${path}\`, or set XDG_CACHE_HOME to a folder of your own.`,
  );
}

function checkMode(path: string, stats: Stats): void {
  const remedy = `If nobody else has written there, run \`chmod go-w ${path}\`; else remove it.`;
  if ((stats.mode & OTHERS_MAY_WRITE) !== 0) throw refused(path, 'can be written by every user', remedy);
  if ((stats.mode & GROUP_MAY_WRITE) !== 0 && !isOwnGroup(stats.gid))
    throw refused(path, `can be written by a group (number ${stats.gid})`, remedy);
}

/** The folders above: whoever can rename there can put another folder in this one's place. */
function checkAbove(path: string): void {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode } = statSync(folder);
    if ((mode & OTHERS_MAY_WRITE) !== 0 && (mode & STICKY) === 0) {
      throw refused(
        path,
        `lies in ${folder}, in which every user can rename it`,
        `Run \`chmod +t ${folder}\`, or set XDG_CACHE_HOME to a folder of your own.`,
      );
    }
    if (folder === dirname(folder)) return;
  }
}

/** From the root down to the path itself: `/cache`, `/cache/libtorch`, `/cache/libtorch/2.13.0+cpu`. */
function chain(path: string, root: string): string[] {
  const below = relative(root, path);
  if (below === '') return [root];
  if (below.split(sep)[0] === '..' || resolve(below) === below) return [path];
  return below.split(sep).reduce<string[]>((paths, name) => [...paths, resolve(paths.at(-1)!, name)], [root]);
}

/**
 * Makes sure that nobody but this user (and root) can have put something into a folder, or in the place of a file.
 * Looks at the path and every folder up to the cache's root: the owner must be this user or root, and neither others
 * nor a group may write there (root's or one of this user alone may) unless a folder on the way is closed to them, as
 * those are that this library makes: below it the umask may have left a group's right to write. Above the root no
 * folder may be writable by all without being sticky. A symbolic link must be the user's own too, and its target is
 * looked at as well. On Windows, where folders of a user are closed to others by default, nothing is checked.
 *
 * @param path a folder or a file of the cache; where it lies elsewhere, it alone and what is above it is looked at
 * @param root the cache's root; the per-user cache by default
 * @throws CovidCtError ERR_CACHE with the path, what is wrong with it and the command that puts it right; ERR_CACHE
 *   too when it cannot be looked at
 *
 * @example assertTrustedFolder(addonFile); const native = require(addonFile);
 */
export function assertTrustedFolder(path: string, root: string = cacheFolder()): void {
  const uid = process.getuid?.();
  if (uid === undefined) return;
  try {
    const paths = chain(resolve(path), resolve(root));
    let closed = false; // nobody else can enter a folder on the way, so what lies below may have any mode
    for (const each of paths) {
      const link = lstatSync(each);
      checkOwner(each, link, uid);
      const leadsAway = link.isSymbolicLink();
      const stats = leadsAway ? statSync(each) : link;
      checkOwner(each, stats, uid);
      if (!closed || leadsAway) checkMode(each, stats);
      if (leadsAway) checkAbove(realpathSync(each));
      closed = (closed && !leadsAway) || (stats.mode & OTHERS_MAY_ENTER) === 0;
    }
    checkAbove(resolve(paths[0]!));
  } catch (error) {
    if (error instanceof CovidCtError) throw error;
    throw new CovidCtError('ERR_CACHE', `${path} cannot be looked at: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Makes a folder of the cache, closed to others where it is new, and checks it by {@link assertTrustedFolder}.
 *
 * @returns the folder
 * @throws CovidCtError ERR_CACHE, also when it cannot be made
 */
export function makeTrustedFolder(folder: string, root: string = cacheFolder()): string {
  try {
    makeFolderSync(folder, 0o700);
  } catch (error) {
    throw new CovidCtError(
      'ERR_CACHE',
      `${folder} cannot be made: ${messageOf(error)}; set XDG_CACHE_HOME to a folder you can write`,
      { cause: error },
    );
  }
  assertTrustedFolder(folder, root);
  return folder;
}

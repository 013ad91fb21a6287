/**
 * Refuses cache folders that another user could have written to: shared libraries are loaded from them, so write access
 * to such a folder means running code as this user.
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
/** In a sticky folder, such as /tmp, only the owner of an entry can rename or remove it. */
const STICKY = 0o1000;

function refused(path: string, what: string, remedy: string): CovidCtError {
  return new CovidCtError(
    'ERR_CACHE',
    `${path} ${what}, so another user may have changed its content; it is not used. ${remedy}`,
  );
}

/** Returns the user's name; undefined for a uid without an entry in /etc/passwd, as in some containers. */
function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** Returns a group's row of /etc/group (name, password, gid, members); undefined when it is not listed. */
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
 * Whether a group is root's or has this user as its only member. Many systems create a private group for each user and
 * set a umask that lets it write. A group of a directory service is not listed in /etc/group; it counts as private when
 * its gid equals the uid.
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

/** Checks the parent folders: anyone who can rename entries there can replace the folder with another. */
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

/** Lists the folders from the root to the path: `/cache`, `/cache/libtorch`, `/cache/libtorch/2.13.0+cpu`. */
function chain(path: string, root: string): string[] {
  const below = relative(root, path);
  if (below === '') return [root];
  if (below.split(sep)[0] === '..' || resolve(below) === below) return [path];
  return below.split(sep).reduce<string[]>((paths, name) => [...paths, resolve(paths.at(-1)!, name)], [root]);
}

/**
 * Makes sure that only this user and root can have written to a folder or replaced a file. Checks the path and every
 * folder up to the cache's root: the owner must be this user or root, and neither others nor a group (except root's and
 * a private one of this user) may have write permission. Below a folder that others cannot enter, such as those this
 * library creates, any mode is accepted, because the umask may grant a group write permission there. Above the root, a
 * world-writable folder must be sticky. A symbolic link must be owned by this user or root, and its target is checked
 * too. Nothing is checked on Windows, where the folders of a user are closed to others by default.
 *
 * @param path a folder or a file of the cache; for a path outside `root`, only it and its parents are checked
 * @param root the cache's root; the per-user cache by default
 * @throws CovidCtError ERR_CACHE with the path, what is wrong with it and the command that fixes it, or when the path
 *   cannot be inspected
 *
 * @example assertTrustedFolder(addonFile); const native = require(addonFile);
 */
export function assertTrustedFolder(path: string, root: string = cacheFolder()): void {
  const uid = process.getuid?.();
  if (uid === undefined) return;
  try {
    const paths = chain(resolve(path), resolve(root));
    let closed = false; // whether others cannot enter a parent folder, so that modes below it do not matter
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
    throw new CovidCtError('ERR_CACHE', `${path} cannot be inspected: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Creates a folder of the cache with mode 0700 where it is missing, and checks it with {@link assertTrustedFolder}.
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

/** What processes that were killed have left in a run folder: told from what is somebody's, and removed. */
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stemOfContentName } from '../files/content';
import { change } from '../files/operations';
import { fileError, finishedName, removeForGood, removeWhole, syncFolder } from '../files/write';

/** Everything a run may hold. Overwriting removes these and nothing else. */
export const CONTENTS = [
  'config.json',
  'history.jsonl',
  'weights',
  'model.json',
  'tensorboard',
  'metrics.json',
  'pictures',
  'report.html',
  'checkpoints',
  'progress.json',
];

/** What the configuration is called while the rest of its run is removed. */
export const REPLACED = 'config.json.replaced';
/** Files that nobody writes but the owner of the folder. */
const OF_OWNER = new Set(['config.json', 'history.jsonl', 'model.json', 'progress.json']);
/** Locks that come and go. */
export const LOCKS = new Set(['owner.lock', '.owner.lock', '.metrics.lock']);
/** No small file takes longer to be written; what is older was left. */
const LEFT_AFTER_MS = 60_000;

/** Whether a folder has nothing but weights or checkpoints of ours in it. */
async function holdsOnlyWeights(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => null);
  const isOurs = (name: string): boolean =>
    finishedName(name) !== null || stemOfContentName(name, '.safetensors') !== null;
  return names?.every(isOurs) ?? false;
}

/**
 * Whether a folder without a `config.json` is free for a run: it is empty, or holds what a training has left that was
 * killed before it had its first checkpoint or while an earlier run was removed, or what loggers have put there.
 */
export async function isFree(dir: string, entries: readonly string[]): Promise<boolean> {
  const isReplaced = entries.includes(REPLACED);
  for (const name of entries) {
    if (LOCKS.has(name) || name === 'tensorboard' || name === REPLACED || finishedName(name) !== null) continue;
    if (isReplaced && CONTENTS.includes(name)) continue;
    if ((name === 'weights' || name === 'checkpoints') && (await holdsOnlyWeights(join(dir, name)))) continue;
    return false;
  }
  return true;
}

/** Removes a run, or what is left of one; what is not of a run stays. Killed in between, the next call goes on. */
export async function removeRun(dir: string): Promise<void> {
  const config = join(dir, 'config.json');
  const replaced = join(dir, REPLACED);
  await change('rename', config, () => rename(config, replaced), replaced)
    .then(() => syncFolder(dir))
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw fileError('remove the earlier run', dir, error);
    });
  await removeForGood(dir, ['model.json']); // before the weights that it names
  await removeForGood(dir, CONTENTS);
  await removeWhole(replaced);
}

/** Removes unfinished files of killed processes from the folder of a run; to be called by its owner. */
export async function removeUnfinished(dir: string): Promise<void> {
  for (const folder of [dir, join(dir, 'pictures')]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const finished = finishedName(name);
      if (finished === null) continue;
      const path = join(folder, name);
      const isOwn = folder === dir && OF_OWNER.has(finishedName(finished) ?? finished);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity })); // renamed by its writer just now
      if (isOwn || mtimeMs < Date.now() - LEFT_AFTER_MS) await removeWhole(path);
    }
  }
}

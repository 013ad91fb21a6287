/** Removes runs that nobody needs any more, and nothing else. */
import { lstat, readdir, realpath, rmdir } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { messageOf, throwIfAborted } from '../errors';
import { change } from '../files/operations';
import { finishedName, removeForGood, removeWhole } from '../files/write';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { CONTENTS, LOCKS, REPLACED } from '../train/leftovers';
import { problemOf, weigh } from './find';
import { listRunsIn } from './list';
import { pruneSchema } from './options';
import type { PruneOptions } from './options';
import { summarizeRun } from './summary';
import type { World } from './summary';
import { WORLD } from './world';
import { ENDED_STATES } from './types';
import type { EndedState, PrunedRun, PruneResult, RunProblem, RunSummary } from './types';

type Wanted = Required<Omit<PruneOptions, 'signal' | 'states'>> & { readonly states: readonly EndedState[] };

const DAY_MS = 24 * 3600 * 1000;

/** Whether a name in a run folder is of this library's own, files that a killed process left unfinished among them. */
const isOwn = (name: string): boolean => {
  const finished = finishedName(name) ?? name;
  return LOCKS.has(finished) || finished === REPLACED || CONTENTS.includes(finished);
};

/** What tells the state of a run goes after the rest, so that what is left can be pruned again. */
const MARKS = ['history.jsonl', 'config.json'];

const isEnded = (state: RunSummary['state']): state is EndedState =>
  (ENDED_STATES as readonly string[]).includes(state);

/** The best runs by a metric of the validation split; runs without that metric are none of them. */
function bestRuns(runs: readonly RunSummary[], { keep, by }: Wanted): Set<RunSummary> {
  const valueOf = ({ metrics }: RunSummary): number => {
    const value = metrics['validation']?.[by] ?? Number.NaN;
    return by === 'loss' ? -value : value;
  };
  const ranked = runs.filter((run) => !Number.isNaN(valueOf(run))).sort((a, b) => valueOf(b) - valueOf(a));
  return new Set(ranked.slice(0, keep));
}

/** Whether it lies below the folder itself, and not behind a link that leads elsewhere. */
async function liesBelow(root: string, dir: string): Promise<boolean> {
  const [top, path] = await Promise.all([realpath(root), realpath(dir)]);
  return path === top || path.startsWith(top.endsWith(sep) ? top : `${top}${sep}`);
}

/** Runs that were asked for, and the reason for each that stays all the same. */
async function choose(
  root: string,
  runs: readonly RunSummary[],
  wanted: Wanted,
  now: number,
): Promise<{ chosen: RunSummary[]; spared: { dir: string; why: string }[] }> {
  const best = bestRuns(runs, wanted);
  const chosen: RunSummary[] = [];
  const spared: { dir: string; why: string }[] = [];
  for (const run of runs) {
    const { dir, state, changed } = run;
    if (!isEnded(state) || !wanted.states.includes(state)) continue;
    if (now - Date.parse(changed) < wanted.olderThanDays * DAY_MS) continue;
    if (best.has(run)) spared.push({ dir, why: `it is one of the ${wanted.keep} best by validation ${wanted.by}` });
    else if (!(await liesBelow(root, dir).catch(() => false)))
      spared.push({ dir, why: 'only a link leads to it from here; prune it where it lies' });
    else chosen.push(run);
  }
  return { chosen, spared };
}

/** What there is to be removed of a run; null where there is nothing. */
async function planOf(run: RunSummary, { checkpoints }: Wanted, problems: RunProblem[]): Promise<PrunedRun | null> {
  const { dir } = run;
  const state = run.state as EndedState;
  const folder = join(dir, 'checkpoints');
  const isThere = (await lstat(folder).catch(() => null))?.isDirectory() === true;
  const hasCheckpoints = isThere && (await readdir(folder)).length > 0;
  if (checkpoints) {
    const bytes = isThere ? (await weigh(folder, problems)).bytes : 0;
    return isThere ? { dir, state, what: 'checkpoints', bytes, hasCheckpoints, left: [] } : null;
  }
  const left = (await readdir(dir)).filter((name) => !isOwn(name)).sort();
  const foreign = await Promise.all(left.map((name) => bytesOf(join(dir, name), problems)));
  const bytes = run.bytes - foreign.reduce((sum, each) => sum + each, 0);
  return { dir, state, what: 'run', bytes, hasCheckpoints, left };
}

async function bytesOf(path: string, problems: RunProblem[]): Promise<number> {
  const info = await lstat(path).catch(() => null);
  return info === null ? 0 : info.isDirectory() ? (await weigh(path, problems)).bytes : info.size;
}

/**
 * Removes what was planned, with the folder held against whoever would go on with the run. What marks the folder as a
 * run goes last, so that what is left can be pruned again.
 */
async function remove({ dir, what }: PrunedRun, world: World, signal: AbortSignal | undefined): Promise<void> {
  const held = await world.own(dir, signal);
  try {
    const own = what === 'checkpoints' ? ['checkpoints'] : (await readdir(dir)).filter(isOwn);
    // The locks come and go by themselves.
    if (what === 'run') await removeForGood(dir, ['model.json']); // before the weights that it names
    for (const name of own.filter((each) => !LOCKS.has(each) && !MARKS.includes(each))) {
      await held.assertHeld();
      await removeWhole(join(dir, name));
    }
    await removeForGood(dir, []);
    if (what === 'run') for (const mark of MARKS) await removeForGood(dir, [mark]);
  } finally {
    await held.release();
  }
  if (what === 'checkpoints') return;
  await change('remove', dir, () => rmdir(dir)).catch((error: NodeJS.ErrnoException) => {
    if (!['ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error;
  });
}

/** Removes a run unless somebody has gone on with it since the list was made. Returns why it stays, or null. */
async function removeUnlessChanged(
  plan: PrunedRun,
  world: World,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const now = await summarizeRun(plan.dir, world, []);
  if (now?.state !== plan.state) return `it is ${now?.state ?? 'gone'} by now`;
  try {
    await remove(plan, world, signal);
    return null;
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_BUSY') throw error;
    return messageOf(error);
  }
}

/** The same for a world that a test makes. */
export async function pruneRunsIn(dir: string, options: PruneOptions, world: World): Promise<PruneResult> {
  const { signal, dryRun, ...asked } = checkOptions(pruneSchema, options, 'pruneRuns');
  const wanted: Wanted = {
    ...asked,
    dryRun,
    states: asked.states ?? (asked.checkpoints ? ['finished'] : ['killed', 'failed']),
  };
  const list = await listRunsIn(dir, world, signal);
  const problems = [...list.problems];
  const { chosen, spared } = await choose(resolve(dir), list.runs, wanted, world.now());
  const removed: PrunedRun[] = [];
  const failed: RunProblem[] = [];
  for (const run of chosen) {
    throwIfAborted(signal);
    try {
      const plan = await planOf(run, wanted, problems);
      if (plan === null) continue;
      const why = dryRun ? null : await removeUnlessChanged(plan, world, signal);
      if (why === null) removed.push(plan);
      else spared.push({ dir: run.dir, why });
    } catch (error) {
      failed.push(problemOf(run.dir, error));
    }
  }
  return { dryRun, removed, spared, bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0), failed, problems };
}

/**
 * Removes runs below a folder that were killed or failed, or others that are asked for. Removed is what a run folder is
 * known to hold; whatever else lies in it stays, with the folder. A run that a process is or may be at work in is never
 * touched, nor is one behind a link that leads elsewhere. Nothing is removed unless `dryRun` is false: what would be is
 * told.
 *
 * @param dir a folder with runs below it
 * @throws CovidCtError ERR_RUN_FOLDER when the folder cannot be read; AbortedError; InvalidOptionError. What could not
 *   be removed is in `failed`
 * @example
 * ```ts
 * import { pruneRuns } from 'covidct-torch/runs';
 *
 * const { removed, bytes } = await pruneRuns('runs', { states: ['killed', 'failed'], olderThanDays: 30 });
 * for (const each of removed) console.log(`${each.dir} would be removed: ${each.state}, ${each.bytes} bytes`);
 * console.log(bytes); // await pruneRuns('runs', { ..., dryRun: false }) removes them
 * ```
 */
export async function pruneRuns(dir: string, options: PruneOptions = {}): Promise<PruneResult> {
  checkArgument(pathSchema, dir, 'pruneRuns', 'dir');
  return await pruneRunsIn(dir, options, WORLD);
}

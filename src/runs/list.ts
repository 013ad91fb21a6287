/** Lists the runs below a folder. */
import { resolve } from 'node:path';
import { throwIfAborted } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { findRuns } from './find';
import { listSchema } from './options';
import { summarizeRun } from './summary';
import type { World } from './summary';
import { WORLD } from './world';
import type { RunList, RunSummary } from './types';

/** The same for a world that a test makes. */
export async function listRunsIn(dir: string, world: World, signal?: AbortSignal): Promise<RunList> {
  const { dirs, problems: found } = await findRuns(resolve(dir), signal);
  const problems = [...found];
  const runs: RunSummary[] = [];
  for (const each of dirs) {
    throwIfAborted(signal);
    const run = await summarizeRun(each, world, problems);
    if (run !== null) runs.push(run);
  }
  const age = ({ created, dir: at }: RunSummary): string => `${created ?? ''}\n${at}`;
  return { runs: runs.sort((a, b) => (age(a) < age(b) ? -1 : 1)), problems };
}

/**
 * Every run below a folder: its state, epochs, best metrics, time and size. A run is a folder whose `config.json` says
 * so. Runs are not looked into; hidden folders and `node_modules` are passed over; links to folders are followed, to
 * each folder once.
 *
 * @param dir a folder, or a run
 * @param options `signal` ends the search
 * @throws CovidCtError ERR_RUN_FOLDER when the folder cannot be read; AbortedError; InvalidOptionError. What cannot be
 *   read below it is in `problems`
 * @example
 * ```ts
 * import { listRuns } from 'covidct-torch/runs';
 *
 * const { runs, problems } = await listRuns('runs');
 * for (const { dir, state, metrics } of runs) console.log(dir, state, metrics['validation']?.auc);
 * for (const { message } of problems) console.log(message);
 * ```
 */
export async function listRuns(dir: string, options: { readonly signal?: AbortSignal } = {}): Promise<RunList> {
  checkArgument(pathSchema, dir, 'listRuns', 'dir');
  const { signal } = checkOptions(listSchema, options, 'listRuns');
  return await listRunsIn(dir, WORLD, signal);
}

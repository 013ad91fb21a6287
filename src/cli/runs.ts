/** `covidct runs`: the runs below a folder listed, compared and pruned. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { BEST_BY } from '../metrics/registry';
import { compareRuns, listRuns, pruneRuns } from '../runs/index';
import type { PruneOptions, RunProblem } from '../runs/index';
import { ENDED_STATES } from '../runs/types';
import { EXIT } from './exit-codes';
import { names, number } from './flags';
import { byteSize, comparisonText, prunedText, runsText } from './format/runs';
import { during, note, print, printJson } from './io';
import type { Io, OutputFlags } from './io';

type Run = (work: (io: Io) => Promise<number>) => Promise<void>;
type State = (typeof ENDED_STATES)[number];

interface PruneFlags extends OutputFlags, Pick<PruneOptions, 'keep' | 'by' | 'checkpoints'> {
  readonly state?: readonly State[];
  /** Days. */
  readonly olderThan?: number;
  readonly yes?: boolean;
}

const EXAMPLES = `
Examples:
  $ covidct runs runs                                    every run below the folder
  $ covidct runs compare runs/first runs/tuned           on the validation split, which is there to choose by
  $ covidct runs compare runs/first runs/tuned --split test
  $ covidct runs prune runs                              shows what would be removed: runs that were killed or failed
  $ covidct runs prune runs --older-than 30d --yes

States: running; finished; stopped (aborted on request); failed (an error); killed (its process ended without a word);
unknown (a process on another machine, or of an earlier version, may be at work). While a training runs, progress.json
in its folder tells how far it is.`;

const LIST_EXAMPLES = `
Examples:
  $ covidct runs list runs
  $ covidct runs runs --json | jq 'select(.state == "running") | .progress'`;

const COMPARE_EXAMPLES = `
Examples:
  $ covidct runs compare runs/first runs/tuned
  $ covidct runs compare runs/a runs/b runs/c --json

The first run is what the others are compared with, on the same images: by McNemar's exact test of what is called right
and, for two classes, DeLong's test of the AUC. Metrics of the test split come from covidct evaluate --split test;
choose by the validation split, and look at the test split once, at the very end.`;

const PRUNE_EXAMPLES = `
Examples:
  $ covidct runs prune runs                                       what would be removed
  $ covidct runs prune runs --state killed,failed,stopped --older-than 2w --yes
  $ covidct runs prune runs --state finished --keep 3 --by auc    all finished runs but the three best
  $ covidct runs prune runs --checkpoints --yes                   of finished runs, what they would go on from

Removed is what a run folder is known to hold; other files in it stay. A run that is running or unknown is never
touched.`;

/** Adds the command and its verbs. */
export function addRuns(program: Command, run: Run): void {
  const runs = program
    .command('runs')
    .summary('list, compare and prune runs')
    .description('The runs below a folder: how each is and was, how they differ, and which can go.')
    .addHelpText('after', EXAMPLES);
  runs
    .command('list <dir>', { isDefault: true })
    .summary('every run below a folder (the default)')
    .description('Lists every run below a folder: state, epochs, best metrics, time and size, the oldest first.')
    .option('--json', 'write one JSON object per run and line')
    .option('--quiet', 'say nothing but errors and what could not be read')
    .addHelpText('after', LIST_EXAMPLES)
    .action((dir: string, flags: OutputFlags) => run((io) => list(dir, flags, io)));
  runs
    .command('compare <first> <others...>')
    .summary('runs side by side')
    .description('Shows in what runs differ: configuration, metrics with 95 % intervals, and paired tests.')
    .addOption(new Option('--split <name>', 'which metrics').choices(['validation', 'test']).default('validation'))
    .option('--json', 'write one JSON object to standard output')
    .addHelpText('after', COMPARE_EXAMPLES)
    .action((first: string, others: string[], flags: OutputFlags & { split: 'validation' | 'test' }) =>
      run((io) => compare([first, ...others], flags, io)),
    );
  addPrune(runs, run);
}

function addPrune(runs: Command, run: Run): void {
  runs
    .command('prune <dir>')
    .summary('remove runs that nobody needs')
    .description('Shows which runs below a folder would be removed, and with --yes removes them.')
    .option(
      '--state <names>',
      `in which states, of ${ENDED_STATES.join(', ')} (default: killed,failed; with --checkpoints: finished)`,
      states,
    )
    .option('--older-than <age>', 'in which nothing has changed for so long, e.g. 12h, 30d or 4w', days)
    .option('--keep <n>', 'leave the n best runs below the folder, whatever their state', number)
    .addOption(
      new Option(
        '--by <metric>',
        'metric of the validation split by which runs are the best (default: accuracy)',
      ).choices(BEST_BY),
    )
    .option('--checkpoints', 'remove only the folder checkpoints, from which a training would go on')
    .option('--yes', 'remove; without it nothing is')
    .option('--json', 'write one JSON object to standard output')
    .option('--quiet', 'say nothing but errors and what could not be read')
    .addHelpText('after', PRUNE_EXAMPLES)
    .action((dir: string, flags: PruneFlags) => run((io) => prune(dir, flags, io)));
}

function states(text: string): State[] {
  const list = names(text);
  const wrong = list.find((each) => !(ENDED_STATES as readonly string[]).includes(each));
  if (wrong !== undefined) throw new InvalidArgumentError(`expected states out of ${ENDED_STATES.join(', ')}`);
  return list as State[];
}

/** An age as days. */
function days(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([hdw])$/.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('expected hours, days or weeks such as 12h, 30d or 4w');
  return Number(match[1]) * { h: 1 / 24, d: 1, w: 7 }[match[2] as 'h' | 'd' | 'w'];
}

/** Also with `--quiet`, for nothing may vanish without a word. */
function notice(io: Io, problems: readonly RunProblem[]): void {
  for (const { message } of problems) note(io, {}, `not read: ${message}`);
}

async function list(dir: string, flags: OutputFlags, io: Io): Promise<number> {
  const { runs, problems } = await during(io, flags, `looking for runs in ${dir}`, () =>
    listRuns(dir, { signal: io.signal }),
  );
  if (flags.json === true) for (const each of runs) printJson(io, each);
  else if (runs.length > 0) print(io, runsText(runs, dir));
  if (runs.length === 0) note(io, flags, `${dir}: there is no run below this folder`);
  notice(io, problems);
  return EXIT.ok;
}

async function compare(
  dirs: readonly string[],
  flags: OutputFlags & { readonly split: 'validation' | 'test' },
  io: Io,
): Promise<number> {
  const comparison = await compareRuns(dirs, { split: flags.split });
  if (flags.json === true) printJson(io, comparison);
  else print(io, comparisonText(comparison));
  return EXIT.ok;
}

async function prune(dir: string, flags: PruneFlags, io: Io): Promise<number> {
  const { state, olderThan, keep, by, checkpoints, yes } = flags;
  const result = await during(io, flags, `looking for runs in ${dir}`, () =>
    pruneRuns(dir, {
      states: state,
      olderThanDays: olderThan,
      keep,
      by,
      checkpoints,
      dryRun: yes !== true,
      signal: io.signal,
    }),
  );
  const { removed, spared, bytes, failed, problems, dryRun } = result;
  if (flags.json === true) printJson(io, result);
  else {
    if (removed.length > 0 && flags.quiet !== true) print(io, prunedText(removed, dir, dryRun));
    for (const each of spared) note(io, flags, `stays: ${each.dir}: ${each.why}`);
    const what = `${removed.length} ${removed.length === 1 ? 'run' : 'runs'}, ${byteSize(bytes)}`;
    const advice = dryRun && removed.length > 0 ? '; nothing was removed: --yes removes it' : '';
    note(io, flags, removed.length === 0 ? 'nothing to remove' : `${what}${advice}`);
  }
  notice(io, problems);
  for (const { message } of failed) note(io, {}, `not removed: ${message}`);
  return failed.length > 0 ? EXIT.failure : EXIT.ok;
}

/** Puts runs side by side: their configurations, their metrics, and whether they differ by more than chance. */
import { CovidCtError } from '../errors';
import { delongTest, mcnemarTest } from '../metrics/paired';
import type { PairedAuc } from '../metrics/paired';
import { METRICS } from '../metrics/registry';
import type { Interval, Rate } from '../metrics/intervals';
import type { Evaluation, ScoredSample } from '../metrics/types';
import { checkArgument, checkOptions } from '../options/check';
import { describeValue } from '../text/describe';
import { RunFolder } from '../train/run-folder';
import type { RunConfig } from '../train/run-schema';
import { differencesOf } from './differences';
import { compareSchema, dirsSchema } from './options';
import type { CompareOptions } from './options';
import type { ComparedMetric, RunComparison, RunPair } from './types';

interface Opened {
  readonly dir: string;
  readonly config: RunConfig;
  readonly evaluation: Evaluation;
}

/** Names of a message; a data set has hundreds. */
const MOST_NAMES = 3;

function refuse(message: string): never {
  throw new CovidCtError('ERR_RUN_FOLDER', message);
}

async function openRun(dir: string, split: 'validation' | 'test'): Promise<Opened> {
  const folder = await RunFolder.open(dir);
  const [config, metrics] = [await folder.config(), await folder.metrics()];
  const evaluation = metrics[split];
  if (evaluation !== undefined) return { dir: folder.dir, config, evaluation };
  const others = Object.keys(metrics);
  return refuse(
    `${folder.dir}: there are no metrics of its ${split} split` +
      `${others.length === 0 ? '' : `, only of ${others.join(' and ')}`}; make them: ` +
      `covidct evaluate --model ${folder.dir} --split ${split}`,
  );
}

function named(ids: readonly string[]): string {
  const few = ids.slice(0, MOST_NAMES).map(describeValue).join(', ');
  return ids.length > MOST_NAMES ? `${few} and ${ids.length - MOST_NAMES} more` : few;
}

const byId = ({ samples }: Evaluation): Map<string, ScoredSample> => new Map(samples.map((each) => [each.id, each]));

/** The samples of both in the order of the first. Refuses runs whose samples are not the same. */
function aligned(first: Opened, second: Opened): (readonly [ScoredSample, ScoredSample])[] {
  const { classes, split } = first.evaluation;
  const advice = `evaluate both on the same data: covidct evaluate --model RUN --data PATH --split ${split}`;
  const differ = (how: string): never =>
    refuse(`${first.dir} and ${second.dir} were not evaluated on the same ${split} samples: ${how}; ${advice}`);
  if (classes.join('\n') !== second.evaluation.classes.join('\n'))
    differ(`the classes are ${classes.join(', ')} and ${second.evaluation.classes.join(', ')}`);
  const [ours, theirs] = [byId(first.evaluation), byId(second.evaluation)];
  for (const [{ dir, evaluation }, map] of [
    [first, ours],
    [second, theirs],
  ] as const)
    if (map.size < evaluation.samples.length) differ(`several samples of ${dir} have one and the same id`);
  const missing = (from: Map<string, ScoredSample>, other: Map<string, ScoredSample>): string[] =>
    [...from.keys()].filter((id) => !other.has(id));
  for (const [ids, dir] of [
    [missing(ours, theirs), first.dir],
    [missing(theirs, ours), second.dir],
  ] as const)
    if (ids.length > 0) differ(`${ids.length === 1 ? '1 is' : `${ids.length} are`} in ${dir} alone: ${named(ids)}`);
  const pairs = first.evaluation.samples.map((sample) => [sample, theirs.get(sample.id)!] as const);
  const relabeled = pairs.filter(([a, b]) => a.label !== b.label).map(([{ id }]) => id);
  if (relabeled.length > 0) differ(`${relabeled.length} have another label: ${named(relabeled)}`);
  return pairs;
}

function pairOf(first: Opened, second: Opened): RunPair {
  const pairs = aligned(first, second);
  if (pairs.length === 0) refuse(`${first.dir}: no samples were scored, so there is nothing to compare`);
  const labels = pairs.map(([{ label }]) => label);
  const [calls, otherCalls] = [pairs.map(([a]) => a.predicted), pairs.map(([, b]) => b.predicted)];
  const isTwoSided = first.evaluation.classes.length === 2 && new Set(labels).size === 2;
  const auc: PairedAuc | null = isTwoSided
    ? delongTest(
        labels,
        pairs.map(([a]) => a.probabilities[1]!),
        pairs.map(([, b]) => b.probabilities[1]!),
      )
    : null;
  return { first: first.dir, second: second.dir, mcnemar: mcnemarTest(labels, calls, otherCalls), auc };
}

/** The 95 % interval of a metric, where it has one. */
function intervalOf({ intervals }: Evaluation, key: string): Interval | null {
  const entry = (intervals as Readonly<Record<string, Rate | Interval | null | undefined>>)[key] ?? null;
  return entry !== null && 'interval' in entry ? entry.interval : entry;
}

function metricsOf(evaluations: readonly Evaluation[]): ComparedMetric[] {
  const loss: ComparedMetric = {
    key: 'loss',
    title: 'Mean loss, nats',
    values: evaluations.map((each) => each.loss),
    intervals: evaluations.map(() => null),
  };
  return [
    loss,
    ...METRICS.map(({ key, title }) => ({
      key,
      title,
      values: evaluations.map((each) => each[key] ?? null),
      intervals: evaluations.map((each) => intervalOf(each, key)),
    })),
  ];
}

/**
 * Runs side by side: in what their configurations differ, their metrics with 95 % intervals, and each against the
 * first on the same samples, by McNemar's exact test of what is called right and, for two classes, DeLong's test of the
 * AUC. The p values are not corrected for the number of runs.
 *
 * @param dirs two run folders or more; the first is what the others are compared with
 * @param options `split`: `validation` (default), which is there to choose by, or `test`
 * @throws CovidCtError ERR_RUN_FOLDER when one is no run, has no metrics of the split, or was not evaluated on the same
 *   samples with the same labels; InvalidOptionError
 * @example
 * ```ts
 * import { compareRuns } from 'covidct-torch/runs';
 *
 * const { differences, metrics, pairs } = await compareRuns(['runs/first', 'runs/tuned']);
 * for (const { option, values } of differences) console.log(option, ...values);
 * for (const { title, values, intervals } of metrics) console.log(title, values, intervals);
 * console.log(pairs[0]?.mcnemar.p, pairs[0]?.auc?.p);
 * ```
 */
export async function compareRuns(dirs: readonly string[], options: CompareOptions = {}): Promise<RunComparison> {
  checkArgument(dirsSchema, dirs, 'compareRuns', 'dirs');
  const { split } = checkOptions(compareSchema, options, 'compareRuns');
  const runs: Opened[] = [];
  for (const dir of dirs) runs.push(await openRun(dir, split));
  const [first, ...others] = runs as [Opened, ...Opened[]];
  return {
    split,
    classes: first.evaluation.classes,
    n: first.evaluation.samples.length,
    runs: runs.map(({ dir, evaluation: { threshold } }) => ({ dir, threshold })),
    differences: differencesOf(runs.map(({ config }) => config)),
    metrics: metricsOf(runs.map(({ evaluation }) => evaluation)),
    pairs: others.map((other) => pairOf(first, other)),
  };
}

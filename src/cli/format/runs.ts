/** Runs in words, for people: an array is a line each. */
import { relative, resolve } from 'node:path';
import type { ComparedMetric, PrunedRun, RunComparison, RunPair, RunSummary, SplitMetrics } from '../../runs/index';
import { inTime } from '../io';
import { percent } from './format';

/** Columns beside each other, each as wide as its widest cell; those whose heading begins with a space stand right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const isRight = (rows[0] ?? []).map((heading) => heading.startsWith(' '));
  const trimmed = rows.map((row) => row.map((cell, column) => (isRight[column] ? cell.trim() : cell)));
  const widths = isRight.map((_, column) => Math.max(...trimmed.map((row) => row[column]!.length)));
  const pad = (cell: string, column: number): string =>
    isRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  return trimmed.map((row) => row.map(pad).join('  ').trimEnd());
}

/** Bytes as `612 KiB`, `534 MiB` or `2.6 GiB`. */
export function byteSize(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.ceil(bytes / 2 ** 10)} KiB`;
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

const decimals = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(3);

/** The folder as seen from the one that was asked for. */
const nameIn = (root: string, dir: string): string => relative(resolve(root), dir) || '.';

function splitCells(metrics: SplitMetrics | undefined): string[] {
  return [percent(metrics?.accuracy ?? null), decimals(metrics?.auc)];
}

function bestText({ best }: RunSummary): string {
  if (best === null) return '–';
  return best.metric === 'last' ? `${best.epoch} (last)` : `${best.epoch} (${best.metric} ${decimals(best.value)})`;
}

const HEADINGS = [
  'run',
  'state',
  ' epochs',
  'best epoch',
  ' val acc',
  ' val AUC',
  ' test acc',
  ' test AUC',
  ' time',
  ' size',
  'network',
  'data',
  'created',
];

function runRow(run: RunSummary, root: string): string[] {
  const { dir, state, epochs, metrics, seconds, bytes, architecture, data, created } = run;
  return [
    nameIn(root, dir),
    state,
    `${epochs.finished}/${epochs.planned ?? '?'}`,
    bestText(run),
    ...splitCells(metrics['validation']),
    ...splitCells(metrics['test']),
    inTime(seconds * 1000),
    byteSize(bytes),
    architecture ?? '–',
    data ?? '–',
    created?.slice(0, 16).replace('T', ' ') ?? '–',
  ];
}

/** How far a run is, or why it is in its state; nothing for one that simply ended. */
function remark({ state, why, progress }: RunSummary): string | null {
  if (state === 'finished' || state === 'stopped' || state === 'killed') return null;
  if (state !== 'running' || progress?.state !== 'running') return why;
  const { epoch, epochs, step, steps, secondsLeft } = progress;
  const left = secondsLeft === null ? '' : `, about ${inTime(secondsLeft * 1000)} left`;
  return `epoch ${epoch} of ${epochs}, step ${step} of ${steps}${left}; ${why}`;
}

/** A table of runs, and what is to be said of some. */
export function runsText(runs: readonly RunSummary[], root: string): string[] {
  const remarks = runs.flatMap((run) => {
    const text = remark(run);
    return text === null ? [] : [`${nameIn(root, run.dir)}: ${run.state}: ${text}`];
  });
  return [...table([HEADINGS, ...runs.map((run) => runRow(run, root))]), ...remarks];
}

/** Characters of a value of the configuration. */
const MOST = 40;

function valueText(value: unknown): string {
  if (value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text;
}

function metricCells({ title, values, intervals }: ComparedMetric): string[] {
  return [
    `  ${title}`,
    ...values.map((value, run) => {
      const interval = intervals[run] ?? null;
      return interval === null
        ? decimals(value)
        : `${decimals(value)} (${decimals(interval[0])} to ${decimals(interval[1])})`;
    }),
  ];
}

/** A p value: of small ones, two digits. */
function pText(p: number | null): string {
  if (p === null) return 'p cannot be told';
  if (p < 1e-4) return `p = ${p.toExponential(1)}`;
  return `p = ${p < 0.1 ? p.toPrecision(2) : p.toFixed(3)}`;
}

function pairLines({ mcnemar, auc }: RunPair, second: number, n: number): string[] {
  const { onlyFirst, onlySecond, p } = mcnemar;
  const lines = [
    `Run ${second} against run 1, on the same ${n} images`,
    `  Right or wrong (McNemar, exact): run 1 alone is right on ${onlyFirst}, run ${second} alone on ${onlySecond}; ` +
      pText(p),
  ];
  if (auc === null) return lines;
  const { difference, interval, p: ofAuc } = auc;
  const sign = difference < 0 ? '' : '+';
  const bounds = interval === null ? '' : ` (95 % interval ${decimals(interval[0])} to ${decimals(interval[1])})`;
  return [...lines, `  AUC (DeLong): ${sign}${decimals(difference)}${bounds}; ${pText(ofAuc)}`];
}

/** Runs side by side. */
export function comparisonText({ split, n, runs, differences, metrics, pairs }: RunComparison): string[] {
  const named = runs.map((_, index) => `run ${index + 1}`);
  const rows = [
    ...(differences.length === 0 ? [] : [['Configuration', ...named]]),
    ...differences.map(({ option, values }) => [`  ${option}`, ...values.map(valueText)]),
    [`Metrics of ${n} ${split} images`, ...named],
    ...metrics.filter(({ values }) => values.some((value) => value !== null)).map(metricCells),
    ['  Threshold', ...runs.map(({ threshold }) => decimals(threshold))],
  ];
  return [
    ...runs.map(({ dir }, index) => `run ${index + 1}: ${dir}`),
    '',
    ...table(rows),
    ...(differences.length === 0 ? ['The configurations are the same.'] : []),
    ...pairs.flatMap((pair, index) => ['', ...pairLines(pair, index + 2, n)]),
    ...(pairs.length > 1 ? ['', `The p values are not corrected for ${pairs.length} comparisons.`] : []),
  ];
}

/** What was removed, or would be, a line each. */
export function prunedText(removed: readonly PrunedRun[], root: string, dryRun: boolean): string[] {
  return removed.map(({ dir, state, what, bytes, hasCheckpoints, left }) => {
    const name = what === 'checkpoints' ? `${nameIn(root, dir)}/checkpoints` : nameIn(root, dir);
    const stays = left.length === 0 ? '' : `; what is not the run's own stays: ${left.join(', ')}`;
    const loss = dryRun && hasCheckpoints && state !== 'finished' ? ', and could still go on from its checkpoints' : '';
    return `${dryRun ? 'would remove' : 'removed'} ${name} (${state}${loss}, ${byteSize(bytes)})${stays}`;
  });
}

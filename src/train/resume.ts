/** What a run that goes on must have in common with its beginning, and what of it may differ. */
import { CovidCtError } from '../errors';
import type { Network } from '../model/types';
import type { Checkpoint } from './checkpoint';
import type { ResolvedTrainOptions } from './options';
import type { DataSummary, RunConfig } from './run-schema';

/** Differences that may be accepted when a run goes on: the numbers are then no longer those of an unbroken run. */
export const ACCEPTABLE = ['data', 'versions', 'threads', 'device', 'options'] as const;
/** A kind of difference. */
export type Acceptable = (typeof ACCEPTABLE)[number];

/** One difference between a run and what is to go on with it. */
export interface Difference {
  readonly kind: Acceptable;
  /** What differs, e.g. the name of an option. */
  readonly what: string;
  /** In words, with both values. */
  readonly text: string;
}

/** What a training goes on from. */
export interface ResumePoint {
  readonly checkpoint: Checkpoint;
  readonly config: RunConfig;
  /** Kinds of difference, and names of what was asked to be different. */
  readonly accept: readonly string[];
}

/** Options that change neither what is computed nor what is kept, so that they may differ without a word. */
const WITHOUT_EFFECT: readonly (keyof ResolvedTrainOptions)[] = [
  'out',
  'overwrite',
  'prefetch',
  'maxCacheBytes',
  'maxDeviceCacheBytes',
  'checkpointEvery',
  'keepCheckpoints',
];

/** Where a run is computed; asked for in words that the run does not keep (`auto`, 0). */
const MACHINE = new Set(['device', 'threads']);

function changed(kind: Acceptable, what: string, before: unknown, now: unknown): Difference[] {
  const [from, to] = [before, now].map((value) => JSON.stringify(value) ?? 'none');
  return from === to ? [] : [{ kind, what, text: `${what} was ${from}, is ${to}` }];
}

function differencesOfSplit(name: string, before: DataSummary | null, now: DataSummary | null): Difference[] {
  if (before === null || now === null) return changed('data', `the ${name} split`, before?.name, now?.name);
  if (before.fingerprint === now.fingerprint) {
    const text =
      before.order !== undefined && before.order !== now.order
        ? `the ${name} samples are in another order`
        : before.sizes !== undefined && now.sizes !== undefined && before.sizes !== now.sizes
          ? `${name} images are others: their files have other sizes`
          : null;
    return text === null ? [] : [{ kind: 'data', what: name, text }];
  }
  const counts = changed('data', `the number of ${name} samples`, before.samples, now.samples);
  if (counts.length > 0) return counts;
  return [{ kind: 'data', what: name, text: `the ${name} samples are others, or have other labels` }];
}

/** What is to go on with a run. */
export interface Continuation {
  readonly network: Network;
  readonly data: RunConfig['data'];
  /** As they are in the run folder's configuration. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Every difference between a run and what is to go on with it. */
export function differencesOf(config: RunConfig, { network, data: now, options }: Continuation): Difference[] {
  const { versions, model, data } = config;
  const ignored = new Set<string>(WITHOUT_EFFECT);
  const names = [...new Set([...Object.keys(versions), ...Object.keys(network.versions)])];
  const keys = [...new Set([...Object.keys(config.options), ...Object.keys(options)])].filter(
    (key) => !ignored.has(key),
  );
  return [
    ...names.flatMap((name) => changed('versions', name, versions[name], network.versions[name])),
    ...changed('device', 'device', model.device, network.device),
    ...(model.threads === undefined ? [] : changed('threads', 'threads', model.threads, network.threads)),
    ...keys.flatMap((key) => changed('options', key, config.options[key], options[key])),
    ...differencesOfSplit('training', data.train, now.train),
    ...differencesOfSplit('validation', data.validation, now.validation),
  ];
}

/** What of the options with which a run would begin is not as in the run, in words. Nothing where it was not given. */
export function recipeDifferences(config: RunConfig, given: Readonly<Record<string, unknown>>): string[] {
  const ignored = new Set<string>([...WITHOUT_EFFECT, 'epochs']);
  return Object.entries(given).flatMap(([key, value]) => {
    if (value === undefined || ignored.has(key)) return [];
    const holders: readonly Readonly<Record<string, unknown>>[] = [config.options, { ...config.model }];
    const holder = holders.find((each) => Object.hasOwn(each, key));
    if (holder === undefined || MACHINE.has(key)) return [];
    return changed('options', key, holder[key], value).map(({ text }) => text);
  });
}

/**
 * Refuses what was not accepted.
 *
 * @returns what was, in words
 * @throws CovidCtError ERR_RESUME spelling out every difference that was not
 */
export function acceptDifferences(
  dir: string,
  differences: readonly Difference[],
  accept: readonly string[],
): string[] {
  const refused = differences.filter(({ kind, what }) => !accept.includes(kind) && !accept.includes(what));
  if (refused.length === 0) return differences.map(({ text }) => text);
  const kinds = [...new Set(refused.map(({ kind }) => kind))];
  throw new CovidCtError('ERR_RESUME', [
    `${dir}: the run cannot go on exactly, for not everything is as it was:`,
    ...refused.map(({ text }) => `  ${text}`),
    `Restore it, or accept that the numbers change from here on (accept: ${JSON.stringify(kinds)}, ` +
      `--accept ${kinds.join(',')}); it is noted in config.json.`,
  ]);
}

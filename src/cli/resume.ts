/** `covidct train --resume`: goes on with a run that was killed or stopped, or begins it. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { checkOptions } from '../options/check';
import { RunFolder, Trainer } from '../index';
import type { DatasetSplits, ResumeOptions } from '../index';
import type { RunConfig } from '../train/run-schema';
import { recipeDifferences } from '../train/resume';
import { CovidCtError, InvalidOptionError } from '../errors';
import { DATA_OPTIONS, dataOptionsOf } from './data-flags';
import type { DataFlags, DataOptions } from './data-flags';
import type { DeviceFlags } from './flags';
import type { Io, OutputFlags } from './io';
import { note } from './io';
import { dataSourceSchema } from './options';
import type { TrainCommandOptions } from './options';
import { openData } from './open-data';

/** Flags of `covidct train` that go with --resume RUN; everything else is the run's own. */
const WITH_RESUME = new Set([
  ...DATA_OPTIONS.map(String),
  'valSplit',
  'resume',
  'accept',
  'data',
  'out',
  'epochs',
  'device',
  'threads',
  'prefetch',
  'cacheBytes',
  'deviceCacheBytes',
  'checkpointEvery',
  'keepCheckpoints',
  'test',
  'json',
  'quiet',
]);

/** What is read of the flags. */
export interface ResumeFlags extends OutputFlags, DataFlags {
  readonly resume?: string;
  readonly accept?: ResumeOptions['accept'];
  readonly data?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly epochs?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly prefetch?: number;
  readonly cacheBytes?: number;
  readonly deviceCacheBytes?: number;
  readonly checkpointEvery?: ResumeOptions['checkpointEvery'];
  readonly keepCheckpoints?: number;
}

/** `10min`, `90s`, `2h`, `500steps` or `epoch`. */
export function checkpointEvery(text: string): NonNullable<ResumeOptions['checkpointEvery']> {
  if (text === 'epoch') return text;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(s|min|h|steps?)$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('expected epoch, or e.g. 10min, 90s, 2h or 500steps');
  if (unit.startsWith('step')) return { steps: Number(amount) };
  return { minutes: Number(amount) * ({ s: 1 / 60, min: 1, h: 60 }[unit] ?? NaN) };
}

/** How the data set was opened, as a run folder keeps it. A path holds from wherever the run goes on. */
export function dataSourceOf(data: string, { groupPattern, root, ...opening }: DataOptions): Record<string, unknown> {
  const pattern = groupPattern === undefined ? {} : { groupPattern: groupPattern.source };
  return { data: resolve(data), ...opening, ...(root === undefined ? {} : { root: resolve(root) }), ...pattern };
}

function misplaced(flag: string, why: string): InvalidOptionError {
  return new InvalidOptionError(`--${flag} ${why}`, [{ path: flag, message: why }]);
}

/** The run that is to go on; null where --resume auto finds none and one begins. */
export async function runToResume(flags: ResumeFlags): Promise<RunFolder | null> {
  const { resume, out } = flags;
  if (resume === undefined && flags.accept !== undefined) throw misplaced('accept', 'goes with --resume');
  if (resume === undefined) return null;
  if (resume === 'auto') {
    if (flags.overwrite === true) throw misplaced('overwrite', 'contradicts --resume auto; leave one of them out');
    if (out === undefined)
      throw new InvalidOptionError('--resume auto: expected the folder of the run as well: give --out DIR', [
        { path: 'out', message: 'missing' },
      ]);
    return await RunFolder.open(out).catch(() => null);
  }
  const folder = await RunFolder.open(resume);
  const others = Object.keys(flags).filter((key) => !WITH_RESUME.has(key));
  if (out !== undefined && resolve(out) !== folder.dir) others.push('out');
  if (others.length > 0)
    throw new InvalidOptionError(
      `--resume ${resume}: a run goes on with its own options; leave out ` +
        others.map((key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`).join(', '),
      others.map((path) => ({ path, message: 'not with --resume' })),
    );
  return folder;
}

/** Throws CovidCtError ERR_RESUME where --resume auto finds a run that was begun otherwise. */
export function assertSameRecipe(dir: string, config: RunConfig, options: TrainCommandOptions): void {
  const differences = recipeDifferences(config, options);
  if (differences.length === 0) return;
  throw new CovidCtError('ERR_RESUME', [
    `${dir}: the run was begun with other options:`,
    ...differences.map((text) => `  ${text}`),
    `Give those, choose another folder, or go on with the run as it is: --resume ${dir}`,
  ]);
}

/** Whether nothing is left to train. */
export async function isFinished(folder: RunFolder, config: RunConfig, epochs: number | undefined): Promise<boolean> {
  const { stop } = await folder.history();
  if (stop === null || stop.reason === 'aborted') return false;
  return stop.reason === 'early-stopping' || (epochs ?? 0) <= Number(config.options['epochs']);
}

/** Time of the latest file of a folder whose name ends so, in milliseconds; -Infinity where there is none. */
async function timeOf(folder: string, ending: string): Promise<number> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(ending));
  const times = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).mtimeMs));
  return Math.max(-Infinity, ...times);
}

/** What is left to do of a run whose training has ended: an earlier process may have been killed in it. */
export async function openTasks(folder: RunFolder): Promise<{ draw: boolean; test: boolean; report: boolean }> {
  const [trained, training, test, report] = await Promise.all([
    timeOf(folder.dir, 'history.jsonl'),
    timeOf(folder.file('tensorboard'), '.training'),
    timeOf(folder.file('tensorboard'), '.test'),
    timeOf(folder.dir, 'report.html'),
  ]);
  const isTested = (await folder.metrics())['test'] !== undefined && test >= trained;
  return { draw: training < trained, test: !isTested, report: report < Math.max(trained, training, test) };
}

/** Opens the data of the run, from where they were or from where the flags say. */
export async function dataOfRun(
  config: RunConfig,
  flags: ResumeFlags,
  io: Io,
): Promise<{ data: DatasetSplits; path: string; opening: DataOptions; dataSource: Record<string, unknown> }> {
  const given = { ...dataOptionsOf(flags), ...(flags.data === undefined ? {} : { data: flags.data }) };
  const where = 'covidct train --resume (flags and config.json)';
  const { data: path, ...opening } = checkOptions(dataSourceSchema, { ...config.data.source, ...given }, where);
  const data = await openData(path, opening, io, flags);
  return { data, path, opening, dataSource: dataSourceOf(path, opening) };
}

/** How the run is computed, so that metrics are those that an uninterrupted one would have had. */
export function deviceOfRun({ model }: RunConfig, { device, threads }: ResumeFlags): DeviceFlags {
  return {
    device: device ?? model.device,
    threads: threads ?? model.threads,
    precision: model.precision ?? undefined,
    convolution: model.convolution ?? undefined,
  };
}

/** A Trainer that goes on with the run; `given`: its loggers, and where its data is by now. */
export async function resumedTrainer(
  folder: RunFolder,
  flags: ResumeFlags,
  io: Io,
  given: Pick<ResumeOptions, 'loggers' | 'dataSource'>,
): Promise<Trainer> {
  const { accept, epochs, device, threads, prefetch, cacheBytes, deviceCacheBytes, keepCheckpoints } = flags;
  return await Trainer.resume(folder.dir, {
    ...given,
    accept,
    epochs,
    device,
    threads,
    prefetch,
    maxCacheBytes: cacheBytes,
    maxDeviceCacheBytes: deviceCacheBytes,
    checkpointEvery: flags.checkpointEvery,
    keepCheckpoints,
    onWarning: (message) => note(io, flags, `Warning: ${message}`),
  });
}

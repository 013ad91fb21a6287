/**
 * One training in one piece and the same in many, and everything of a run folder that must then be equal to the bit.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset, Sample } from '../../src/data/types';
import { JsonLinesLogger } from '../../src/log/jsonl';
import { TensorBoardLogger } from '../../src/log/tensorboard';
import type { TrainEvent, TrainLogger } from '../../src/log/types';
import { Classifier, networkOf } from '../../src/model/classifier';
import type { TrainingHistory } from '../../src/train/history';
import { Trainer } from '../../src/train/trainer';
import type { ResumeOptions, TrainerOptions } from '../../src/train/trainer';

const { readEvents } = createRequire(__filename)('../resume/event-reader.cjs') as {
  readEvents: (file: string) => (readonly [number, string, number] | string)[];
};

/** What is learned from and judged on. */
export interface Splits {
  readonly train: Dataset;
  readonly validation: Dataset | null;
  /** What the network is to be beside the tiny one of one thread. */
  readonly network?: { readonly threads?: number; readonly dropout?: number; readonly channels?: 1 | 3 };
}

/** What a training is to be like, beside its folder and its model. */
export type Recipe = Omit<TrainerOptions, 'model' | 'out' | 'loggers'>;

/** Three epochs of six micro-batches, two optimizer steps each, the second of them of an uneven window. */
export const BASE: Recipe = { epochs: 3, batchSize: 4, accumulate: 4, imageSize: 32, learningRate: 0.02, seed: 5 };

/** File of the JSON lines in the run folder. */
const LINES = 'events.jsonl';

/** A temporary folder for the runs of one test file. */
export function makeFolderForRuns(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'covidct-resume-'));
}

/** The loggers of a run folder; a later process has others of the same kinds. */
export function loggersOf(out: string, ...more: TrainLogger[]): TrainLogger[] {
  return [
    new TensorBoardLogger({ dir: join(out, 'tensorboard') }),
    new JsonLinesLogger({ path: join(out, LINES) }),
    ...more,
  ];
}

/** The tiny network with one thread. */
export function tinyModel(classes: readonly string[], more: Splits['network'] = {}): Promise<Classifier> {
  return Classifier.create({
    architecture: 'tiny',
    classes: [...classes],
    device: 'cpu',
    threads: 1,
    imageSize: 32,
    seed: 3,
    ...more,
  });
}

/** A Trainer that begins a run, with a model of its own. */
export async function beginning(out: string, recipe: Recipe, { train, network }: Splits, ...more: TrainLogger[]) {
  return new Trainer({
    model: await tinyModel(train.classes, network),
    out,
    ...recipe,
    loggers: loggersOf(out, ...more),
  });
}

/** A Trainer that goes on with it. */
export async function goingOn(out: string, options: ResumeOptions = {}, ...more: TrainLogger[]): Promise<Trainer> {
  return await Trainer.resume(out, { ...options, loggers: loggersOf(out, ...more) });
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A hash of the weights as they are in memory. */
async function weightsInMemory(model: Classifier): Promise<string> {
  const scratch = await makeFolderForRuns();
  try {
    await networkOf(model).saveWeights(join(scratch, 'memory.safetensors'), {});
    return sha256(await readFile(join(scratch, 'memory.safetensors')));
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Without what is of the clock, of the machine and of the folder. */
function timeless(line: Record<string, unknown>): Record<string, unknown> {
  const { time, seconds, needs, out, path, config, ...rest } = line;
  void [time, seconds, needs, out];
  const file = typeof path === 'string' ? path.split('/').at(-1) : undefined;
  const { out: folder, ...recipe } = (config ?? {}) as Record<string, unknown>;
  void folder;
  return { ...rest, file, recipe };
}

async function linesOf(file: string): Promise<Record<string, unknown>[]> {
  const text = existsSync(file) ? await readFile(file, 'utf8') : '';
  return text
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [timeless(JSON.parse(line) as Record<string, unknown>)]));
}

const readJson = async (file: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;

const endingOf = (name: string): string => /\.[a-z]+$/.exec(name)?.[0] ?? '';
const byEnding = (a: string, b: string): number => endingOf(a).localeCompare(endingOf(b));

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

/** Everything in a run folder that an interruption must not change. */
export async function contentOfRun(out: string) {
  const { created, ...card } = await readJson(join(out, 'model.json'));
  void created;
  const weights = await namesIn(join(out, 'weights'));
  const boards = await namesIn(join(out, 'tensorboard'));
  return {
    names: (await namesIn(out)).filter((name) => name !== 'checkpoints'),
    card,
    weights: await Promise.all(weights.map(async (name) => [name, sha256(await readFile(join(out, 'weights', name)))])),
    history: await linesOf(join(out, 'history.jsonl')),
    metrics: existsSync(join(out, 'metrics.json')) ? await readJson(join(out, 'metrics.json')) : null,
    // By what they are of: the names themselves tell the time and the process.
    boards: boards.toSorted(byEnding).map((name) => readEvents(join(out, 'tensorboard', name))),
    lines: await linesOf(join(out, LINES)),
  };
}

/** The same with what the training returns and leaves in its model. */
async function contentOfTraining(trainer: Trainer, { epochs, out, ...history }: TrainingHistory) {
  return {
    ...(await contentOfRun(out!)),
    returned: { ...history, epochs: epochs.map((epoch) => ({ ...epoch, seconds: 0 })) },
    memory: await weightsInMemory(trainer.model),
  };
}

/** What a training ends with. */
export type Ending = Awaited<ReturnType<typeof contentOfTraining>>;

/** Trains in one piece. */
export async function whole(out: string, recipe: Recipe, splits: Splits): Promise<Ending> {
  const trainer = await beginning(out, recipe, splits);
  try {
    return await contentOfTraining(trainer, await trainer.fit(splits.train, splits.validation));
  } finally {
    trainer.model.dispose();
  }
}

/**
 * How a part of a training ends: the loop over its events is left after so many steps or at the first event of a kind;
 * or a signal is aborted when so many steps were logged, or when an image of a split is asked for after at least one
 * event (of the training split: from the `nth` image on).
 */
export type Stop =
  | { readonly leaveAfter: number }
  | { readonly leaveAt: TrainEvent['type'] }
  | { readonly abortAfter: number }
  | { readonly abortIn: 'train' | 'validation'; readonly nth: number };

/** The same samples; `onSource` is told when the pixels of one are asked for. */
function watched(dataset: Dataset, onSource: () => void): Dataset {
  const watch = (sample: Sample): Sample =>
    Object.defineProperty({ ...sample }, 'source', {
      enumerable: true,
      get: () => {
        onSource();
        return sample.source;
      },
    });
  return { ...dataset, samples: dataset.samples.map(watch) };
}

async function leftWhen(trainer: Trainer, { train, validation }: Splits, isEnd: (event: TrainEvent) => boolean) {
  const events = trainer.events(train, validation);
  for (;;) {
    const { done, value } = await events.next();
    if (done === true) return value;
    if (!isEnd(value)) continue;
    // As a loop that is left does it.
    await events.return(undefined as never);
    return null;
  }
}

async function runPart(trainer: Trainer, splits: Splits, stop: Stop, told: Told): Promise<TrainingHistory | null> {
  const controller = new AbortController();
  let steps = 0;
  if ('leaveAt' in stop) return await leftWhen(trainer, splits, ({ type }) => type === stop.leaveAt);
  if ('leaveAfter' in stop)
    return await leftWhen(trainer, splits, ({ type }) => type === 'step' && (steps += 1) >= stop.leaveAfter);
  const { signal } = controller;
  let asked = 0;
  let isTraining = false;
  told.listener = ({ type }) => {
    isTraining = true;
    if (type === 'step' && 'abortAfter' in stop && (steps += 1) >= stop.abortAfter) controller.abort();
  };
  const onSource = (name: 'train' | 'validation') => (): void => {
    if (isTraining && 'abortIn' in stop && stop.abortIn === name && (asked += 1) >= stop.nth) controller.abort();
  };
  const { train, validation } = splits;
  const watchedValidation = validation === null ? null : watched(validation, onSource('validation'));
  const history = await trainer.fit(watched(train, onSource('train')), watchedValidation, { signal });
  return history.stop.reason === 'aborted' ? null : history;
}

/** A logger without a state that passes events on. */
class Told implements TrainLogger {
  listener: (event: TrainEvent) => void = () => undefined;
  log(event: TrainEvent): void {
    this.listener(event);
  }
  close(): void {
    this.listener = () => undefined;
  }
}

/** A training in pieces, and how many there were. */
export interface Pieces {
  readonly ending: Ending;
  readonly parts: number;
}

/**
 * Trains until the first stop, resumes until the second, and so on, again and again from the first, until it is done.
 *
 * @param between options of the resumption before part n, and a chance to do something to the run folder
 */
export async function inPieces(
  out: string,
  recipe: Recipe,
  splits: Splits,
  stops: readonly Stop[],
  between: (part: number) => ResumeOptions | Promise<ResumeOptions> = () => ({}),
): Promise<Pieces> {
  for (let part = 0; part < 100; part += 1) {
    const told = new Told();
    const trainer =
      part === 0 ? await beginning(out, recipe, splits, told) : await goingOn(out, await between(part), told);
    try {
      const history = await runPart(trainer, splits, stops[part % stops.length]!, told);
      if (history !== null) return { ending: await contentOfTraining(trainer, history), parts: part + 1 };
    } finally {
      trainer.model.dispose();
    }
  }
  throw new Error('the training did not end within a hundred parts');
}

/** Begins a run and stops it. Returns null, or the history of one that ended before. */
export async function stopped(
  out: string,
  recipe: Recipe,
  splits: Splits,
  stop: Stop,
): Promise<TrainingHistory | null> {
  const told = new Told();
  const trainer = await beginning(out, recipe, splits, told);
  return await runPart(trainer, splits, stop, told).finally(() => trainer.model.dispose());
}

/** Resumes a run and trains to its end. */
export async function toTheEnd(out: string, splits: Splits, options: ResumeOptions = {}): Promise<Ending> {
  const trainer = await goingOn(out, options);
  try {
    return await contentOfTraining(trainer, await trainer.fit(splits.train, splits.validation));
  } finally {
    trainer.model.dispose();
  }
}

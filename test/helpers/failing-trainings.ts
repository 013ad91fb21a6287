/** Trainings that are tried on failing disks. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonLinesLogger } from '../../src/log/jsonl';
import { TensorBoardLogger } from '../../src/log/tensorboard';
import type { Classifier } from '../../src/model/classifier';
import { readCard, weightsOfCard } from '../../src/model/card';
import { verifyWeights } from '../../src/model/verify';
import { readLatestCheckpoint } from '../../src/train/checkpoint';
import { assertRunFolderFree, RunFolder } from '../../src/train/run-folder';
import { Trainer } from '../../src/train/trainer';
import { CLASSES, makeDataset } from '../unit/train/made-up';
import { FakeNetwork } from './fake-network';
import { assertNamesAreTrue, filesIn } from './failures';
import type { Scenario } from './failures';

const RECIPE = { learningRate: 2, batchSize: 4, epochs: 2, imageSize: 32, keep: 'both' } as const;
/** Seeds and numbers of the state before and of the new one. */
export const OLD = 3;
export const NEW = 7;

const loggersOf = (dir: string) => [
  new JsonLinesLogger({ path: join(dir, 'events.jsonl') }),
  new TensorBoardLogger({ dir: join(dir, 'run/tensorboard') }),
];

const data = async () => ({
  train: await makeDataset('train', 8),
  validation: await makeDataset('val', 6, { seed: 2 }),
});

/** Makes what is trained. */
export type Maker = () => Promise<Classifier>;

/** A network that needs no addon. */
export const makeFake: Maker = () => Promise.resolve(new FakeNetwork(CLASSES).classifier);

/** Trains with the given seed into `run`. */
export async function train(make: Maker, dir: string, seed: number, overwrite = false): Promise<void> {
  const splits = await data();
  using model = await make();
  const trainer = new Trainer({
    model,
    ...RECIPE,
    checkpointEvery: { steps: 2 },
    seed,
    out: join(dir, 'run'),
    overwrite,
    loggers: loggersOf(dir),
  });
  await trainer.fit(splits.train, splits.validation);
}

const seedOf = async (run: RunFolder): Promise<unknown> => (await run.config()).options['seed'];

/** Goes on where there is a run of the new seed; begins anew otherwise. */
async function trainAgain(make: Maker, dir: string, overwrite: boolean): Promise<void> {
  const run = await RunFolder.open(join(dir, 'run')).catch(() => null);
  if (run === null || (await seedOf(run)) !== NEW) {
    await rm(join(dir, 'events.jsonl'), { force: true });
    await train(make, dir, NEW, overwrite);
    return;
  }
  const splits = await data();
  const trainer = await Trainer.resume(run.dir, { loggers: loggersOf(dir) });
  using model = trainer.model;
  void model;
  await trainer.fit(splits.train, splits.validation);
}

/** Whether a card, where there is one, has its weights. */
export async function assertModelIsWhole(dir: string): Promise<void> {
  const found = await readCard(dir).catch((error: Error) => {
    if (/there is no such file|it does not exist/.test(error.message)) return null;
    throw error;
  });
  if (found === null) return;
  await verifyWeights(dir, found.card, 'content');
  if (found.card.last !== undefined) await verifyWeights(dir, weightsOfCard(dir, found.card, 'last'), 'content');
}

/** The run is readable, or the folder may become one. */
export async function lookAtRun(dir: string, overwrite: boolean): Promise<void> {
  const path = join(dir, 'run');
  const run = await RunFolder.open(path).catch(() => null);
  if (run === null) await assertRunFolderFree(path, overwrite);
  await assertModelIsWhole(path);
  if (run === null) return;
  await run.history();
  await run.metrics();
  const damaged: string[] = [];
  await readLatestCheckpoint(path, (message) => damaged.push(message));
  expect(damaged).toEqual([]);
  await assertNamesAreTrue(path);
}

/** Lines of JSON without what differs from run to run. */
async function linesOf(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8');
  const varying = ['time', 'seconds', 'needs', 'out', 'path'];
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const entries = Object.entries(JSON.parse(line) as Record<string, unknown>);
      const kept = entries.filter(([key]) => !varying.includes(key));
      return Object.fromEntries(
        kept.map(([key, value]) => [
          key,
          key === 'config' ? { ...(value as object), out: '', overwrite: false } : value,
        ]),
      );
    });
}

async function summaryOfRun(dir: string): Promise<unknown> {
  const path = join(dir, 'run');
  const run = await RunFolder.open(path);
  const { created, ...card } = (await run.card())!;
  void created;
  const boards = (await filesIn(join(path, 'tensorboard'))).length;
  return {
    card,
    metrics: await run.metrics(),
    history: await linesOf(join(path, 'history.jsonl')),
    events: await linesOf(join(dir, 'events.jsonl')),
    // A training that ended before it was a run has left an event file.
    boards: boards > 0,
    files: [...new Set(await filesIn(path))],
  };
}

const training = (make: Maker, name: string, overwrite: boolean): Scenario => ({
  name,
  codes: ['ERR_RUN_FOLDER', 'ERR_LOCK'],
  ...(overwrite ? { prepare: (dir) => train(make, dir, OLD) } : {}),
  act: async (dir) => {
    if (overwrite) await rm(join(dir, 'events.jsonl'), { force: true });
    await train(make, dir, NEW, overwrite);
  },
  look: (dir) => lookAtRun(dir, overwrite),
  retry: (dir) => trainAgain(make, dir, overwrite),
  summary: summaryOfRun,
});

/** Stops after the first epoch, so that there is something to go on with. */
async function trainHalf(make: Maker, dir: string): Promise<void> {
  const splits = await data();
  using model = await make();
  const stop = new AbortController();
  const trainer = new Trainer({
    model,
    ...RECIPE,
    checkpointEvery: { steps: 2 },
    seed: NEW,
    out: join(dir, 'run'),
    loggers: [
      ...loggersOf(dir),
      { log: ({ type }) => (type === 'epoch' ? stop.abort() : undefined), close: () => undefined },
    ],
  });
  await trainer.fit(splits.train, splits.validation, { signal: stop.signal });
}

/** Trainings from their beginning, over an earlier run, and from their middle. */
export const trainings = (make: Maker): Scenario[] => [
  training(make, 'a training', false),
  training(make, 'a training over an earlier run', true),
  {
    ...training(make, 'a training that goes on', false),
    prepare: (dir) => trainHalf(make, dir),
    act: (dir) => trainAgain(make, dir, false),
  },
];

/** What is tried on failing disks. */
import { readFile, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fromSamples } from '../../src/data/samples';
import { download } from '../../src/files/download';
import { JsonLinesLogger } from '../../src/log/jsonl';
import { TensorBoardLogger } from '../../src/log/tensorboard';
import type { Classifier } from '../../src/model/classifier';
import { readCard, weightsOfCard } from '../../src/model/card';
import { saveModel } from '../../src/model/save';
import { preparePacked } from '../../src/model/prepare-packed';
import type { Network } from '../../src/model/types';
import { verifyWeights } from '../../src/model/verify';
import { readLatestCheckpoint } from '../../src/train/checkpoint';
import { assertRunFolderFree, RunFolder } from '../../src/train/run-folder';
import { Trainer } from '../../src/train/trainer';
import { PackedDataset } from '../../src/data/packed/packed';
import { CLASSES, makeDataset } from '../unit/train/made-up';
import { FakeNetwork } from './fake-network';
import { assertNamesAreTrue, filesIn } from './failures';
import type { Scenario } from './failures';
import { flatPixels } from './images';
import { madeUpEvaluation } from './report-data';

const RECIPE = { learningRate: 2, batchSize: 4, epochs: 2, imageSize: 32, keep: 'both' } as const;
const OLD = 3;
const NEW = 7;

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
async function train(make: Maker, dir: string, seed: number, overwrite = false): Promise<void> {
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
async function assertModelIsWhole(dir: string): Promise<void> {
  const found = await readCard(dir).catch((error: Error) => {
    if (/there is no such file|it does not exist/.test(error.message)) return null;
    throw error;
  });
  if (found === null) return;
  await verifyWeights(dir, found.card, 'content');
  if (found.card.last !== undefined) await verifyWeights(dir, weightsOfCard(dir, found.card, 'last'), 'content');
}

/** The run is readable, or the folder may become one. */
async function lookAtRun(dir: string, overwrite: boolean): Promise<void> {
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

const evaluation = (split: string) => madeUpEvaluation(6, { split, classes: CLASSES });

async function save(dir: string, network: Network): Promise<void> {
  await saveModel(network, join(dir, 'model'));
}

/** A network whose weights and threshold tell which it is. */
function numbered(number: number): FakeNetwork {
  const network = new FakeNetwork(CLASSES);
  network.weights.fill(number);
  network.configure({ threshold: number / 10, transform: network.belongings.transform });
  return network;
}

async function summaryOfModel(dir: string): Promise<unknown> {
  const { card } = await readCard(join(dir, 'model'));
  return { ...card, created: '', files: await filesIn(join(dir, 'model')) };
}

const splitsOf = (level: number) => {
  const samples = Array.from({ length: 4 }, (_, i) => ({ source: flatPixels(level + i, 8), label: i % 2, id: `${i}` }));
  const split = fromSamples({ classes: CLASSES, samples });
  return { name: 'packed', classes: CLASSES, train: split, validation: null, test: null };
};

const pack = (dir: string, level: number) => preparePacked(splitsOf(level), join(dir, 'set.pack'), { overwrite: true });

async function readPack(dir: string): Promise<number[]> {
  const opened = await PackedDataset.open(join(dir, 'set.pack'));
  try {
    const pixels = await Promise.all(
      opened.train.samples.map(async ({ source }) =>
        (source as { readPixels(): Promise<{ data: Uint8Array }> }).readPixels(),
      ),
    );
    return pixels.map(({ data: bytes }) => bytes[0]!);
  } finally {
    await opened.close();
  }
}

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

/** @param url serves {@link SERVED} */
const downloading = (url: () => string): Scenario => {
  const fetch = (dir: string) => download({ url: url(), sha256: SHA256, file: join(dir, 'a/b/file') });
  return {
    name: 'a download',
    codes: ['ERR_DOWNLOAD'],
    act: fetch,
    look: async (dir) => {
      const bytes = await readFile(join(dir, 'a/b/file')).catch(() => null);
      if (bytes !== null && !bytes.equals(CONTENT)) throw new Error(`the file has ${bytes.length} other bytes`);
    },
    retry: fetch,
    summary: async (dir) => [await filesIn(dir), (await readFile(join(dir, 'a/b/file'))).equals(CONTENT)],
  };
};

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

/** What {@link scenarios} download. */
export const SERVED = CONTENT;

/** @param url where {@link SERVED} is served, once it is */
export const scenarios = (url: () => string): Scenario[] => [
  {
    name: 'an evaluation',
    codes: ['ERR_RUN_FOLDER', 'ERR_LOCK'],
    prepare: async (dir) => {
      await train(makeFake, dir, NEW);
      await (await RunFolder.open(join(dir, 'run'))).writeMetrics(evaluation('train'));
    },
    act: async (dir) => await (await RunFolder.open(join(dir, 'run'))).writeMetrics(evaluation('test')),
    look: async (dir) => {
      await lookAtRun(dir, false);
      expect(Object.keys(await (await RunFolder.open(join(dir, 'run'))).metrics())).toEqual(
        expect.arrayContaining(['train', 'validation']),
      );
    },
    retry: async (dir) => {
      await rm(join(dir, 'run/.metrics.lock'), { recursive: true, force: true });
      await (await RunFolder.open(join(dir, 'run'))).writeMetrics(evaluation('test'));
    },
    summary: async (dir) => (await RunFolder.open(join(dir, 'run'))).metrics(),
  },
  {
    name: 'a save over an earlier model',
    cleansNextTime: true,
    codes: ['ERR_RUN_FOLDER', 'ERR_LOCK'],
    prepare: (dir) => save(dir, numbered(OLD)),
    act: (dir) => save(dir, numbered(NEW)),
    look: async (dir) => {
      await assertModelIsWhole(join(dir, 'model'));
      const { card } = await readCard(join(dir, 'model'));
      const weights = JSON.parse(await readFile(join(dir, 'model', card.weights), 'utf8')) as number[];
      expect(card.threshold).toBe(weights[0]! / 10);
      await assertNamesAreTrue(dir);
    },
    retry: (dir) => save(dir, numbered(NEW)),
    summary: summaryOfModel,
  },
  {
    name: 'a pack over an earlier one',
    codes: ['ERR_PACKED_DATA'],
    prepare: (dir) => pack(dir, 10),
    act: (dir) => pack(dir, 20),
    look: async (dir) => {
      const levels = await readPack(dir);
      expect([10, 20]).toContain(levels[0]);
      expect(levels).toEqual([0, 1, 2, 3].map((i) => levels[0]! + i));
    },
    retry: (dir) => pack(dir, 20),
    summary: readPack,
  },
  downloading(url),
];

/** Everything but trainings that is tried on failing disks. */
import { createHash } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromSamples } from '../../src/data/samples';
import { PackedDataset } from '../../src/data/packed/packed';
import { CovidCtError } from '../../src/errors';
import { download } from '../../src/files/download';
import { readCard } from '../../src/model/card';
import { preparePacked } from '../../src/model/prepare-packed';
import { saveModel } from '../../src/model/save';
import type { Network } from '../../src/model/types';
import { pruneRunsIn } from '../../src/runs/prune';
import { WORLD } from '../../src/runs/world';
import { RunFolder } from '../../src/train/run-folder';
import { convertWeights } from '../../src/weights/convert';
import { readSafetensorsHeader, writeSafetensors } from '../../src/weights/safetensors';
import { CLASSES } from '../unit/train/made-up';
import { assertModelIsWhole, lookAtRun, makeFake, NEW, OLD, train } from './failing-trainings';
import { FakeNetwork } from './fake-network';
import { assertNamesAreTrue, filesIn } from './failures';
import type { Scenario } from './failures';
import { flatPixels } from './images';
import { madeUpEvaluation } from './report-data';

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

const BIAS = { name: 'bias', shape: [1], dtype: 'F32', kind: 'parameter' } as const;

async function writeBias(path: string, value: number): Promise<void> {
  await writeSafetensors(path, [BIAS], {}, async (file, offset) => {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    const handle = await open(file, 'r+');
    await handle.write(bytes, 0, 4, offset);
    await handle.close();
  });
}

const biasAt = async (dir: string): Promise<number> =>
  (await readSafetensorsHeader(join(dir, 'to.safetensors'))).tensors[0]!.offset;

const convert = (dir: string) => convertWeights(join(dir, 'from.safetensors'), join(dir, 'to.safetensors'));

/** @param later a run that says nothing of its end may be at work for a day */
async function prune(dir: string, later = 0): Promise<void> {
  const world = { ...WORLD, now: () => Date.now() + later };
  const states = ['finished', 'killed'] as const;
  const { failed } = await pruneRunsIn(dir, { dryRun: false, states }, world);
  if (failed[0] !== undefined) throw new CovidCtError('ERR_RUN_FOLDER', JSON.stringify(failed[0]));
}

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
    summary: async (dir) => [await filesIn(dir), await readPack(dir)],
  },
  downloading(url),
  {
    name: 'a conversion over an earlier one',
    codes: ['ERR_RUN_FOLDER'],
    prepare: async (dir) => {
      for (const name of ['from', 'to']) await writeBias(join(dir, `${name}.safetensors`), name === 'to' ? OLD : NEW);
    },
    act: convert,
    look: async (dir) => {
      expect([OLD, NEW]).toContain((await readFile(join(dir, 'to.safetensors'))).readFloatLE(await biasAt(dir)));
    },
    retry: convert,
    summary: async (dir) => [
      await filesIn(dir),
      (await readFile(join(dir, 'to.safetensors'))).readFloatLE(await biasAt(dir)),
    ],
  },
  {
    name: 'a run that is pruned',
    codes: ['ERR_RUN_FOLDER', 'ERR_LOCK'],
    prepare: (dir) => train(makeFake, dir, NEW),
    act: (dir) => prune(dir),
    look: async (dir) => {
      const run = await RunFolder.open(join(dir, 'run')).catch(() => null);
      if (run !== null) await assertModelIsWhole(run.dir);
    },
    retry: async (dir) => {
      const owner = join(dir, 'run/owner.lock');
      // Whether a damaged one is somebody's, only the user can know.
      if ((await readFile(owner, 'utf8').catch(() => '\n')).at(-1) !== '\n') await rm(owner);
      await prune(dir, 48 * 3_600_000);
    },
    // The owner's file of a process that is gone holds nobody off.
    summary: async (dir) => (await filesIn(dir)).filter((name) => name !== 'events.jsonl' && name !== 'run/owner.lock'),
  },
];

/** Checkpoints on the disk: how many stay, damaged ones, kills between them, and runs that have ended. */
import { existsSync } from 'node:fs';
import { cp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { TrainLogger } from '../../src/log/types';
import { RunFolder } from '../../src/train/run-folder';
import { killedAtEach } from '../helpers/killed';
import {
  BASE,
  beginning,
  contentOfRun,
  goingOn,
  inPieces,
  makeFolderForRuns,
  stopped,
  toTheEnd,
  whole,
} from '../helpers/resume';
import type { Ending, Recipe, Splits } from '../helpers/resume';
import { madeUpEvaluation } from '../helpers/report-data';
import { makeDataset } from '../unit/train/made-up';

let dir: string;
let splits: Splits;
/** Of {@link BASE}. */
let expected: Ending;

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
  expected = await whole(join(dir, 'base'), BASE, splits);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

async function checkpointsOf(out: string): Promise<string[]> {
  return (await readdir(join(out, 'checkpoints')).catch(() => [])).sort();
}

/** The present recipe, and where it lies; only what is written to the disk differs. */
const unnoticed = (ending: Ending) => {
  const { history, lines, ...rest } = ending;
  return { ...rest, history: history.slice(1), lines: lines.slice(1) };
};

test('killed at every commit of a file', async () => {
  const more = { keep: 'both', epochs: 2, learningRate: 0.3, seed: 2 } as const;
  const recipe: Recipe = { ...BASE, checkpointEvery: { steps: 2 }, ...more };
  const reference = await whole(join(dir, 'commits-whole'), recipe, splits);
  expect(reference.returned.best?.epoch).toBe(1); // the last weights have a file and a threshold of their own
  const out = join(dir, 'commits');
  const killed = await killedAtEach(
    out,
    join(dir, 'killed'),
    () => whole(out, recipe, splits),
    ({ operation, path }) => operation === 'rename' && !path.includes('progress.json') && !path.includes('lock'),
  );
  const runs = killed.filter(({ copy }) => existsSync(join(copy, 'config.json')));
  expect(runs.length).toBeGreaterThan(12);
  for (const { copy, what } of runs) expect([what, await toTheEnd(copy, splits)]).toEqual([what, reference]);
});

test.each([1, 3])('the last %i stay, with the weights that they name', async (keepCheckpoints) => {
  const recipe: Recipe = { ...BASE, keepCheckpoints, checkpointEvery: { steps: 1 }, keep: 'last' };
  const out = join(dir, `keep-${keepCheckpoints}`);
  await stopped(out, recipe, splits, { leaveAfter: 15 });
  const names = await checkpointsOf(out);
  expect(names).toHaveLength(keepCheckpoints);
  expect(names.at(-1)).toMatch(/^epoch-0003-step-000003-/);
  // From each of them, as if the later ones had not been written.
  const reference = unnoticed(await whole(`${out}-whole`, recipe, splits));
  for (let left = names.length; left > 0; left -= 1) {
    const copy = `${out}-${left}`;
    await cp(out, copy, { recursive: true });
    for (const name of names.slice(left)) await rm(join(copy, 'checkpoints', name));
    expect(unnoticed(await toTheEnd(copy, splits))).toEqual(reference);
    expect(await checkpointsOf(copy)).toHaveLength(keepCheckpoints);
  }
});

test('with none kept nothing can go on, and the error says so', async () => {
  const out = join(dir, 'none');
  await stopped(out, { ...BASE, keepCheckpoints: 0 }, splits, { leaveAfter: 8 });
  expect(await checkpointsOf(out)).toEqual([]);
  await expect(goingOn(out)).rejects.toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringMatching(/none.*expected a run with a checkpoint to go on from; there is none; train again/),
  });
});

/** Flips a bit in the middle of a file. */
async function flip(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const at = Math.floor((await file.stat()).size / 2);
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.of(byte[0]! ^ 1), 0, 1, at);
  await file.close();
}

test('a damaged one is told of, and the one before it is taken; where all are damaged nothing goes on', async () => {
  const out = join(dir, 'damaged');
  const recipe: Recipe = { ...BASE, keepCheckpoints: 2 };
  const reference = unnoticed(await whole(`${out}-whole`, recipe, splits));
  await stopped(out, recipe, splits, { leaveAfter: 15 });
  const [before, latest] = (await checkpointsOf(out)).map((name) => join(out, 'checkpoints', name));
  await cp(out, join(dir, 'damaged-both'), { recursive: true });
  await flip(latest!);
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  expect(unnoticed(await toTheEnd(out, splits, { onWarning }))).toEqual(reference);
  expect(warnings).toEqual([expect.stringContaining(`${latest!}: the checkpoint cannot be used: expected bytes of`)]);
  expect(existsSync(latest!)).toBe(false);
  const both = join(dir, 'damaged-both');
  for (const path of [before, latest]) await writeFile(path!.replace(out, both), '');
  await expect(goingOn(both, { onWarning })).rejects.toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringContaining('there is none that is whole'),
  });
  expect(warnings).toHaveLength(3);
});

test('one of a later version is not taken for damaged without a word of that', async () => {
  const out = join(dir, 'later');
  await stopped(out, BASE, splits, { leaveAfter: 3 });
  const [name] = await checkpointsOf(out);
  const path = join(out, 'checkpoints', name!);
  const bytes = await readFile(path);
  bytes.write('2', bytes.indexOf('\\"formatVersion\\":1') + '\\"formatVersion\\":'.length);
  await writeFile(path, bytes);
  const digits = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  await rename(path, path.replace(/[0-9a-f]{16}\.safetensors$/, `${digits}.safetensors`));
  const warnings: string[] = [];
  await expect(goingOn(out, { onWarning: (message) => warnings.push(message) })).rejects.toMatchObject({
    code: 'ERR_RESUME',
  });
  expect(warnings).toEqual([expect.stringContaining('a later version of covidct-torch has written it')]);
});

test.each([
  ['plateau', { learningRate: 0.1, seed: 4, patience: 0 }],
  ['constant, averaged, both kept', { schedule: 'constant', ema: { decay: 0.8 }, keep: 'both' }],
] as const)('a finished run with more epochs is one that had so many: %s', async (name, more) => {
  const out = join(dir, name.slice(0, 8));
  const reference = await whole(`${out}-whole`, { ...BASE, ...more, epochs: 4 }, splits);
  await whole(out, { ...BASE, ...more, epochs: 2 }, splits);
  const same = await contentOfRun(out);
  await toTheEnd(out, splits);
  expect(await contentOfRun(out)).toEqual(same);
  expect(unnoticed(await toTheEnd(out, splits, { epochs: 4 }))).toEqual(unnoticed(reference));
  const { options, resumed } = JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as {
    options: { epochs: number };
    resumed: { changes: string[] }[];
  };
  expect(options.epochs).toBe(4);
  expect(resumed.map(({ changes }) => changes)).toEqual([[], ['epochs was 2, is 4']]);
});

test('what was written after the checkpoint is gone, also where less is written in its place', async () => {
  const out = join(dir, 'taken-back');
  const recipe: Recipe = { ...BASE, keepCheckpoints: 3, keep: 'last' };
  const reference = await whole(`${out}-whole`, { ...recipe, epochs: 1 }, splits);
  await whole(out, recipe, splits);
  for (const name of (await checkpointsOf(out)).slice(1)) await rm(join(out, 'checkpoints', name));
  expect(unnoticed(await toTheEnd(out, splits, { epochs: 1 }))).toEqual(unnoticed(reference));
});

test('metrics of a test split stay with the weights that they are of', async () => {
  const out = join(dir, 'tested');
  const { returned } = await whole(out, { ...BASE, epochs: 1 }, splits);
  const folder = await RunFolder.open(out);
  await folder.writeMetrics(madeUpEvaluation(10, { classes: [...splits.train.classes] }));
  await toTheEnd(out, splits);
  expect(Object.keys(await folder.metrics())).toEqual(['validation', 'test']);
  const { returned: after } = await toTheEnd(out, splits, { epochs: 3 });
  expect(after.best!.epoch).toBeGreaterThan(returned.best!.epoch);
  expect(Object.keys(await folder.metrics())).toEqual(['validation']);
});

test('a run that early stopping has ended has no more epochs', async () => {
  const out = join(dir, 'early');
  const early = await whole(out, { ...BASE, learningRate: 0.3, seed: 5, epochs: 5, patience: 0 }, splits);
  expect(early.returned.stop.reason).toBe('early-stopping');
  expect(await toTheEnd(out, splits, { epochs: 9 })).toEqual(early);
});

test('fewer epochs than are done are refused; as many end the run', async () => {
  const out = join(dir, 'fewer');
  await stopped(out, { ...BASE, epochs: 5 }, splits, { leaveAfter: 13 });
  for (const epochs of [1, 2])
    await expect(goingOn(out, { epochs })).rejects.toMatchObject({
      code: 'ERR_RESUME',
      message: expect.stringContaining('at least 3 epochs, for epoch 3 has begun already'),
    });
  expect(unnoticed(await toTheEnd(out, splits, { epochs: 3 }))).toEqual(unnoticed(expected));
  await expect(goingOn(out, { epochs: 2 })).rejects.toMatchObject({ code: 'ERR_RESUME' });
});

test('after a failing logger, and after a training that diverged, the last checkpoint is gone on from', async () => {
  const out = join(dir, 'failing');
  let steps = 0;
  const failing: TrainLogger = {
    log: ({ type }) => {
      if (type === 'step' && (steps += 1) === 10) throw new Error('the disk of the log is full');
    },
    close: () => undefined,
  };
  const trainer = await beginning(out, BASE, splits, failing);
  await expect(trainer.fit(splits.train, splits.validation)).rejects.toThrow('the disk of the log is full');
  trainer.model.dispose();
  expect(await toTheEnd(out, splits)).toEqual(expected);
  const wild = { ...BASE, learningRate: 1e15, accumulate: 2, keep: 'both', checkpointEvery: { steps: 1 } } as const;
  const diverged = await beginning(join(dir, 'wild'), wild, splits);
  const message = await diverged.fit(splits.train, splits.validation).catch((error: Error) => error.message);
  expect(message).toContain('the training diverged');
  diverged.model.dispose();
  const again = await goingOn(join(dir, 'wild'));
  await expect(again.fit(splits.train, splits.validation)).rejects.toMatchObject({ code: 'ERR_DIVERGED', message });
  again.model.dispose();
});

test('in pieces of one step each', async () => {
  const { ending, parts } = await inPieces(join(dir, 'single'), BASE, splits, [{ leaveAfter: 1 }]);
  expect(ending).toEqual(expected);
  expect(parts).toBeGreaterThan(18);
});

/** A process may be killed before any change that it makes on the disk: the run ends as if it had not been. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { killedAtEach } from '../helpers/killed';
import { BASE, makeFolderForRuns, stopped, toTheEnd, whole } from '../helpers/resume';
import type { Recipe, Splits } from '../helpers/resume';
import { makeDataset } from '../unit/train/made-up';

let dir: string;
let splits: Splits;
const RECIPE: Recipe = {
  ...BASE,
  epochs: 2,
  ema: { decay: 0.8 },
  keep: 'both',
  checkpointEvery: { steps: 1 },
  keepCheckpoints: 2,
  learningRate: 0.1,
  seed: 4,
  patience: 0,
};

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** Trains to the end in a copy; from the beginning where nothing had become a run. */
async function ended(copy: string) {
  return existsSync(join(copy, 'config.json')) ? await toTheEnd(copy, splits) : await whole(copy, RECIPE, splits);
}

test('killed before every change, and then again in the process that goes on', async () => {
  const expected = await whole(join(dir, 'whole'), RECIPE, splits);
  const out = join(dir, 'first');
  const killed = await killedAtEach(out, join(dir, 'killed'), () => whole(out, RECIPE, splits));
  expect(killed.length).toBeGreaterThan(60);
  for (const { copy, what } of killed) expect([what, await ended(copy)]).toEqual([what, expected]);
  // One that was killed with much behind its checkpoint, or stopped with more.
  const second = join(dir, 'second');
  await stopped(second, RECIPE, splits, { leaveAfter: 8 });
  const again = await killedAtEach(second, join(dir, 'again'), () => toTheEnd(second, splits));
  expect(again.length).toBeGreaterThan(40);
  for (const { copy, what } of again) expect([what, await ended(copy)]).toEqual([what, expected]);
}, 600_000);

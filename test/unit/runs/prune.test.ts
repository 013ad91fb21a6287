/** Removing runs: what goes, what stays, and that nothing else is touched. */
import { existsSync, readdirSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, rm, symlink, utimes, writeFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ownFolder } from '../../../src/files/owner';
import { pruneRuns, pruneRunsIn } from '../../../src/runs/prune';
import type { Ownership } from '../../../src/runs/state';
import { WORLD } from '../../../src/runs/world';
import type { PruneOptions } from '../../../src/runs/options';
import { RunFolder } from '../../../src/train/run-folder';
import { stopEvent } from '../../helpers/events';
import { madeUpEvaluation } from '../../helpers/report-data';
import { madeUpProgress, makeRun, TWO_EPOCHS } from '../../helpers/runs';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-prune-'));
});
afterEach(() => rm(dir, { recursive: true }));

const alive: Ownership = {
  owner: { pid: 7, host: 'there', since: 'then', what: 'train' },
  state: 'alive',
  beat: new Date(),
};
const KILLED = { events: TWO_EPOCHS, files: { 'progress.json': madeUpProgress() } };
const FAILED = { events: TWO_EPOCHS, files: { 'progress.json': madeUpProgress({ state: 'failed', message: 'x' }) } };
const STOPPED = { events: [...TWO_EPOCHS, stopEvent({ reason: 'aborted' })] };

/** One run in each state, by its name. */
async function everyState(): Promise<void> {
  for (const [name, run] of Object.entries({ finished: {}, killed: KILLED, failed: FAILED, stopped: STOPPED }))
    await makeRun(join(dir, name), run);
  await makeRun(join(dir, 'running'), KILLED);
  await makeRun(join(dir, 'unknown'), { events: TWO_EPOCHS });
}

const prune = (options: PruneOptions, owner: (dir: string) => Ownership | null = ownerByName) =>
  pruneRunsIn(dir, options, { ...WORLD, ownerOf: (each) => Promise.resolve(owner(each)) });
const ownerByName = (each: string): Ownership | null => (basename(each) === 'running' ? alive : null);
const namesOf = (runs: readonly { dir: string }[]): string[] => runs.map((each) => basename(each.dir)).sort();
const left = (): string[] => readdirSync(dir).sort();

test('nothing is removed unless that is asked for; what would be is told', async () => {
  await everyState();
  const before = left();
  const { dryRun, removed, bytes, spared, failed, problems } = await prune({});
  expect([dryRun, namesOf(removed), spared, failed, problems]).toEqual([true, ['failed', 'killed'], [], [], []]);
  expect(bytes).toBe(removed.reduce((sum, each) => sum + each.bytes, 0));
  expect(bytes).toBeGreaterThan(2000);
  expect(left()).toEqual(before);
});

test.each([
  [{}, ['failed', 'killed']],
  [{ states: ['stopped'] }, ['stopped']],
  [{ states: ['finished', 'stopped', 'failed', 'killed'] }, ['failed', 'finished', 'killed', 'stopped']],
] as [PruneOptions, string[]][])('%j', async (options, gone) => {
  await everyState();
  const before = left();
  const { removed } = await prune({ ...options, dryRun: false });
  expect(namesOf(removed)).toEqual(gone);
  expect(left()).toEqual(before.filter((name) => !gone.includes(name)));
});

test('the running and the unknown cannot be asked for', async () => {
  for (const state of ['running', 'unknown'])
    await expect(pruneRuns(dir, { states: [state] as never })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test("what is not the run's own stays, with its folder; what a killed process left unfinished goes", async () => {
  const run = await makeRun(join(dir, 'a'), {
    ...KILLED,
    files: {
      ...KILLED.files,
      'notes.txt': 'mine',
      '.history.jsonl.123-0a1b2c3d.tmp': 'half',
      '.notes.txt.123-0a1b2c3d.tmp': '',
    },
  });
  await makeRun(join(run, 'inner'));
  const { removed } = await prune({ dryRun: false });
  expect(removed).toEqual([
    expect.objectContaining({ dir: run, what: 'run', left: ['.notes.txt.123-0a1b2c3d.tmp', 'inner', 'notes.txt'] }),
  ]);
  expect((await readdir(run)).sort()).toEqual(['.notes.txt.123-0a1b2c3d.tmp', 'inner', 'notes.txt']);
  expect(existsSync(join(run, 'inner', 'config.json'))).toBe(true);
});

test('links within a run are removed, and not followed', async () => {
  const run = await makeRun(join(dir, 'runs', 'a'), KILLED);
  await mkdir(join(dir, 'pictures'));
  await writeFile(join(dir, 'pictures', 'mine.png'), 'x');
  await symlink(join(dir, 'pictures'), join(run, 'pictures'));
  await pruneRuns(join(dir, 'runs'), { dryRun: false });
  expect(left()).toEqual(['pictures', 'runs']);
  expect([readdirSync(join(dir, 'runs')), readdirSync(join(dir, 'pictures'))]).toEqual([[], ['mine.png']]);
});

test('a run behind a link that leads elsewhere stays', async () => {
  const elsewhere = await makeRun(join(dir, 'elsewhere'), KILLED);
  await mkdir(join(dir, 'runs'));
  await symlink(elsewhere, join(dir, 'runs', 'far'));
  const { removed, spared } = await pruneRuns(join(dir, 'runs'), { dryRun: false });
  expect([removed, spared]).toEqual([
    [],
    [{ dir: join(dir, 'runs', 'far'), why: expect.stringContaining('link') as string }],
  ]);
  expect(await RunFolder.open(elsewhere)).toBeDefined();
});

test('a run that somebody goes on with meanwhile stays', async () => {
  await makeRun(join(dir, 'a'), KILLED);
  let asked = 0;
  const { removed, spared } = await prune({ dryRun: false }, () => ((asked += 1) > 1 ? alive : null));
  expect([removed, spared]).toEqual([[], [{ dir: join(dir, 'a'), why: 'it is running by now' }]]);
});

test('a run that somebody holds stays, also where it is taken at the last moment', async () => {
  const dirs = [await makeRun(join(dir, 'a'), KILLED), await makeRun(join(dir, 'b'), KILLED)];
  const held = await ownFolder(dirs[0]!, 'Trainer.fit');
  try {
    const { removed, spared } = await pruneRuns(dir, { dryRun: false });
    expect([namesOf(removed), spared]).toEqual([['b'], []]);
    expect((await prune({ dryRun: false }, () => null)).spared).toEqual([
      { dir: dirs[0], why: expect.stringContaining('held by Trainer.fit') as string },
    ]);
  } finally {
    await held.release();
  }
  expect(left()).toEqual(['a']);
  expect(namesOf((await pruneRuns(dir, { dryRun: false })).removed)).toEqual(['a']);
  expect(left()).toEqual([]);
});

test('only what has not changed for so long', async () => {
  const [old, young] = [await makeRun(join(dir, 'old'), KILLED), await makeRun(join(dir, 'young'), KILLED)];
  const then = new Date(Date.now() - 40 * 24 * 3600 * 1000);
  for (const name of await readdir(old, { recursive: true })) await utimes(join(old, name), then, then);
  void young;
  expect(namesOf((await pruneRuns(dir, { olderThanDays: 30 })).removed)).toEqual(['old']);
  expect(namesOf((await pruneRuns(dir, { olderThanDays: 50 })).removed)).toEqual([]);
});

test('the best stay, whatever their state', async () => {
  const made = { good: 50, better: 60, best: 70, none: null };
  for (const [name, n] of Object.entries(made)) {
    const evaluation =
      n === null ? [] : [{ ...madeUpEvaluation(40, { split: 'validation' }), auc: n / 100, loss: 100 - n }];
    await makeRun(join(dir, name), { ...(name === 'better' ? KILLED : {}), evaluations: evaluation });
  }
  for (const by of ['auc', 'loss'] as const) {
    const { removed, spared } = await pruneRuns(dir, { states: ['finished', 'killed'], keep: 2, by });
    expect([namesOf(removed), namesOf(spared)]).toEqual([
      ['good', 'none'],
      ['best', 'better'],
    ]);
    expect(spared[0]!.why).toBe(`it is one of the 2 best by validation ${by}`);
  }
});

test('checkpoints alone: of finished runs, and nothing of one that has none', async () => {
  for (const [name, run] of Object.entries({ finished: {}, plain: {}, killed: KILLED })) {
    await makeRun(join(dir, name), run);
    if (name === 'plain') continue;
    await mkdir(join(dir, name, 'checkpoints'));
    await writeFile(join(dir, name, 'checkpoints', '1.safetensors'), 'x'.repeat(500));
  }
  const { removed } = await pruneRuns(dir, { checkpoints: true, dryRun: false });
  expect(removed).toEqual([
    { dir: join(dir, 'finished'), state: 'finished', what: 'checkpoints', bytes: 500, hasCheckpoints: true, left: [] },
  ]);
  expect(existsSync(join(dir, 'finished', 'checkpoints'))).toBe(false);
  expect((await lstat(join(dir, 'killed', 'checkpoints'))).isDirectory()).toBe(true);
  expect(await RunFolder.open(join(dir, 'finished'))).toBeDefined();
});

test('refused: no such folder, an aborted signal, wrong options', async () => {
  await expect(pruneRuns(join(dir, 'none'))).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  await expect(pruneRuns(dir, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  for (const options of [{ keep: -1 }, { by: 'f2' }, { states: [] }, { olderThanDays: '30d' }, { yes: true }])
    await expect(pruneRuns(dir, options as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

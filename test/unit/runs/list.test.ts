/** The runs below a folder: which are found, what state each is in, and that nothing is lost in silence. */
import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { listRuns, listRunsIn } from '../../../src/runs/list';
import type { Ownership } from '../../../src/runs/state';
import { WORLD } from '../../../src/runs/world';
import type { World } from '../../../src/runs/summary';
import { startEvent, stopEvent } from '../../helpers/events';
import { madeUpEvaluation } from '../../helpers/report-data';
import { bestKept, madeUpProgress, makeRun, TWO_EPOCHS } from '../../helpers/runs';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-runs-'));
});
afterEach(() => rm(dir, { recursive: true }));

const DAY_MS = 24 * 3600 * 1000;

function held(state: Ownership['state']): Ownership {
  return { owner: { pid: 7, host: 'there', since: 'then', what: 'train' }, state, beat: new Date(0) };
}

const world = (owner: Ownership | null = null, later = 0): World => ({
  ownerOf: () => Promise.resolve(owner),
  own: WORLD.own,
  now: () => Date.now() + later,
});

async function stateOf(owner: Ownership | null = null, later = 0): Promise<[string, string]> {
  const { runs } = await listRunsIn(dir, world(owner, later));
  expect(runs).toHaveLength(1);
  return [runs[0]!.state, runs[0]!.why];
}

test('a run in numbers', async () => {
  const evaluations = [madeUpEvaluation(40, { split: 'validation' }), madeUpEvaluation(10)];
  const events = [...TWO_EPOCHS, bestKept(2, 0.8), stopEvent({ message: 'done.' })];
  const run = await makeRun(join(dir, 'a', 'b'), { evaluations, events });
  await link(join(run, 'weights', 'best.safetensors'), join(run, 'weights', 'last.safetensors'));
  const { runs, problems } = await listRuns(dir);
  expect(problems).toEqual([]);
  expect(runs).toEqual([
    expect.objectContaining({
      dir: run,
      state: 'finished',
      why: 'done.',
      created: expect.stringMatching(/^\d{4}-/) as string,
      changed: expect.stringMatching(/^\d{4}-/) as string,
      architecture: 'tiny',
      data: 'made up train',
      epochs: { finished: 2, planned: 3 },
      best: { epoch: 2, metric: 'accuracy', value: 0.8 },
      seconds: 22.5,
      progress: null,
    }),
  ]);
  const [{ metrics, bytes }] = runs as [(typeof runs)[number]];
  expect(metrics['validation']).toMatchObject({ n: 40, auc: evaluations[0]!.auc, mcc: evaluations[0]!.mcc });
  expect(metrics['test']).toMatchObject({ n: 10, loss: evaluations[1]!.loss, accuracy: evaluations[1]!.accuracy });
  // The weights count once, whatever their names.
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(150_000);
});

describe('states', () => {
  test.each([
    ['all epochs', 'epochs', 'finished'],
    ['early stopping', 'early-stopping', 'finished'],
    ['an abort', 'aborted', 'stopped'],
  ] as const)('%s', async (_, reason, state) => {
    await makeRun(join(dir, 'a'), { events: [...TWO_EPOCHS, stopEvent({ reason, message: 'why.' })] });
    expect(await stateOf()).toEqual([state, 'why.']);
    expect(await stateOf(held('dead'))).toEqual([state, 'why.']);
  });

  test('a living process, also in a run that had ended before', async () => {
    await makeRun(join(dir, 'a'));
    expect(await stateOf(held('alive'))).toEqual(['running', 'process 7 on there is at work: train']);
  });

  test('a run that went on after its stop and was killed', async () => {
    const files = { 'progress.json': madeUpProgress() };
    await makeRun(join(dir, 'a'), { events: [...TWO_EPOCHS, stopEvent({ reason: 'aborted' }), startEvent()], files });
    expect((await stateOf(held('dead')))[0]).toBe('killed');
    expect((await stateOf())[0]).toBe('killed');
  });

  test('an error', async () => {
    const files = { 'progress.json': madeUpProgress({ state: 'failed', message: 'the loss is NaN' }) };
    await makeRun(join(dir, 'a'), { events: TWO_EPOCHS, files });
    expect(await stateOf(held('dead'))).toEqual(['failed', 'the loss is NaN']);
    expect((await stateOf(held('alive')))[0]).toBe('running');
  });

  test('a process elsewhere whose heart beats no more, and an owner that cannot be read', async () => {
    await makeRun(join(dir, 'a'), { events: TWO_EPOCHS });
    const [state, why] = await stateOf(held('unknown'), 9 * DAY_MS);
    expect([state, why]).toEqual(['unknown', expect.stringContaining('there gave its last sign of life at 1970')]);
    const { runs, problems } = await listRunsIn(dir, { ...world(), ownerOf: () => Promise.reject(new Error('no')) });
    expect(runs[0]!.state).toBe('unknown');
    expect(problems).toEqual([
      { path: join(dir, 'a', 'owner.lock'), message: expect.stringContaining(': no') as string },
    ]);
  });

  test('an earlier version gives no sign of life: unknown for a day, then killed', async () => {
    await makeRun(join(dir, 'a'), { events: TWO_EPOCHS });
    expect((await stateOf(null, 0))[0]).toBe('unknown');
    expect((await stateOf(null, 2 * DAY_MS))[0]).toBe('killed');
  });
});

test('a damaged file is told, and the rest of the run shown', async () => {
  const run = await makeRun(join(dir, 'a'), {
    files: { 'history.jsonl': '{"type":"start"', 'metrics.json': '{', 'progress.json': '[]' },
  });
  const { runs, problems } = await listRuns(dir);
  expect(runs).toEqual([
    expect.objectContaining({ state: 'unknown', architecture: 'tiny', metrics: {}, progress: null }),
  ]);
  expect(problems.map(({ path }) => path).sort()).toEqual(
    ['history.jsonl', 'metrics.json', 'progress.json'].map((name) => join(run, name)),
  );
  for (const { path, message } of problems) expect(message.split(path)).toHaveLength(2);
});

test('a configuration of a later version is a run still', async () => {
  await makeRun(join(dir, 'a'), { files: { 'config.json': '{"format":"covidct-torch/run","formatVersion":2}' } });
  const { runs, problems } = await listRuns(dir);
  expect(runs).toEqual([expect.objectContaining({ state: 'finished', created: null, architecture: null })]);
  expect(problems).toEqual([
    expect.objectContaining({ message: expect.stringContaining('a later version') as string }),
  ]);
});

test('the oldest first; not into runs, hidden folders and node_modules; other configurations are passed over', async () => {
  const [first, second] = [await makeRun(join(dir, 'z')), await makeRun(join(dir, 'deep', 'er', 'a'))];
  await makeRun(join(first, 'inside'));
  await makeRun(join(dir, '.hidden', 'a'));
  await makeRun(join(dir, 'node_modules', 'a'));
  await mkdir(join(dir, 'other'));
  await writeFile(join(dir, 'other', 'config.json'), '{"model_type":"bert"}');
  await makeRun(join(dir, 'other', 'below'));
  const { runs, problems } = await listRuns(dir);
  expect(runs.map((run) => run.dir)).toEqual([first, second, join(dir, 'other', 'below')]);
  expect(problems).toEqual([]);
  expect((await listRuns(first)).runs.map((run) => run.dir)).toEqual([first]);
});

test('links: in circles, to nowhere, to a run elsewhere, and to one that is listed anyway', async () => {
  const run = await makeRun(join(dir, 'top', 'run'));
  const elsewhere = await makeRun(join(dir, 'elsewhere'));
  await symlink(join(dir, 'top'), join(dir, 'top', 'circle'));
  await symlink(join(dir, 'nowhere'), join(dir, 'top', 'dead'));
  await symlink(run, join(dir, 'top', 'latest'));
  await symlink(elsewhere, join(dir, 'top', 'far'));
  await symlink('itself', join(dir, 'top', 'itself'));
  const { runs, problems } = await listRuns(join(dir, 'top'));
  expect(runs.map((each) => each.dir)).toEqual([run, join(dir, 'top', 'far')]);
  expect(problems.map(({ path }) => basename(path))).toEqual(['itself']); // leads nowhere, in a circle
});

const isRoot = process.getuid?.() === 0;
(isRoot ? test.skip : test)('a folder without permission is told', async () => {
  await makeRun(join(dir, 'a'));
  await mkdir(join(dir, 'closed'));
  await chmod(join(dir, 'closed'), 0);
  const { runs, problems } = await listRuns(dir).finally(() => chmod(join(dir, 'closed'), 0o700));
  expect(runs).toHaveLength(1);
  expect(problems).toEqual([expect.objectContaining({ path: join(dir, 'closed') })]);
});

test('a config.json that is no JSON is told; the folder is looked into', async () => {
  await mkdir(join(dir, 'a'));
  await writeFile(join(dir, 'a', 'config.json'), '{"format":');
  await makeRun(join(dir, 'a', 'b'));
  const { runs, problems } = await listRuns(dir);
  expect([runs.length, problems.map(({ path }) => path)]).toEqual([1, [join(dir, 'a', 'config.json')]]);
});

test('refused: no such folder, a file, an aborted signal, wrong arguments', async () => {
  await expect(listRuns(join(dir, 'none'))).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  await writeFile(join(dir, 'file'), '');
  await expect(listRuns(join(dir, 'file'))).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  await expect(listRuns(dir, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await expect(listRuns('')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(listRuns(dir, { deep: 1 } as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

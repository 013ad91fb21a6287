/** `covidct runs`: what it prints of made-up runs, for people and as JSON, and its exit codes. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summarize } from '../../../src/metrics/evaluation';
import type { Evaluation } from '../../../src/metrics/types';
import { stopEvent } from '../../helpers/events';
import { madeUpEvaluation } from '../../helpers/report-data';
import { madeUpProgress, makeRun, TWO_EPOCHS } from '../../helpers/runs';
import { runCommand } from '../../helpers/command-line';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-runs-'));
});
afterEach(() => rm(dir, { recursive: true }));

const covidct = (...args: string[]) => runCommand(['runs', ...args]);
const FAILED = {
  events: TWO_EPOCHS,
  files: { 'progress.json': madeUpProgress({ state: 'failed', message: 'the loss is NaN' }) },
};

const first = madeUpEvaluation(60, { split: 'validation' });
const second: Evaluation = summarize({
  ...first,
  threshold: 0.5,
  samples: first.samples.map((sample, index) =>
    index % 3 === 0 ? { ...sample, probabilities: [...sample.probabilities].reverse() } : sample,
  ),
});

test('a table of the runs below a folder, and what is to be said of some', async () => {
  await makeRun(join(dir, 'first'), { evaluations: [first, madeUpEvaluation(20)] });
  await makeRun(join(dir, 'deep', 'er'), {
    events: [...TWO_EPOCHS, stopEvent({ reason: 'aborted' })],
    evaluations: [],
  });
  await makeRun(join(dir, 'nan'), FAILED);
  const { code, stdout, stderr } = await covidct(dir);
  expect([code, stderr]).toEqual([0, '']);
  const [heading, ...rows] = stdout.trimEnd().split('\n');
  expect(heading).toMatch(
    /^run +state +epochs +best epoch +val acc +val AUC +test acc +test AUC +time +size +network +data +created$/,
  );
  expect(rows).toHaveLength(4);
  const percent = (100 * first.accuracy!).toFixed(1);
  expect(rows[0]).toMatch(
    new RegExp(`^first +finished +2/3 +1 \\(accuracy 0.700\\) +${percent} % +${first.auc!.toFixed(3)} `),
  );
  expect(rows[0]).toMatch(/ 23 s +\d+ KiB +tiny +made up train +\d{4}-\d\d-\d\d \d\d:\d\d$/);
  expect(rows[1]).toMatch(/^deep\/er +stopped +2\/3 .* – +– +– +– /);
  expect(rows[3]).toBe('nan: failed: the loss is NaN');
  expect(rows.slice(0, 3).map((row) => row.indexOf('tiny'))).toEqual(Array(3).fill(heading!.indexOf('network')));
  expect((await covidct('list', dir)).stdout).toBe(stdout);
  expect((await covidct(join(dir, 'first'))).stdout).toMatch(/\n\. +finished /);
});

test('as JSON, a run a line; what is damaged is told beside it', async () => {
  await makeRun(join(dir, 'a'), FAILED);
  await makeRun(join(dir, 'b'), { files: { 'metrics.json': '{' } });
  const { code, stdout, stderr } = await covidct(dir, '--json', '--quiet');
  const runs = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(runs).toEqual([
    expect.objectContaining({ dir: join(dir, 'a'), state: 'failed', why: 'the loss is NaN', seconds: 22.5 }),
    expect.objectContaining({ dir: join(dir, 'b'), state: 'finished', metrics: {} }),
  ]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^not read: \S*metrics\.json:\d.*\n$/);
});

test('no run, and no folder', async () => {
  expect(await covidct(dir)).toEqual({ code: 0, stdout: '', stderr: `${dir}: there is no run below this folder\n` });
  expect(await covidct(join(dir, 'none'))).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('it does not exist') as string,
  });
});

test('runs side by side', async () => {
  const runs = [
    await makeRun(join(dir, 'a'), { evaluations: [first] }),
    await makeRun(join(dir, 'b'), { options: { learningRate: 0.1 }, evaluations: [second] }),
    await makeRun(join(dir, 'c'), { evaluations: [first] }),
  ];
  const { code, stdout, stderr } = await covidct('compare', ...runs);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^run 1: \S+a\nrun 2: \S+b\nrun 3: \S+c\n\nConfiguration +run 1 +run 2 +run 3\n {2}learningRate +0.01 +0.1 +0.01\n/,
  );
  expect(stdout).toMatch(/\nMetrics of 60 validation images +run 1 .*\n {2}Mean loss, nats +0\.\d{3} /);
  expect(stdout).toMatch(/\n {2}AUC +0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) +0\.\d{3} \(/);
  expect(stdout).toMatch(
    /\nRun 2 against run 1, on the same 60 images\n {2}Right or wrong \(McNemar, exact\): run 1 alone is right on \d+, run 2 alone on \d+; p = \S+\n {2}AUC \(DeLong\): -0\.\d{3} \(95 % interval -0\.\d{3} to -?0\.\d{3}\); p = \S+\n/,
  );
  expect(stdout).toContain('run 3 alone on 0; p = 1.000\n  AUC (DeLong): +0.000; p cannot be told\n');
  expect(stdout).toMatch(/not corrected for 2 comparisons\.\n$/);
  const json = JSON.parse((await covidct('compare', ...runs, '--json')).stdout) as Record<string, unknown>;
  expect(json).toMatchObject({ split: 'validation', n: 60, pairs: [{ second: runs[1] }, { second: runs[2] }] });
  expect(await covidct('compare', ...runs, '--split', 'test')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('covidct evaluate --model') as string,
  });
  expect((await covidct('compare', runs[0]!, runs[2]!)).stdout).toContain('The configurations are the same.');
});

test('pruning shows what it would remove, and removes it with --yes', async () => {
  await makeRun(join(dir, 'good'));
  const failed = await makeRun(join(dir, 'nan'), FAILED);
  await writeFile(join(failed, 'notes.txt'), 'mine');
  const shown = await covidct('prune', dir);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/^would remove nan \(failed, \d+ KiB\); what is not the run's own stays: notes.txt\n$/);
  expect(shown.stderr).toMatch(/^1 run, \d+ KiB; nothing was removed: --yes removes it\n$/);
  expect(existsSync(join(failed, 'config.json'))).toBe(true);
  const done = await covidct('prune', dir, '--yes');
  expect(done.stdout).toMatch(/^removed nan \(failed, /);
  expect([existsSync(join(failed, 'config.json')), existsSync(join(failed, 'notes.txt'))]).toEqual([false, true]);
  expect(await covidct('prune', dir, '--yes')).toEqual({ code: 0, stdout: '', stderr: 'nothing to remove\n' });
});

test('pruning by state, age and rank; checkpoints alone', async () => {
  const old = await makeRun(join(dir, 'old'), { evaluations: [first] });
  const best = await makeRun(join(dir, 'best'), { evaluations: [{ ...first, auc: 1 }] });
  await mkdir(join(best, 'checkpoints'));
  await writeFile(join(best, 'checkpoints', 'x'), 'x'.repeat(3000));
  const then = new Date(Date.now() - 20 * 24 * 3600 * 1000);
  for (const name of ['config.json', 'history.jsonl', 'metrics.json', 'weights/best.safetensors'])
    await utimes(join(old, name), then, then);
  const prune = async (...flags: string[]) => {
    const { stdout } = await covidct('prune', dir, '--json', ...flags);
    const { removed } = JSON.parse(stdout) as { removed: { dir: string; what: string }[] };
    return removed.map((each) => `${each.what} ${each.dir}`);
  };
  expect(await prune('--state', 'finished', '--older-than', '2w')).toEqual([`run ${old}`]);
  expect(await prune('--state', 'finished', '--older-than', '3w')).toEqual([]);
  expect(await prune('--state', 'finished,stopped', '--keep', '1', '--by', 'auc')).toEqual([`run ${old}`]);
  expect(await prune('--checkpoints')).toEqual([`checkpoints ${best}`]);
  const killed = await makeRun(join(dir, 'killed'), { ...FAILED, files: { 'progress.json': madeUpProgress() } });
  await mkdir(join(killed, 'checkpoints'));
  await writeFile(join(killed, 'checkpoints', 'x'), '');
  expect((await covidct('prune', dir)).stdout).toMatch(/killed \(killed, and could still go on from its checkpoints, /);
  const kept = await covidct('prune', dir, '--state', 'finished', '--keep', '1', '--by', 'auc', '--yes');
  expect(kept.stderr).toContain(`stays: ${best}: it is one of the 1 best by validation auc\n`);
  expect([existsSync(old), existsSync(best)]).toEqual([false, true]);
});

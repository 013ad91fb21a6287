/** `covidct train --resume`: after signals and kills, begun or gone on with, and what it does not take. */
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { runCommand } from '../helpers/command-line';
import { contentOfRun } from '../helpers/resume';
import { covidct, jsonLines } from './command';

let dir: string;
let data: string;
/** Of the flags that {@link flags} returns. */
let expected: Awaited<ReturnType<typeof contentOfRun>>;
/** The finished run that {@link expected} is of. */
let finished: string;
/** A run that was stopped in its second epoch, for copies. */
let halfway: string;

const TINY = ['--arch', 'tiny', '--image-size', '32', '--threads', '1'];
const flags = (out: string, ...more: string[]): string[] => [
  ...['train', '--data', data, '--out', out, ...TINY, '--epochs', '2', '--batch-size', '4', '--accumulate', '2'],
  ...['--keep', 'both', '--convolution', 'libtorch', '--test', ...more],
];

/** Trains in a process of its own and sends it a signal at a line of its events. */
async function signaled(signal: NodeJS.Signals, at: string, args: readonly string[]) {
  let sent = false;
  return await covidct([...args, '--json'], {
    onLine: (line, kill) => {
      if (sent || !line.includes(at)) return;
      sent = true;
      kill(signal);
    },
  });
}

/** On a busy machine a signal may come when the training is over: it is tried again, with nothing left of that. */
async function inTime(out: string, work: () => Promise<boolean>): Promise<void> {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    if (await work()) return;
    await rm(out, { recursive: true });
  }
  throw new Error('the signal came too late five times');
}

/** Runs a command in this process; it must end well. */
async function done(args: readonly string[]): Promise<string> {
  const { code, stderr } = await runCommand(args);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return stderr;
}

let copies = 0;
async function copyOf(run: string): Promise<string> {
  const out = join(dir, `copy-${(copies += 1)}`);
  await cp(run, out, { recursive: true });
  return out;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-resume-'));
  data = join(dir, 'data');
  await makePhantoms(data, { count: 28, size: 48 });
  finished = join(dir, 'finished');
  halfway = join(dir, 'halfway');
  await done(flags(finished));
  expected = await contentOfRun(finished);
  await inTime(halfway, async () => {
    const { code, stderr } = await signaled('SIGTERM', '"type":"step","epoch":2,"step":1', flags(halfway));
    if (code !== 0) expect([code, stderr]).toEqual([143, expect.stringContaining('stopping after the present step')]);
    return code !== 0;
  });
}, 120_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

test('SIGTERM writes a checkpoint, from which the run goes on to the bit, test split and pictures included', async () => {
  const checkpoints = await readdir(join(halfway, 'checkpoints'));
  expect(checkpoints).toEqual([expect.stringMatching(/^epoch-0002-step-00000[1-9]-/)]);
  const out = await copyOf(halfway);
  await done(['train', '--resume', out, '--test']);
  expect(await contentOfRun(out)).toEqual(expected);
});

test('SIGINT too, in the first epoch', async () => {
  const out = join(dir, 'interrupted');
  await inTime(out, async () => {
    const { code } = await signaled('SIGINT', '"type":"step","epoch":1,"step":1', flags(out));
    expect([130, 0]).toContain(code);
    return code === 130;
  });
  await done(['train', '--resume', relative(process.cwd(), out), '--test', '--prefetch', '0', '--cache-bytes', '0']);
  expect(await contentOfRun(out)).toEqual(expected);
}, 60_000);

test('killed at a step, while the best weights are kept, and after the training', async () => {
  const out = join(dir, 'killed');
  const moments = ['"type":"step","epoch":1,"step":3', '"type":"checkpoint"', '"type":"stop"'];
  await inTime(out, async () => {
    for (const at of moments) {
      const { code } = await signaled('SIGKILL', at, flags(out, '--resume', 'auto', '--checkpoint-every', '1steps'));
      expect([null, 0]).toContain(code);
      if (code === 0) return false;
    }
    return true;
  });
  await done(flags(out, '--resume', 'auto', '--checkpoint-every', '1steps'));
  const { history, ...rest } = await contentOfRun(out);
  const { history: whole, ...others } = expected;
  expect(rest).toEqual(others);
  expect(history.slice(1)).toEqual(whole.slice(1));
}, 120_000);

test('--resume auto begins, goes on, and does what is missing of a finished run; then there is nothing to do', async () => {
  const out = join(dir, 'auto');
  await done(flags(out, '--resume', 'auto', '--quiet'));
  expect(await contentOfRun(out)).toEqual(expected);
  // As a process leaves it that was killed after the training.
  const boards = (await readdir(join(out, 'tensorboard'))).filter((name) => /\.(training|test)$/.test(name));
  for (const name of boards) await rm(join(out, 'tensorboard', name));
  await rm(join(out, 'report.html'));
  const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(out, 'metrics.json'), JSON.stringify({ ...metrics, test: undefined }));
  expect(await done(flags(out, '--resume', 'auto'))).toContain('the run is finished');
  expect(await contentOfRun(out)).toEqual(expected);
  const before = await readFile(join(out, 'report.html'));
  const { code, stdout } = await runCommand(flags(out, '--resume', 'auto', '--quiet'));
  expect([code, stdout]).toEqual([0, '']);
  expect(await readFile(join(out, 'report.html'))).toEqual(before);
});

test('--resume auto goes on with every kind of option, and refuses others, spelled out', async () => {
  const out = join(dir, 'rich');
  const recipe = [
    ...['--freeze', 'backbone', '--unfreeze', '2:all', '--batch-norm', 'running', '--ema', '0.9', '--dropout', '0.2'],
    ...['--optimizer', 'adamw', '--betas', '0.8,0.99', '--schedule', 'cosine', '--warmup-epochs', '1'],
    ...['--class-weights', 'balanced', '--group', 'head:lr=0.001,wd=0', '--label-smoothing', '0.1', '--channels', '1'],
    ...['--classes', 'NonCOVID,COVID', '--best-by', 'auc', '--threshold', '0.4', '--max-gradient-norm', '1'],
    ...['--on-bad-file', 'skip', '--preset', 'tutorial', '--seed', '3'],
  ];
  await inTime(out, async () => {
    const args = flags(out, '--resume', 'auto', ...recipe);
    return (await signaled('SIGTERM', '"type":"step","epoch":1,"step":1', args)).code === 143;
  });
  const other = await runCommand(flags(out, '--resume', 'auto', ...recipe, '--lr', '0.5', '--batch-size', '2'));
  expect(other.code).toBe(1);
  expect(other.stderr).toContain(
    'the run was begun with other options:\n  --lr was 0.0001, is 0.5\n  --batch-size was 4, is 2\nGive those',
  );
  expect(await done(flags(out, '--resume', 'auto', ...recipe))).not.toContain('the run is finished');
  const whole = join(dir, 'rich-whole');
  await done(flags(whole, ...recipe));
  expect(await contentOfRun(out)).toEqual(await contentOfRun(whole));
}, 120_000);

test('a run goes on with its own options: others are refused by the names of their flags', async () => {
  const out = await copyOf(halfway);
  const refused = await runCommand([
    'train',
    '--resume',
    out,
    ...TINY,
    '--lr',
    '0.1',
    '--out',
    join(dir, 'x'),
    '--overwrite',
    '--config',
    'x.json',
  ]);
  expect(refused.code).toBe(2);
  for (const flag of ['--lr', '--arch', '--image-size', '--out', '--overwrite', '--config'])
    expect(refused.stderr).toContain(flag);
  expect(refused.stderr).not.toContain('--threads');
  for (const [args, words] of [
    [['--resume', join(dir, 'nowhere')], 'expected the folder of a run'],
    [['--resume', 'auto', '--data', data], '--out DIR'],
    [['--resume', 'auto', '--data', data, '--out', out, '--overwrite'], '--overwrite contradicts --resume auto'],
    [['--accept', 'data', '--data', data, '--out', join(dir, 'new')], '--accept goes with --resume'],
    [['--resume', out, '--checkpoint-every', '5'], '10min, 90s, 2h or 500steps'],
    [['--resume', out, '--accept', 'everything'], 'data'],
    [['--resume', out, '--epochs', '1'], 'epoch 2 has begun'],
  ] as const) {
    const { code, stderr } = await runCommand(['train', ...args]);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(words)]);
  }
});

test('data that lies elsewhere by now is named once; other data is refused or accepted', async () => {
  const out = await copyOf(halfway);
  const [mine, moved] = [join(dir, 'mine'), join(dir, 'moved')];
  await cp(data, mine, { recursive: true });
  await rename(mine, moved);
  const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as { data: { source: object } };
  const elsewhere = { ...config, data: { ...config.data, source: { ...config.data.source, data: mine } } };
  await writeFile(join(out, 'config.json'), JSON.stringify(elsewhere));
  const lost = await runCommand(['train', '--resume', out]);
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining(mine)]);
  await done(['train', '--resume', out, '--data', moved, '--epochs', '3']);
  // Where it lies is known from now on.
  await done(['train', '--resume', out, '--epochs', '4']);
  const fewer = join(dir, 'fewer');
  await makePhantoms(fewer, { count: 20, size: 48 });
  const other = await copyOf(halfway);
  const refused = await runCommand(['train', '--resume', other, '--data', fewer]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('the number of training samples was')]);
  expect(refused.stderr).toContain('--accept data');
  await done(['train', '--resume', other, '--data', fewer, '--accept', 'data']);
}, 60_000);

test('the root of a table holds from wherever the run goes on', async () => {
  const folder = join(dir, 'table');
  await mkdir(join(folder, 'images'), { recursive: true });
  const images = join(data, 'Images-processed');
  const rows = ['path,label'];
  for (const name of await readdir(images, { recursive: true }))
    if (name.endsWith('.png')) {
      await cp(join(images, name), join(folder, 'images', name.replaceAll('/', '-')));
      rows.push(`${name.replaceAll('/', '-')},${name.includes('Non') ? 'no' : 'yes'}`);
    }
  await writeFile(join(folder, 'table.csv'), `${rows.join('\n')}\n`);
  const out = join(dir, 'of-table');
  const table = ['--data', 'table.csv', '--root', 'images', '--val-split', '0.3', '--positive', 'yes'];
  const args = ['train', ...table, '--out', out, ...TINY, '--epochs', '1', '--batch-size', '4'];
  const begun = await covidct(args, { cwd: folder });
  expect([begun.code, begun.stderr]).toEqual([0, expect.any(String)]);
  await done(['train', '--resume', out, '--epochs', '2']);
}, 60_000);

test('lines of JSON end with a result, also of a run that goes on', async () => {
  const out = await copyOf(halfway);
  const { code, stdout } = await runCommand(['train', '--resume', out, '--json']);
  const lines = jsonLines(stdout);
  expect(code).toBe(0);
  expect(lines[0]).toMatchObject({ type: 'start', resumed: { epoch: 2 } });
  expect(lines.at(-1)).toMatchObject({ type: 'result', epochs: 2, stop: { reason: 'epochs' } });
});

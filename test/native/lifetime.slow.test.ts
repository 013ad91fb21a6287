/** Ends of life in child processes: exit, crash, dispose, workers, garbage. A hang or a signal fails. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from '../../src/install/tools';

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

function run(scenario: string, flags: string[] = []): Promise<Ended> {
  const file = join(__dirname, 'child', 'scenarios.cjs');
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...flags, file, scenario], { timeout: 50_000 }, (_error, out, err) => {
      resolve({ code: child.exitCode, signal: child.signalCode, out: out.trim(), err: err.trim() });
    });
  });
}

test('a process with an idle classifier ends by itself', async () => {
  expect(await run('idle')).toEqual({ code: 0, signal: null, out: 'done', err: '' });
});

test('process.exit() in the middle of a job keeps its exit code, every time', async () => {
  for (let i = 0; i < 4; i += 1) expect(await run('exit')).toEqual({ code: 7, signal: null, out: 'done', err: '' });
});

test('an uncaught error in the middle of a job ends with code 1 and its own message', async () => {
  const ended = await run('uncaught');
  expect(ended).toMatchObject({ code: 1, signal: null, out: 'done' });
  expect(ended.err).toContain('on purpose');
});

test('dispose in the middle of a job rejects what is open', async () => {
  expect(await run('dispose')).toEqual({ code: 0, signal: null, out: 'ERR_DISPOSED ERR_DISPOSED', err: '' });
});

// prlimit is Linux's.
(findTool(['prlimit']) === undefined ? test.skip : test)(
  "when memory runs out in a prediction, a training's gradients stay; in a step, they go; the classifier goes on",
  async () => {
    const ended = await run('memory');
    expect(ended).toMatchObject({ code: 0, signal: null, err: '' });
    expect(JSON.parse(ended.out)).toEqual({
      codes: ['ERR_OUT_OF_MEMORY: true', 'ERR_OUT_OF_MEMORY: true'],
      kept: true,
      dropped: true,
      same: true,
      again: true,
    });
  },
);

(process.platform === 'linux' ? test : test.skip)(
  'dispose gives the memory back to the system: that of the weights, and that kept between steps',
  async () => {
    const ended = await run('returned');
    expect(ended).toMatchObject({ code: 0, signal: null, err: '' });
    const { before, trained, after } = JSON.parse(ended.out) as Record<'before' | 'trained' | 'after', number>;
    // In MiB of resident memory: VGG11's weights, gradients and momentum are 1,500.
    expect(trained - before).toBeGreaterThan(800);
    expect(after - before).toBeLessThan(0.15 * (trained - before));
  },
);

(process.platform === 'linux' ? test : test.skip)(
  'batches of growing size take little more memory than the largest alone',
  async () => {
    const [growing, largest] = await Promise.all(
      ['growing', 'largest'].map(async (scenario) => (JSON.parse((await run(scenario)).out) as { peak: number }).peak),
    );
    expect(growing).toBeLessThan(1.5 * largest!);
  },
);

test('four workers and the main thread compute at once', async () => {
  expect(await run('workers')).toEqual({ code: 0, signal: null, out: 'ok ok ok ok', err: '' });
});

test('workers are terminated while they compute', async () => {
  expect(await run('terminate')).toEqual({ code: 0, signal: null, out: 'done', err: '' });
});

test('a worker is terminated with a finished job undelivered', async () => {
  expect(await run('undelivered')).toEqual({ code: 0, signal: null, out: 'done', err: '' });
});

test('a classifier is dropped with thousands of answers on their way', async () => {
  expect(await run('flood', ['--expose-gc'])).toEqual({ code: 0, signal: null, out: 'done', err: '' });
});

test('a prediction of many images stops at an abort', async () => {
  expect(await run('abort')).toEqual({ code: 0, signal: null, out: 'AbortError ERR_ABORTED', err: '' });
});

test('V8 knows what a classifier weighs and collects forgotten ones unasked', async () => {
  const ended = await run('pressure');
  expect(ended).toMatchObject({ code: 0, signal: null, err: '' });
  // With a heap of some 10 MB it would have no reason of its own: it runs once then.
  expect(Number(ended.out.replace('collections ', ''))).toBeGreaterThanOrEqual(3);
});

(existsSync('/proc/self/status') ? test : test.skip)('forgotten classifiers give their threads back', async () => {
  const ended = await run('forgotten', ['--expose-gc']);
  expect(ended).toMatchObject({ code: 0, signal: null, err: '' });
  expect(Number(ended.out.replace('threads ', ''))).toBeLessThan(60);
});

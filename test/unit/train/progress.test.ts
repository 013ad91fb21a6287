/** progress.json: what it says after each event, and that writing it never holds a training up. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgressFile, readProgress } from '../../../src/train/progress';
import type { TrainingProgress } from '../../../src/train/progress';
import type { TrainEvent } from '../../../src/log/types';
import { epochEvent, startEvent, stepEvent, stopEvent } from '../../helpers/events';

type Checkpoint = Extract<TrainEvent, { type: 'checkpoint' }>;
const checkpoint = (more: Partial<Checkpoint> = {}): Checkpoint => ({
  type: 'checkpoint',
  epoch: 1,
  kind: 'best',
  path: 'best.safetensors',
  metric: 'auc',
  value: 0.7,
  ...more,
});

/** A run folder in memory. */
function kept() {
  const written: TrainingProgress[] = [];
  const write = (_: string, data: string): Promise<void> => {
    written.push(JSON.parse(data) as TrainingProgress);
    return Promise.resolve();
  };
  return { written, write };
}

beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }));
afterEach(() => jest.useRealTimers());

/** Lets what was begun without waiting come to its end. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function steps(file: ProgressFile, epoch: number, ms: number, from = 1, to = 4): Promise<void> {
  for (let step = from; step <= to; step += 1) {
    jest.advanceTimersByTime(ms);
    await file.event(stepEvent({ epoch, step }));
    await settled();
  }
}

test('a training from its start to its stop', async () => {
  const { written, write } = kept();
  const file = new ProgressFile(write);
  await file.event(startEvent());
  expect(written.at(-1)).toEqual({
    format: 'covidct-torch/progress',
    formatVersion: 1,
    state: 'running',
    message: null,
    started: new Date().toISOString(),
    updated: new Date().toISOString(),
    epoch: 0,
    epochs: 3,
    step: 0,
    steps: 4,
    secondsLeft: null,
    best: null,
    pid: process.pid,
    host: hostname(),
  });
  await steps(file, 1, 2000);
  expect(written.at(-1)).toMatchObject({ epoch: 1, step: 4, secondsLeft: 16 });
  jest.advanceTimersByTime(4000);
  await file.event(epochEvent());
  // With its validation the epoch took 12 seconds.
  expect(written.at(-1)).toMatchObject({ epoch: 1, step: 4, secondsLeft: 24, best: null });
  await file.event(checkpoint());
  expect(written.at(-1)).toMatchObject({ best: { epoch: 1, metric: 'auc', value: 0.7 } });
  await steps(file, 2, 2000, 1, 1);
  expect(written.at(-1)).toMatchObject({ epoch: 2, step: 1, secondsLeft: 21 });
  await file.event(checkpoint({ epoch: 2, kind: 'last', metric: 'last', value: null }));
  await file.event(stopEvent({ reason: 'early-stopping', message: 'no better.' }));
  expect(written.at(-1)).toMatchObject({
    state: 'finished',
    message: 'no better.',
    secondsLeft: 0,
    best: { epoch: 1, metric: 'auc' },
  });
});

test('an abort is a stop, an error a failure with its words in one line', async () => {
  const { written, write } = kept();
  const file = new ProgressFile(write);
  await file.event(startEvent());
  await file.event(stopEvent({ reason: 'aborted', message: 'the signal was aborted.' }));
  expect(written.at(-1)).toMatchObject({ state: 'stopped', message: 'the signal was aborted.', secondsLeft: null });
  await file.fail(new Error('lost\nthe GPU'));
  expect(written.at(-1)).toMatchObject({ state: 'failed', message: 'lost\\nthe GPU' });
});

test('steps are written once a second at most, and wait for no write', async () => {
  const { written, write } = kept();
  let free = (): void => undefined;
  const file = new ProgressFile(async (name, data) => {
    await new Promise<void>((resolve) => (free = resolve));
    await write(name, data);
  });
  const started = file.event(startEvent());
  await settled();
  free();
  await started;
  await steps(file, 1, 400, 1, 3); // the third comes 1.2 s after the start
  expect(written).toHaveLength(1);
  await steps(file, 1, 5000, 4, 4); // a write is under way
  free();
  await settled();
  expect(written.map(({ step }) => step)).toEqual([0, 3]);
  const ended = file.event(stopEvent());
  await settled();
  free();
  await ended;
  expect(written.at(-1)).toMatchObject({ step: 4, state: 'finished' });
});

test('the weights of the last epoch alone are the best there are', async () => {
  const { written, write } = kept();
  const file = new ProgressFile(write);
  await file.event(startEvent());
  for (const epoch of [1, 2]) {
    await file.event(epochEvent({ epoch }));
    await file.event(checkpoint({ epoch, kind: 'last', metric: 'last', value: null }));
  }
  expect(written.at(-1)!.best).toEqual({ epoch: 2, metric: 'last', value: null });
});

test('a training that goes on knows the earlier best; its pace is that of this process', async () => {
  const { written, write } = kept();
  const file = new ProgressFile(write, { epoch: 1, metric: 'auc', value: 0.8 });
  await file.event(startEvent({ resumed: { epoch: 3, step: 2 } }));
  expect(written.at(-1)).toMatchObject({ epoch: 3, step: 2, secondsLeft: null });
  await steps(file, 3, 2000, 3, 3);
  expect(written.at(-1)).toMatchObject({ epoch: 3, step: 3, secondsLeft: 2, best: { epoch: 1, value: 0.8 } });
});

test.each([
  ['rejects', () => Promise.reject(new Error('the disk is full'))],
  [
    'throws at once',
    () => {
      throw new Error('no such folder');
    },
  ],
])('a write that %s fails nothing', async (_, write) => {
  const file = new ProgressFile(write);
  await file.event(startEvent());
  await steps(file, 1, 2000);
  await file.event(epochEvent());
  await file.event(stopEvent());
  await expect(file.fail(new Error('x'))).resolves.toBeUndefined();
});

test('reading: null without a file, ERR_RUN_FOLDER for a damaged one', async () => {
  jest.useRealTimers();
  const dir = await mkdtemp(join(tmpdir(), 'covidct-progress-'));
  try {
    expect(await readProgress(dir)).toBeNull();
    await mkdir(join(dir, 'run'));
    const file = new ProgressFile((name, data) => writeFile(join(dir, 'run', name), data));
    await file.event(startEvent());
    expect(await readProgress(join(dir, 'run'))).toMatchObject({ state: 'running', epochs: 3 });
    await writeFile(join(dir, 'progress.json'), '{"format":"covidct-torch/progress"');
    await expect(readProgress(dir)).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
    await expect(readProgress(7 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  } finally {
    await rm(dir, { recursive: true });
  }
});

/** What the console shows in each mode. */
import { PassThrough } from 'node:stream';
import { ConsoleLogger } from '../../../src/log/console';
import type { ConsoleMode } from '../../../src/log/console';
import { duration } from '../../../src/log/format';
import { epochEvent, skippedEvent, startEvent, stepEvent, stopEvent } from '../../helpers/events';

const EVENTS = [
  startEvent(),
  stepEvent(),
  stepEvent({ step: 4 }),
  epochEvent(),
  skippedEvent(),
  { type: 'learningRate' as const, epoch: 1, from: 0.01, to: 0.001, reason: 'only the loss has stopped improving' },
  stopEvent(),
];

async function shown(mode: ConsoleMode | undefined, isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const logger = new ConsoleLogger({ stream, ...(mode === undefined ? {} : { mode }) });
  for (const event of EVENTS) await logger.log(event);
  await logger.close();
  await logger.close();
  expect(stream.writableEnded).toBe(false);
  return String(stream.read() ?? '');
}

test('progress: a bar with the time left and one line per epoch, taken away at the end', async () => {
  const text = await shown('progress', true);
  expect(text).toMatch(/epoch 1\/3 \[-{24}\] 0%/);
  expect(text).toMatch(/so far, at most .* left/);
  expect(text).toContain(
    'epoch 1/3 | train loss 0.6500, accuracy 0.600 | validation ' +
      'loss 0.6000, accuracy 0.700, AUC 0.750 | 13s | best so far\n',
  );
  expect(text).toContain('learning rate 0.01 -> 0.001: only the loss has stopped improving\n');
  expect(text).toMatch(/stopped after 3 epochs: all epochs are done\. Best: epoch 2 \(0\.7000\)\.\n$/);
});

test('a caller who tells of the end himself is not doubled', async () => {
  const stream = new PassThrough();
  const logger = new ConsoleLogger({ stream, mode: 'lines', ending: false });
  for (const event of EVENTS) await logger.log(event);
  await logger.close();
  const text = String(stream.read());
  expect(text).toContain('epoch 1/3');
  expect(text).not.toContain('stopped after');
});

test('progress on something that is no terminal shows the lines alone', async () => {
  const text = await shown('progress', false);
  expect(text).toBe(await shown('lines', false));
  expect(text.split('\n')).toHaveLength(EVENTS.length - 2 + 1);
  expect(text).toMatch(/^epoch 1\/3 .* best so far \| at most \d+s left$/m);
  expect(text).not.toContain('\u001b');
});

test('json: every event a line', async () => {
  const lines = (await shown('json', true)).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(EVENTS.map(({ type }) => type));
});

test('quiet: nothing but the files that were left out', async () => {
  expect(await shown('quiet', true)).toBe('left out (train): broken.png: not an image\n');
});

test('auto: the bar on a terminal, lines elsewhere', async () => {
  expect(await shown('auto', false)).toBe(await shown('lines', false));
  expect(await shown(undefined, true)).toContain('at most');
});

test('close in the middle of an epoch takes the bar away, and nothing is logged after it', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  const logger = new ConsoleLogger({ stream });
  await logger.log(startEvent());
  await logger.log(stepEvent());
  await logger.close();
  stream.read();
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(stream.read()).toBeNull();
  await expect(logger.log(stepEvent())).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

test('epochs without validation, and figures that are not numbers, have words', async () => {
  const stream = new PassThrough();
  const logger = new ConsoleLogger({ stream, mode: 'lines' });
  await logger.log(epochEvent({ trainLoss: Number.NaN, validationLoss: null, validationAccuracy: null, best: false }));
  expect(String(stream.read())).toBe('epoch 1/0 | train loss NaN, accuracy 0.600 | 13s\n');
});

describe('with a clock', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const stepsPerEpoch = 54;
  const start = startEvent({ epochs: 60, stepsPerEpoch, trainSamples: 425, validationSamples: 118 });

  /** Lets steps of the first epoch pass; returns what was written by the last of them. */
  async function pass(
    logger: ConsoleLogger,
    stream: PassThrough,
    steps: number,
    secondsEach: number,
    from = 1,
  ): Promise<string> {
    stream.read();
    for (let step = from; step < from + steps; step += 1) {
      await jest.advanceTimersByTimeAsync(secondsEach * 1000);
      await logger.log(stepEvent({ step, steps: stepsPerEpoch, loss: 0.5 }));
    }
    return String(stream.read() ?? '');
  }

  test.each([false, true])('the expected times are told once, after the first steps (terminal: %s)', async (isTTY) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 200 });
    const logger = new ConsoleLogger({ stream });
    await logger.log(start);
    // 54 steps of 2 s, and the validation of 118 images at a third of the time an image takes.
    expect(await pass(logger, stream, 4, 2)).not.toContain('an epoch');
    // A bar shows lines when it is drawn the next time.
    const text = await pass(logger, stream, 11, 2, 5);
    expect(text.match(/about .* an epoch.*/g)).toEqual(['about 1m58s an epoch, about 1h58m for all 60']);
    if (!isTTY) expect(text).toMatch(/^about/);
    await logger.close();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('steps that take long are enough by two', async () => {
    const stream = new PassThrough();
    const logger = new ConsoleLogger({ stream, mode: 'lines' });
    await logger.log(start);
    expect(await pass(logger, stream, 2, 30)).toContain('an epoch');
    await logger.close();
  });

  test('where there is no bar, a word comes every minute: in a long step, between steps, in a validation', async () => {
    const stream = new PassThrough();
    const logger = new ConsoleLogger({ stream });
    await logger.log(start);
    stream.read();
    await jest.advanceTimersByTimeAsync(59_000);
    expect(stream.read()).toBeNull();
    await jest.advanceTimersByTimeAsync(181_000);
    expect(String(stream.read())).toBe('epoch 1/60: its first step is not done yet\n'.repeat(4));
    expect(await pass(logger, stream, 30, 6)).toMatch(
      /^about 5m\d\ds an epoch.*\nepoch 1\/60, step 1\d of 54, loss 0\.5000 \| about .* of the epoch and at most .* of all left\nepoch 1\/60, step 2\d of 54, .*\n(epoch 1\/60, step (29|30) of 54.*\n)?$/,
    );
    await logger.log(stepEvent({ step: stepsPerEpoch, steps: stepsPerEpoch }));
    stream.read();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(String(stream.read())).toMatch(/^epoch 1\/60, step 54 of 54: validating/);
    await logger.log(epochEvent({ seconds: 600 }));
    expect(String(stream.read())).toMatch(/ \| at most 9h50m left\n$/);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(String(stream.read())).toBe(
      'epoch 2/60: its first step is not done yet | about 9m00s of the epoch and at most 9h49m of all left\n',
    );
    await logger.log(stopEvent());
    stream.read();
    await jest.advanceTimersByTimeAsync(600_000);
    expect(stream.read()).toBeNull();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('quiet stays quiet, and a bar is enough', async () => {
    for (const [mode, isTTY] of [
      ['quiet', false],
      ['progress', true],
    ] as const) {
      const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
      const logger = new ConsoleLogger({ stream, mode });
      await logger.log(start);
      await jest.advanceTimersByTimeAsync(300_000);
      expect(String(stream.read() ?? '')).not.toContain('its first step');
      await logger.close();
    }
  });
});

test('an unknown mode is refused', () => {
  expect(() => new ConsoleLogger({ mode: 'loud' as ConsoleMode })).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('"loud"') as string,
    }) as Error,
  );
});

test.each([
  [0, '0s'],
  [47.4, '47s'],
  [59.6, '1m00s'],
  [754, '12m34s'],
  [7384, '2h03m'],
  [Number.POSITIVE_INFINITY, '?'],
])('%p seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

/** A logger that hangs is given up: once told, never called again, and no reason for a training to wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BoundedLogger } from '../../../src/log/bounded';
import type { TrainEvent, TrainLogger } from '../../../src/log/types';
import { Recorder } from '../../../src/train/recorder';
import { stepEvent } from '../../helpers/events';
import { Memory, setUp } from '../train/made-up';

const never = () => new Promise<void>(() => undefined);

const warnings: [message: string, code: unknown][] = [];
beforeEach(() => {
  warnings.length = 0;
  jest.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    warnings.push([String(warning), (options as { code?: unknown }).code]);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** A logger that hangs in one of its calls, as the `at`th event. */
class Hanging implements TrainLogger {
  readonly calls: string[] = [];
  constructor(
    readonly where: 'log' | 'close',
    readonly at = 1,
    readonly hang: () => Promise<void> = never,
  ) {}
  async log({ type }: TrainEvent): Promise<void> {
    this.calls.push(type);
    if (this.where === 'log' && this.calls.length === this.at) await this.hang();
  }
  async close(): Promise<void> {
    this.calls.push('close');
    if (this.where === 'close') await this.hang();
  }
}

test.each(['log', 'close'] as const)(
  'hanging in %s, it hangs no training; the others get every event',
  async (where) => {
    const [before, after, hanging] = [new Memory(), new Memory(), new Hanging(where, 3)];
    const { trainer, train } = await setUp({ loggers: [before, hanging, after], loggerTimeout: 50, epochs: 2 });
    const { epochs } = await trainer.fit(train, null);
    const types = before.events.map(({ type }) => type);
    expect([epochs.length, types.at(-1), before.closed, after.closed]).toEqual([2, 'stop', 1, 1]);
    expect(after.events).toEqual(before.events);
    expect(hanging.calls).toEqual(where === 'log' ? types.slice(0, 3) : [...types, 'close']);
    const words = new RegExp(`^loggers\\[1\\] \\(Hanging\\): ${where}\\(\\) .* 0.05 seconds`);
    expect(warnings).toEqual([[expect.stringMatching(words), 'COVIDCT_LOGGER']]);
  },
);

test('slow, it is awaited, and its events are in order; without a bound it may take any time', async () => {
  for (const bound of [2_000, 0]) {
    const order: string[] = [];
    const slow = {
      log: async ({ type }: TrainEvent) => {
        order.push(`${type} begins`);
        await sleep(50);
        order.push(`${type} ends`);
      },
      close: () => void order.push('close'),
    };
    const recorder = new Recorder([slow, { log: () => void order.push('next'), close: () => undefined }], null, {
      loggerTimeout: bound,
    });
    await recorder.write(stepEvent());
    await recorder.close();
    expect(order).toEqual(['step begins', 'step ends', 'next', 'close']);
  }
  expect(warnings).toEqual([]);
});

test('coming back later it is closed, once, and what it throws by then hurts nobody', async () => {
  for (const outcome of ['resolves', 'rejects']) {
    let comeBack = (): void => undefined;
    const hanging = new Hanging('log', 1, async () => {
      await new Promise<void>((done) => (comeBack = done));
      if (outcome === 'rejects') throw new Error('too late');
    });
    const recorder = new Recorder([hanging], null, { loggerTimeout: 20 });
    await recorder.write(stepEvent());
    await recorder.write(stepEvent());
    expect(hanging.calls).toEqual(['step']);
    comeBack();
    await sleep(10);
    expect(hanging.calls).toEqual(['step', 'close']);
    await recorder.close();
    expect(hanging.calls).toEqual(['step', 'close']);
  }
  expect(warnings).toHaveLength(2);
});

test('what it throws within the bound is thrown, at once or later, also while another one hangs', async () => {
  const failing = { log: () => Promise.reject(new Error('later')), close: () => undefined };
  const throwing = {
    log: () => {
      throw new Error('at once');
    },
    close: () => undefined,
  };
  const memory = new Memory();
  const recorder = new Recorder([new Hanging('log'), failing, throwing, memory], null, { loggerTimeout: 20 });
  await expect(recorder.write(stepEvent())).rejects.toThrow('later');
  await expect(new BoundedLogger(throwing, 'it', 20).log(stepEvent())).rejects.toThrow('at once');
  expect(memory.events).toHaveLength(1);
});

test('given up, it keeps its place among the states of a checkpoint, with the last one that it told', async () => {
  const states = [{ lines: 1 }, never()];
  const restored: unknown[] = [];
  const withState = (name: string, state: () => unknown) => ({
    log: () => undefined,
    close: () => undefined,
    state,
    restore: (given: unknown) => void restored.push([name, given]),
  });
  const loggers = [
    withState('never told', never),
    withState('told once', () => states.shift()),
    new Memory(),
    withState('well', () => ({ lines: 7 })),
  ];
  const recorder = new Recorder(loggers, null, { loggerTimeout: 20 });
  expect((await recorder.state()).loggers).toEqual([null, { lines: 1 }, { lines: 7 }]);
  const state = await recorder.state();
  expect(state.loggers).toEqual([null, { lines: 1 }, { lines: 7 }]);
  expect(warnings).toHaveLength(2);
  const folder = { historyLines: () => Promise.resolve([]), file: (name: string) => name } as never;
  await new Recorder(loggers, null, { loggerTimeout: 20 }).restore(folder, state);
  expect(restored).toEqual([
    ['told once', { lines: 1 }],
    ['well', { lines: 7 }],
  ]);
});

test('what the Trainer takes for a bound', async () => {
  await expect(setUp({ loggerTimeout: -1 })).rejects.toMatchObject({
    issues: [expect.objectContaining({ path: 'loggerTimeout' })],
  });
  await expect(setUp({ loggerTimeout: Infinity })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(setUp({ loggerTimeout: 0 })).resolves.toBeDefined();
});

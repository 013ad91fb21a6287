/** A training under way: reading its events, leaving, aborting and failing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunFolder } from '../../../src/train/run-folder';
import type { TrainingHistory } from '../../../src/train/history';
import { keptWeights } from '../../helpers/kept';
import { Memory, collect, inTemporaryFolder, setUp } from './made-up';

const trainLosses = ({ epochs }: TrainingHistory): number[] => epochs.map(({ trainLoss }) => trainLoss);

test('abort by signal between steps: history, last weights and a card stay behind', async () => {
  await inTemporaryFolder(async (dir) => {
    const controller = new AbortController();
    const { trainer, train, validation, model, memory } = await setUp({ out: dir });
    const run = trainer.events(train, validation, { signal: controller.signal });
    const types: string[] = [];
    let step = await run.next();
    for (; step.done !== true; step = await run.next()) {
      types.push(step.value.type);
      if (step.value.type === 'step' && step.value.epoch === 1 && step.value.step === 3) controller.abort();
    }
    const history = step.value;
    expect(history).toMatchObject({ stop: { reason: 'aborted' }, epochs: [], best: null, restored: 'last' });
    expect(types).toEqual(['start', 'step', 'step', 'step', 'checkpoint', 'stop']);
    expect(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))).toMatchObject({
      weights: expect.stringMatching(/^weights\/last-/) as string,
    });
    expect(await keptWeights(dir)).toEqual(['last']);
    expect(memory.closed).toBe(1);
    expect(model.gradient.every((value) => value === 0)).toBe(true);
    expect(() => model.lock('test')()).not.toThrow();
  });
});

test('leaving the loop stops the training cleanly: loggers, run folder and model know when the loop is left', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model, memory } = await setUp({ out: dir });
    for await (const event of trainer.events(train, validation)) if (event.type === 'epoch' && event.epoch === 2) break;
    expect(memory.events.at(-1)).toMatchObject({
      type: 'stop',
      reason: 'aborted',
      message: expect.stringContaining('left after 2'),
      epochs: 2,
    });
    expect(memory.closed).toBe(1);
    expect(model.calls.filter(({ type }) => type === 'step')).toHaveLength(10);
    expect(() => model.lock('test')()).not.toThrow();
    const { epochs, stop } = await (await RunFolder.open(dir)).history();
    expect([epochs.length, stop?.reason]).toEqual([2, 'aborted']);
    expect(await keptWeights(dir)).toEqual(['best']);
  });
});

test('an error in the loop body stops the training just so, and is the error that one sees', async () => {
  const { trainer, train, model, memory } = await setUp();
  const reading = (async () => {
    for await (const event of trainer.events(train, null))
      if (event.type === 'step') throw new Error('the reader stumbled');
  })();
  await expect(reading).rejects.toThrow('the reader stumbled');
  expect(memory.events.at(-1)).toMatchObject({ type: 'stop', reason: 'aborted' });
  expect(memory.closed).toBe(1);
  expect(() => model.lock('test')()).not.toThrow();
});

test('leaving at the last event leaves a whole training; one that nobody reads never begins', async () => {
  const { trainer, train, model, memory } = await setUp({ epochs: 1 });
  for await (const event of trainer.events(train, null)) if (event.type === 'stop') break;
  expect(memory.events.at(-1)).toMatchObject({ type: 'stop', reason: 'epochs' });
  const calls = model.calls.length;
  const unread = trainer.events(train, null);
  await new Promise(setImmediate);
  expect(await unread.return(undefined as never)).toEqual({ done: true, value: undefined });
  expect(model.calls).toHaveLength(calls);
});

test('a signal that has fired already trains nothing', async () => {
  const { trainer, train, validation, model } = await setUp();
  const history = await trainer.fit(train, validation, { signal: AbortSignal.abort() });
  expect(history.stop.reason).toBe('aborted');
  expect(model.calls.some(({ type }) => type === 'step')).toBe(false);
});

test('fit and events are one run: the same events, history and weights', async () => {
  const [fitted, read] = [await setUp({ epochs: 2 }), await setUp({ epochs: 2 })];
  const history = await fitted.trainer.fit(fitted.train, fitted.validation);
  const run = read.trainer.events(read.train, read.validation);
  let step = await run.next();
  while (step.done !== true) step = await run.next();
  expect(step.value).toMatchObject({ ...history, epochs: expect.any(Array) });
  expect(read.memory.events.map(({ type }) => type)).toEqual(fitted.memory.events.map(({ type }) => type));
  expect(read.model.weights).toEqual(fitted.model.weights);
  expect(trainLosses(step.value)).toEqual(trainLosses(history));
});

test('fit returns a plain promise: it begins without being awaited, and nothing needs to read it', async () => {
  const { trainer, train, memory } = await setUp({ epochs: 1 });
  const history = trainer.fit(train, null);
  expect(Object.getPrototypeOf(history)).toBe(Promise.prototype);
  while (memory.closed === 0) await new Promise(setImmediate);
  expect((await Promise.all([history, history])).map(({ epochs }) => epochs.length)).toEqual([1, 1]);
});

test('a slow reader holds the training back: one event in hand, none piled up', async () => {
  const { trainer, train, memory } = await setUp({ epochs: 1 });
  let seen = 0;
  for await (const event of trainer.events(train, null)) {
    seen += 1;
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(memory.events.length - seen).toBeLessThanOrEqual(event.type === 'stop' ? 0 : 1);
  }
  expect(seen).toBe(memory.events.length);
});

test('a failure reaches the loop, unlocks the model, keeps the last weights, leaves no unhandled rejection', async () => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model, memory } = await setUp({ out: dir, keep: 'both' });
    model.sabotage = { atStep: 12, error: new Error('the cable was pulled') };
    const run = trainer.events(train, validation);
    await expect(collect(run)).rejects.toThrow('the cable was pulled');
    expect(await run.next()).toEqual({ done: true, value: undefined });
    expect(memory.closed).toBe(1);
    expect(await keptWeights(dir)).toEqual(['best', 'last']);
    expect((await (await RunFolder.open(dir)).history()).stop).toBeNull();
    await expect(trainer.fit(train, validation)).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
    model.lock('test')();
  });
  await new Promise(setImmediate);
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test('a loss that is not finite stops before the optimizer, names the place and keeps the folder usable', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model } = await setUp({ out: dir });
    model.sabotage = { atStep: 7, loss: NaN };
    await expect(trainer.fit(train, validation)).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/NaN in epoch 2, step 2.*rate 2; try a lower one \(0\.2\)/),
    });
    expect(model.calls.filter(({ type }) => type === 'update')).toHaveLength(3);
    expect(model.calls.at(-2)).toEqual({ type: 'load' });
    expect(await keptWeights(dir)).toEqual(['best']);
    expect(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))).toMatchObject({
      weights: expect.stringMatching(/^weights\/best-/) as string,
    });
  });
});

test('one training at a time on one model; one after the other works', async () => {
  const { trainer, train, validation } = await setUp({ loggers: [] });
  for await (const event of trainer.events(train, validation)) {
    if (event.type !== 'start') continue;
    await expect(trainer.fit(train, validation)).rejects.toMatchObject({ code: 'ERR_BUSY' });
    await expect(trainer.events(train, validation).next()).rejects.toMatchObject({ code: 'ERR_BUSY' });
  }
  expect((await trainer.fit(train, validation)).epochs).toHaveLength(6);
});

test('a logger that fails stops the training with its error, after the others were told', async () => {
  const bad = {
    log: () => {
      throw new Error('the printer is on fire');
    },
    close: () => undefined,
  };
  const memory = new Memory();
  const { trainer, train } = await setUp({ loggers: [bad, memory] });
  await expect(trainer.fit(train, null)).rejects.toThrow('on fire');
  expect(memory.events).toHaveLength(1);
  expect(memory.closed).toBe(1);
});

/** A training under way: iterating, awaiting, leaving, aborting and failing. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RunFolder } from '../../../src/train/run-folder';
import { Memory, collect, inTemporaryFolder, setUp } from './made-up';

test('abort by signal between steps: history, last weights and a card stay behind', async () => {
  await inTemporaryFolder(async (dir) => {
    const controller = new AbortController();
    const { trainer, train, validation, model, memory } = await setUp({ out: dir });
    const run = trainer.fit(train, validation, { signal: controller.signal });
    const types: string[] = [];
    for await (const event of run) {
      types.push(event.type);
      if (event.type === 'step' && event.epoch === 1 && event.step === 3) controller.abort();
    }
    const history = await run;
    expect(history).toMatchObject({ stop: { reason: 'aborted' }, epochs: [], best: null, restored: 'last' });
    expect(types).toEqual(['start', 'step', 'step', 'step', 'checkpoint', 'stop']);
    expect(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))).toMatchObject({
      weights: 'weights/last.safetensors',
    });
    expect(await readdir(join(dir, 'weights'))).toEqual(['last.safetensors']);
    expect(memory.closed).toBe(1);
    expect(model.gradient.every((value) => value === 0)).toBe(true);
    expect(() => model.lock('test')()).not.toThrow();
  });
});

test('leaving the loop stops the training cleanly, and the history tells', async () => {
  const { trainer, train, validation, model, memory } = await setUp();
  const run = trainer.fit(train, validation);
  for await (const event of run) if (event.type === 'epoch' && event.epoch === 2) break;
  const history = await run;
  expect(history).toMatchObject({ stop: { reason: 'aborted', message: expect.stringContaining('left after 2') } });
  expect(history.epochs).toHaveLength(2);
  expect(memory.events.at(-1)).toMatchObject({ type: 'stop', reason: 'aborted' });
  expect(memory.closed).toBe(1);
  expect(model.calls.filter(({ type }) => type === 'step')).toHaveLength(10);
});

test('a signal that has fired already trains nothing', async () => {
  const { trainer, train, validation, model } = await setUp();
  const history = await trainer.fit(train, validation, { signal: AbortSignal.abort() });
  expect(history.stop.reason).toBe('aborted');
  expect(model.calls.some(({ type }) => type === 'step')).toBe(false);
});

test('the history can be awaited at the stop event, and from outside while someone iterates', async () => {
  const { trainer, train } = await setUp({ epochs: 1 });
  const run = trainer.fit(train, null);
  const outside = run.history;
  let inside: unknown = null;
  const types: string[] = [];
  for await (const event of run) {
    types.push(event.type);
    if (event.type === 'stop') inside = await run;
  }
  expect(types[0]).toBe('start');
  expect(inside).toBe(await outside);
  expect(() => run[Symbol.asyncIterator]()).toThrow(TypeError);
});

test('an iterator that comes late gets the events from there on, none twice', async () => {
  const { trainer, train, memory } = await setUp({ epochs: 3 });
  const run = trainer.fit(train, null);
  const history = run.history;
  while (!memory.events.some((event) => event.type === 'epoch')) await new Promise(setImmediate);
  const late = await collect(run);
  expect(late.length).toBeLessThan(memory.events.length);
  expect(late.length).toBeGreaterThan(3);
  expect(memory.events.slice(-late.length)).toEqual(late);
  expect((await history).epochs).toHaveLength(3);
});

test('a slow reader holds the training back: one event in hand, none piled up', async () => {
  const { trainer, train, memory } = await setUp({ epochs: 1 });
  let seen = 0;
  for await (const event of trainer.fit(train, null)) {
    seen += 1;
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(memory.events.length - seen).toBeLessThanOrEqual(event.type === 'stop' ? 0 : 1);
  }
  expect(seen).toBe(memory.events.length);
});

test('a failure reaches loop and promise, unlocks the model, keeps the last weights, leaves no unhandled rejection', async () => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model, memory } = await setUp({ out: dir, keep: 'both' });
    model.sabotage = { atStep: 12, error: new Error('the cable was pulled') };
    const run = trainer.fit(train, validation);
    await expect(collect(run)).rejects.toThrow('the cable was pulled');
    await expect(run).rejects.toThrow('the cable was pulled');
    expect(memory.closed).toBe(1);
    expect((await readdir(join(dir, 'weights'))).sort()).toEqual(['best.safetensors', 'last.safetensors']);
    expect((await (await RunFolder.open(dir)).history()).stop).toBeNull();
    expect(await trainer.fit(train, validation).history.catch((error: unknown) => error)).toMatchObject({
      code: 'ERR_RUN_FOLDER',
    });
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
    expect(await readdir(join(dir, 'weights'))).toEqual(['best.safetensors']);
    expect(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))).toMatchObject({
      weights: 'weights/best.safetensors',
    });
  });
});

test('one training at a time on one model; one after the other works', async () => {
  const { trainer, train, validation } = await setUp({ loggers: [] });
  const first = trainer.fit(train, validation);
  for await (const event of first) {
    if (event.type === 'start')
      await expect(trainer.fit(train, validation)).rejects.toMatchObject({ code: 'ERR_BUSY' });
  }
  expect((await first).epochs).toHaveLength(6);
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

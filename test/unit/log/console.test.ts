/** What the console shows in each mode. */
import { PassThrough } from 'node:stream';
import { ConsoleLogger } from '../../../src/log/console';
import type { ConsoleMode } from '../../../src/log/console';
import { duration } from '../../../src/log/words';
import { epochEvent, skippedEvent, startEvent, stepEvent, stopEvent } from '../../helpers/events';

const EVENTS = [startEvent(), stepEvent(), stepEvent({ step: 4 }), epochEvent(), skippedEvent(), { type: 'learningRate' as const, epoch: 1, from: 0.01, to: 0.001, reason: 'only the loss has stopped improving' }, stopEvent()];

async function shown(mode: ConsoleMode | undefined, isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const logger = new ConsoleLogger({ stream, ...(mode === undefined ? {} : { mode }) });
  for (const event of EVENTS) await logger.log(event);
  await logger.close();
  await logger.close();
  expect(stream.writableEnded).toBe(false);
  return String(stream.read() ?? '');
}

test('progress: a bar with the time left and one line an epoch, taken away at the end', async () => {
  const text = await shown('progress', true);
  expect(text).toMatch(/epoch 1\/3 \[-{24}\] 0%/);
  expect(text).toMatch(/gone, at most .* left/);
  expect(text).toContain('epoch 1/3 | train loss 0.6500, accuracy 0.600 | validation loss 0.6000, accuracy 0.700, AUC 0.750 | 13s | best so far\n');
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
  expect(text).not.toContain('\u001b');
});

test('json: every event a line', async () => {
  const lines = (await shown('json', true)).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(EVENTS.map(({ type }) => type));
});

test('quiet: nothing but the files that were left out', async () => {
  expect(await shown('quiet', true)).toBe('left out (train): broken.png: not an image\n');
});

test('auto: the bar on a terminal, quiet elsewhere', async () => {
  expect(await shown('auto', false)).toBe(await shown('quiet', false));
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

test('an unknown mode is refused', () => {
  expect(() => new ConsoleLogger({ mode: 'loud' as ConsoleMode })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('"loud"') as string }) as Error);
});

test.each([[0, '0s'], [47.4, '47s'], [59.6, '1m00s'], [754, '12m34s'], [7384, '2h03m'], [Number.POSITIVE_INFINITY, '?']])('%p seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

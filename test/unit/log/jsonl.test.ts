/** JSON lines: whole lines, nothing that is not JSON, typed errors. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { InvalidOptionError } from '../../../src/errors';
import { JsonLinesLogger } from '../../../src/log/jsonl';
import type { JsonLinesState } from '../../../src/log/jsonl';
import { epochEvent, startEvent, stepEvent, stopEvent } from '../../helpers/events';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'covidct-jsonl-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (text: string): Record<string, unknown>[] => {
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

test('each event is one line that is in the file when log resolves', async () => {
  const file = path.join(folder, 'deep', 'history.jsonl');
  const logger = new JsonLinesLogger({ path: file });
  await logger.log(startEvent());
  expect(linesOf(readFileSync(file, 'utf8'))).toEqual([
    { ...startEvent(), time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string },
  ]);
  await logger.log(epochEvent());
  await logger.log(stopEvent());
  await logger.close();
  await logger.close();
  expect(linesOf(readFileSync(file, 'utf8')).map(({ type }) => type)).toEqual(['start', 'epoch', 'stop']);
});

test('NaN and infinity become null', async () => {
  const file = path.join(folder, 'history.jsonl');
  const logger = new JsonLinesLogger({ path: file });
  await logger.log(epochEvent({ trainLoss: Number.NaN, validationLoss: Number.POSITIVE_INFINITY }));
  await logger.log(startEvent({ config: { nested: [Number.NaN] } }));
  await logger.close();
  expect(linesOf(readFileSync(file, 'utf8'))).toEqual([
    expect.objectContaining({ trainLoss: null, validationLoss: null }),
    expect.objectContaining({ config: { nested: [null] } }),
  ]);
});

test('an existing file is appended to, and a half line in it is closed first', async () => {
  const file = path.join(folder, 'history.jsonl');
  writeFileSync(file, '{"type":"epoch"}\n{"type":"ep');
  const logger = new JsonLinesLogger({ path: file, only: ['epoch'] });
  await logger.log(stepEvent());
  await logger.log(epochEvent());
  await logger.close();
  const [first, half, last, end] = readFileSync(file, 'utf8').split('\n');
  expect([first, half, end]).toEqual(['{"type":"epoch"}', '{"type":"ep', '']);
  expect(JSON.parse(last!)).toMatchObject({ type: 'epoch', epoch: 1 });
});

test('a stream gets the lines and stays open', async () => {
  const stream = new PassThrough();
  const logger = new JsonLinesLogger({ stream });
  await logger.log(stepEvent());
  await logger.close();
  expect(stream.writableEnded).toBe(false);
  expect(stream.listenerCount('error')).toBe(0);
  expect(linesOf(String(stream.read()))).toMatchObject([{ type: 'step', loss: 0.7 }]);
});

test('a stream that fails is a typed error and does not end the process', async () => {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE: the reader has gone')) });
  const logger = new JsonLinesLogger({ stream });
  await expect(logger.log(stepEvent())).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('EPIPE') as string,
  });
  await logger.close();
  await new Promise((resolve) => setImmediate(resolve));
});

test('a file that cannot be written is a typed error that names it', async () => {
  const file = path.join(folder, 'history.jsonl');
  mkdirSync(file);
  const logger = new JsonLinesLogger({ path: file });
  await expect(logger.log(stepEvent())).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining(file) as string,
  });
  await logger.close();
});

(existsSync('/dev/full') ? test : test.skip)('a full disk is a typed error that says so', async () => {
  const logger = new JsonLinesLogger({ path: '/dev/full' });
  await expect(logger.log(stepEvent())).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('ENOSPC') as string,
  });
  await logger.close().catch((error: unknown) => expect(error).toMatchObject({ code: 'ERR_RUN_FOLDER' }));
});

test('log after close is refused', async () => {
  const logger = new JsonLinesLogger({ path: path.join(folder, 'history.jsonl') });
  await logger.close();
  await expect(logger.log(stepEvent())).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

test('exactly one target', () => {
  expect(() => new JsonLinesLogger({})).toThrow(/exactly one of path and stream/);
  expect(() => new JsonLinesLogger({ path: 'x', stream: new PassThrough() })).toThrow(/exactly one of path and stream/);
});

test('a file in which another training has begun meanwhile is not shortened, nor by the state of another logger', async () => {
  const file = path.join(folder, 'shared.jsonl');
  const write = async (): Promise<JsonLinesState[]> => {
    const logger = new JsonLinesLogger({ path: file });
    const states = [await logger.state()];
    for (const event of [startEvent(), epochEvent(), epochEvent({ epoch: 2 })]) {
      await logger.log(event);
      states.push(await logger.state());
    }
    await logger.close();
    return states;
  };
  await write();
  const [before, started] = await write();
  const mine = readFileSync(file, 'utf8');
  await write();
  const all = readFileSync(file, 'utf8');
  const restored = (state: unknown): Promise<void> => new JsonLinesLogger({ path: file }).restore(state);
  for (const state of [before, started])
    await expect(restored(state)).rejects.toMatchObject({
      code: 'ERR_RESUME',
      message: expect.stringContaining('another one has written') as string,
    });
  await expect(restored({ file: 'events.out.tfevents.1', bytes: 10 })).rejects.toThrow(InvalidOptionError);
  expect(readFileSync(file, 'utf8')).toBe(all);
  writeFileSync(file, mine);
  await restored(started);
  expect(linesOf(readFileSync(file, 'utf8')).map(({ type }) => type)).toEqual(['start', 'epoch', 'epoch', 'start']);
  await restored(before);
  expect(linesOf(readFileSync(file, 'utf8'))).toHaveLength(3);
});

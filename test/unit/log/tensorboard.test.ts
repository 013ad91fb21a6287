/** The event file's framing, its life and its failures; test/parity/tensorboard reads it with the real TensorBoard. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeRecord } from '../../../src/log/event-file';
import { TensorBoardLogger } from '../../../src/log/tensorboard';
import { epochEvent, stepEvent } from '../../helpers/events';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'covidct-events-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the file starts with the version record', async () => {
  const logger = new TensorBoardLogger({ dir: folder });
  await logger.close();
  const bytes = readFileSync(logger.path);
  expect(Number(bytes.readBigUInt64LE(0))).toBe(bytes.length - 16);
  // Wall time, then field 3 with the 13 letters that readers look for.
  expect(bytes.subarray(12 + 9, -4)).toEqual(Buffer.concat([Buffer.from([0x1a, 13]), Buffer.from('brain.Event:2')]));
});

test('the length checksum of a 24-byte version record is the one TensorFlow writes', () => {
  const record = Buffer.from(encodeRecord(1000, { fileVersion: 'brain.Event:2' }));
  expect(record.subarray(0, 12).toString('hex')).toBe('1800000000000000a37f4b22');
});

test('two loggers in one folder have two files', async () => {
  const loggers = [new TensorBoardLogger({ dir: folder }), new TensorBoardLogger({ dir: folder })];
  for (const logger of loggers) await logger.close();
  expect(readdirSync(folder)).toHaveLength(2);
  expect(path.basename(loggers[0]!.path)).toMatch(/^events\.out\.tfevents\.\d{10,}\.[\w-]+\.\d+\.\d+$/);
});

test('an epoch is in the file when log resolves; steps write nothing', async () => {
  const logger = new TensorBoardLogger({ dir: folder });
  await logger.log(stepEvent());
  expect(readdirSync(folder)).toEqual([]);
  await logger.log(epochEvent());
  const size = readFileSync(logger.path).length;
  expect(readFileSync(logger.path).includes('Accuracies/validation')).toBe(true);
  await logger.close();
  expect(readFileSync(logger.path)).toHaveLength(size);
});

test('writes that are not awaited come in order and none is lost', async () => {
  const logger = new TensorBoardLogger({ dir: folder });
  const picture = Buffer.alloc(600_000, 1);
  const writes = Array.from({ length: 6 }, (_, step) =>
    logger.image('picture', picture, { width: 1, height: 1 }, step),
  );
  await Promise.all([...writes, logger.flush(), logger.close(), logger.close()]);
  const bytes = readFileSync(logger.path);
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    lengths.push(length);
    at += length + 16;
  }
  expect(lengths).toHaveLength(7);
  expect(lengths.slice(1).every((length) => length > 600_000)).toBe(true);
});

test('after close everything but close is refused', async () => {
  const logger = new TensorBoardLogger({ dir: folder });
  await logger.close();
  for (const late of [() => logger.log(epochEvent()), () => logger.scalar('a', 1, 1), () => logger.text('a', 'b', 1)]) {
    await expect(late()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  }
  await logger.close();
});

test('a folder that cannot be made is a typed error, again at close', async () => {
  writeFileSync(path.join(folder, 'file'), '');
  const logger = new TensorBoardLogger({ dir: path.join(folder, 'file', 'events') });
  const failure = { code: 'ERR_RUN_FOLDER', message: expect.stringContaining(logger.path) as string };
  await expect(logger.log(epochEvent())).rejects.toMatchObject(failure);
  await expect(logger.close()).rejects.toMatchObject(failure);
});

test('a folder must be named', () => {
  expect(() => new TensorBoardLogger({ dir: '' })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION' }) as Error,
  );
});

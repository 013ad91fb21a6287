/**
 * Fetching known weights from a loopback server: broken off and gone
 * on with, aborted, twice at once, put there by hand.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchWeights } from '../../../src/weights/fetch';
import { serveArchive } from '../install/archive-server';
import type { ArchiveServer } from '../install/archive-server';

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

jest.mock('../../../src/weights/pretrained', () => ({
  ...jest.requireActual<object>('../../../src/weights/pretrained'),
  requirePretrainedWeights: () => ({
    name: 'small',
    file: 'small.pth',
    url: 'http://127.0.0.1:9/small.pth',
    sha256Prefix: SHA256.slice(0, 8),
    sizeMiB: 0.3,
  }),
}));

let dir: string;
let server: ArchiveServer;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-fetch-'));
  server = await serveArchive(CONTENT);
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const file = (): string => join(dir, 'small.pth');

test('a connection that breaks again and again is gone on with where it was, and the file is whole', async () => {
  server.manner.breakAfterBytes = 100_000;
  const seen: number[] = [];
  expect(await fetchWeights('small', { dir, url: server.url, onProgress: (received) => seen.push(received) })).toEqual({
    path: file(),
    sha256: SHA256,
    fetched: true,
  });
  expect(server.ranges).toEqual(['', 'bytes=100000-', 'bytes=200000-']);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(CONTENT.length);
  expect((await readFile(file())).equals(CONTENT)).toBe(true);
  expect(existsSync(`${file()}.part`)).toBe(false);
});

test('what an aborted fetch has is gone on with by the next one', async () => {
  server.manner.breakAfterBytes = 150_000;
  const stop = new AbortController();
  await expect(
    fetchWeights('small', {
      dir,
      url: server.url,
      signal: stop.signal,
      onProgress: (received) => {
        if (received >= 100_000) stop.abort();
      },
    }),
  ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  const { size } = await stat(`${file()}.part`);
  expect(size).toBeGreaterThanOrEqual(100_000);
  delete server.manner.breakAfterBytes;
  expect(await fetchWeights('small', { dir, url: server.url })).toMatchObject({ fetched: true, sha256: SHA256 });
  expect(server.ranges.at(-1)).toBe(`bytes=${size}-`);
});

test('two at once fetch once; a third finds it there', async () => {
  const both = await Promise.all([
    fetchWeights('small', { dir, url: server.url }),
    fetchWeights('small', { dir, url: server.url }),
  ]);
  expect(both.map(({ fetched }) => fetched).toSorted()).toEqual([false, true]);
  expect(await fetchWeights('small', { dir, url: server.url })).toMatchObject({ fetched: false });
  expect(server.ranges).toHaveLength(1);
});

test('a part of another file is thrown away when the whole does not match; the next fetch is whole', async () => {
  await writeFile(`${file()}.part`, Buffer.alloc(1000, 1));
  await expect(fetchWeights('small', { dir, url: server.url })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/checksum/),
  });
  expect(await fetchWeights('small', { dir, url: server.url })).toMatchObject({ sha256: SHA256 });
});

test('a file put there by hand is taken when it is the right one, and refused by its digest when not', async () => {
  await writeFile(file(), CONTENT);
  expect(await fetchWeights('small', { dir })).toMatchObject({ fetched: false, sha256: SHA256 });
  await writeFile(file(), 'another');
  await expect(fetchWeights('small', { dir })).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringMatching(/begins with .*remove it and fetch it again/),
  });
});

test('where nothing can be reached, the error says where to put the file', async () => {
  await expect(fetchWeights('small', { dir })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringContaining(`put it at ${file()}`),
  });
});

/** Every way in which an application holds an image gives the same pixels, and what is none is refused in words. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { decodeImage as decodeSource, encodePng } from '../../../../src/data/images/decode';
import { decodeInput, releaseSources, toSource, toSources } from '../../../../src/data/images/source';
import { countClasses } from '../../../../src/data/splits';
import { sourceOfBytes } from '../../../../src/data/images/byte-path';
import { fromSamples } from '../../../../src/data/samples';
import { BadImageError, CovidCtError, InvalidOptionError } from '../../../../src/errors';
import { makePixels } from '../../../helpers/images';

const dir = mkdtempSync(join(tmpdir(), 'covidct-source-'));
const path = join(dir, 'a b%20é.png');
const [HEIGHT, WIDTH] = [4, 5];
const pixels = makePixels(HEIGHT, WIDTH, (index) => index * 37);
let png: Buffer;

beforeAll(async () => {
  png = await encodePng(pixels);
  writeFileSync(path, png);
});
afterAll(() => rmSync(dir, { recursive: true }));

const padded = (): ArrayBuffer => {
  const memory = new ArrayBuffer(png.length + 8);
  new Uint8Array(memory, 8).set(png);
  return memory;
};
const shared = (): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer(png.length);
  new Uint8Array(memory).set(png);
  return memory;
};
const exact = (): ArrayBuffer => Uint8Array.from(png).buffer;
const alpha = (): Uint8ClampedArray =>
  Uint8ClampedArray.from({ length: WIDTH * HEIGHT * 4 }, (_, index) =>
    index % 4 === 3 ? 9 : pixels.data[Math.floor(index / 4) * 3 + (index % 4)]!,
  );

async function* pieces(): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  for (let at = 0; at < png.length; at += 7) yield png.subarray(at, at + 7);
}

test.each<[string, () => unknown]>([
  ['a path', () => path],
  ['a file: URL', () => pathToFileURL(path)],
  ['a file: URL as text', () => pathToFileURL(path).href],
  ['a Buffer', () => png],
  ['a Uint8Array', () => Uint8Array.from(png)],
  ['a view of a part of memory', () => new Uint8Array(padded(), 8)],
  ['a DataView', () => new DataView(padded(), 8)],
  ['a Uint8ClampedArray', () => Uint8ClampedArray.from(png)],
  ['an Int8Array', () => new Int8Array(exact())],
  ['an ArrayBuffer', exact],
  ['a SharedArrayBuffer', shared],
  ['a view of shared memory', () => new Uint8Array(shared())],
  ['a Blob', () => new Blob([png])],
  ['a File', () => new File([png], 'x.png')],
  ['a Node stream', () => createReadStream(path, { highWaterMark: 16 })],
  ['a Node stream of chunks', () => Readable.from([png.subarray(0, 9), png.subarray(9)])],
  ['a web stream', () => new Blob([png]).stream()],
  ['the body of a Response', () => new Response(png).body],
  ['an async iterable', pieces],
  ['RGB pixels', () => pixels],
  ['RGBA pixels', () => ({ data: alpha(), width: WIDTH, height: HEIGHT })],
  ['RGBA pixels with channels', () => ({ data: alpha(), width: WIDTH, height: HEIGHT, channels: 4 })],
])('%s gives the same pixels', async (_, make) => {
  const decoded = await decodeInput(make() as never);
  expect({ ...decoded, data: Buffer.from(decoded.data).toString('hex') }).toEqual({
    ...pixels,
    data: Buffer.from(pixels.data).toString('hex'),
  });
});

test('gray pixels become RGB', async () => {
  const { data } = await decodeInput({ data: Uint8Array.of(1, 2), width: 2, height: 1 });
  expect([...data]).toEqual([1, 1, 1, 2, 2, 2]);
});

test.each<[string, unknown, RegExp]>([
  ['nothing', undefined, /decodeImage: input: expected a path, a file: URL.*got nothing/],
  ['a number', 3, /got 3/],
  ['an empty path', '', /expected a path; got ""/],
  ['a NUL', 'a\0b', /without a NUL/],
  ['http', 'http://127.0.0.1/x.png', /http: URLs are not fetched.*body/],
  ['https as URL', new URL('https://example.test/x.png'), /https: URLs are not fetched/],
  ['data', 'data:image/png;base64,AAAA', /decode the part after the comma/],
  ['another host', 'file://elsewhere/x.png', /file: URL of this machine/],
  ['a slash in a name', 'file:///a%2Fb.png', /file: URL of this machine/],
  ['a promise', Promise.resolve('x'), /a Promise \(await it\)/],
  ['a Response', new Response('x'), /give its body/],
  ['a Set', new Set([1]), /a Set of 1/],
  ['pixels of another length', { data: new Uint8Array(5), width: 2, height: 1 }, /5 bytes for 1 x 2/],
  ['pixels of no size', { data: new Uint8Array(0), width: 0, height: 1 }, /width: expected a whole number/],
  ['16-bit pixels', { data: new Uint16Array(6), width: 2, height: 1 }, /8 bits a sample/],
  ['a stream of text', new PassThrough().setEncoding('utf8'), /setEncoding/],
])('%s is refused with the reason', async (_, value, wanted) => {
  const error: unknown = await decodeInput(value as never).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect((error as Error).message).toMatch(wanted);
});

test('a fault in a list names its place; a typed array is one image', () => {
  expect(() => toSources([path, 7], 'predict')).toThrow(/predict: sources\[1\]: .*got 7/);
  expect(toSources(png, 'predict')).toEqual([png]);
  expect(toSources([], 'predict')).toEqual([]);
});

describe('streams', () => {
  const failure = async (input: unknown, options = {}): Promise<CovidCtError> => {
    const error: unknown = await decodeInput(input as never, options).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CovidCtError);
    return error as CovidCtError;
  };
  const listeners = (stream: Readable): number =>
    stream
      .eventNames()
      .filter((name) => typeof name === 'string')
      .reduce((sum, name) => sum + stream.listenerCount(name), 0);
  const closed = (stream: Readable): Promise<void> =>
    new Promise((resolve) => {
      if (stream.closed) setImmediate(resolve);
      else stream.once('close', () => setImmediate(resolve));
    });

  test('one that fails is a BadImageError that names what failed, and keeps no listener', async () => {
    const stream = createReadStream(join(dir, 'none.png'));
    const error = await failure(stream);
    expect(error).toBeInstanceOf(BadImageError);
    expect(error.message).toMatch(/cannot decode the stream of .*none\.png: it broke off: .*ENOENT/);
    await closed(stream);
    expect(listeners(stream)).toBe(0);
  });

  test('one that breaks off half way', async () => {
    const stream = new Readable({
      read() {
        this.push(png.subarray(0, 10));
        this.destroy(new Error('the line is dead'));
      },
    });
    expect((await failure(stream)).message).toMatch(/it broke off: the line is dead/);
    const web = new ReadableStream({
      pull(controller) {
        controller.error(new Error('the line is dead'));
      },
    });
    expect((await failure(web)).message).toMatch(/the line is dead/);
  });

  test('one that fails before its turn comes ends nothing', async () => {
    const late = createReadStream(join(dir, 'none.png'));
    const [source] = toSources([late], 'predict');
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    }); // it has failed by now
    await expect(decodeSource(source!)).rejects.toMatchObject({
      code: 'ERR_BAD_IMAGE',
      message: expect.stringContaining('ENOENT'),
    });
  });

  test('more bytes than allowed are not read', async () => {
    let given = 0;
    const endless = new Readable({
      highWaterMark: 1,
      read() {
        given += 1000;
        this.push(Buffer.alloc(1000));
      },
    });
    expect((await failure(endless, { maxFileBytes: 5000 })).message).toMatch(/more bytes than maxFileBytes 5000/);
    expect(given).toBeLessThan(20_000);
    expect(endless.destroyed).toBe(true);
    let pulled = 0,
      canceled = false;
    const web = new ReadableStream({
      pull(controller) {
        pulled += 1000;
        controller.enqueue(new Uint8Array(1000));
      },
      cancel() {
        canceled = true;
      },
    });
    expect((await failure(web, { maxFileBytes: 5000 })).message).toMatch(/maxFileBytes/);
    expect(pulled).toBeLessThan(20_000);
    expect(canceled).toBe(true);
    expect((await failure(new Blob([new Uint8Array(6000)]), { maxFileBytes: 5000 })).message).toMatch(
      /6000 bytes, more than maxFileBytes 5000/,
    );
    expect((await failure(pixels, { maxPixels: 19 })).message).toMatch(/5 x 4 pixels, more than maxPixels 19/);
  });

  test('one that never ends is left at an abort, destroyed and without listeners', async () => {
    const silent = new Readable({
      read() {
        /* nothing comes */
      },
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 10);
    expect((await failure(silent, { signal: controller.signal })).code).toBe('ERR_ABORTED');
    await closed(silent);
    expect(listeners(silent)).toBe(0);
    const hanging = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
    expect((await failure(hanging, { signal: AbortSignal.timeout(10) })).code).toBe('ERR_ABORTED');
  });

  test('one is read once', async () => {
    const stream = createReadStream(path);
    await decodeInput(stream);
    expect((await failure(stream)).message).toMatch(/has been given before/);
    const half = createReadStream(path, { highWaterMark: 4 });
    half.resume();
    await new Promise((resolve) => {
      half.once('data', resolve);
    });
    expect((await failure(half)).message).toMatch(/has been read or closed already/);
    const locked = new Blob([png]).stream();
    locked.getReader();
    expect((await failure(locked)).message).toMatch(/locked/);
  });

  test('text, and what gives no bytes', async () => {
    expect((await failure(Readable.from(['a', 'b']))).message).toMatch(/expected pieces of bytes; got "a"/);
    expect((await failure(Readable.from([]))).message).toMatch(/it is empty/);
  });

  test('one that is not read is let go of', async () => {
    const stream = createReadStream(path);
    releaseSources([toSource(stream, 'predict', 'sources')]);
    await closed(stream);
    expect(stream.destroyed).toBe(true);
    expect(listeners(stream)).toBe(0);
  });
});

test('a stream that was paused is read; one that somebody else reads is refused', async () => {
  const paused = createReadStream(path).pause();
  expect((await decodeInput(paused)).data).toEqual(pixels.data);
  const taken = createReadStream(path).on('readable', () => undefined);
  await expect(decodeInput(taken)).rejects.toMatchObject({
    code: 'ERR_BAD_IMAGE',
    message: expect.stringMatching(/'readable' event/),
  });
});

test.each([
  ['nothing', undefined],
  ['a number', 3],
  ['too few bytes', { data: new Uint8Array(3), width: 2, height: 2 }],
  ['a width that is no number', { data: new Uint8Array(3), width: Number.NaN, height: 1 }],
])('a source of an application that gives %s is refused', async (_, given) => {
  const source = { name: 'mine', resize: null, readPixels: () => Promise.resolve(given as never) };
  await expect(decodeInput(source)).rejects.toMatchObject({
    code: 'ERR_BAD_IMAGE',
    message: expect.stringMatching(/cannot decode mine.*readPixels gave is no image/),
  });
});

test('a data set takes what can be read again: not a stream', async () => {
  const data = fromSamples({
    classes: ['a', 'b'],
    samples: [
      { source: pathToFileURL(path), label: 0 },
      { source: new Blob([png]), label: 1 },
      { source: pixels, label: 1 },
    ],
  });
  expect(data.samples.map(({ id }) => id)).toEqual([path, 'sample-1', 'sample-2']);
  for (const { source } of data.samples) expect([...(await decodeSource(source)).data]).toEqual([...pixels.data]);
  for (const { source } of data.samples) expect([...(await decodeSource(source)).data]).toEqual([...pixels.data]);
  expect(() => fromSamples({ classes: ['a', 'b'], samples: [{ source: createReadStream(path), label: 0 }] })).toThrow(
    /samples\[0\]\.source: a stream can be read once only/,
  );
});

test('bytes of another realm, as test runners have it, and of a class that extends Uint8Array are bytes', async () => {
  class Own extends Uint8Array {}
  const foreign = runInNewContext('Uint8Array.from(bytes)', { bytes: [...png] }) as Uint8Array;
  for (const source of [foreign, Own.from(png)]) {
    const sample = { id: 'x', source, label: 0 };
    expect(countClasses({ name: 'made up', classes: ['a'], samples: [sample] })).toEqual({ a: 1 });
    expect((await decodeSource(source)).data).toEqual(pixels.data);
    expect((await decodeInput(source)).data).toEqual(pixels.data);
  }
  expect(sourceOfBytes(runInNewContext('Uint8Array.of(47, 120)') as Uint8Array)).toBe('/x');
});

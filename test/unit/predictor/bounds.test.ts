/** A predictor holds no more than it may, and every place comes back whatever happens to its image. */
import { PassThrough } from 'node:stream';
import { QueueFullError } from '../../../src/predictor/errors';
import type { Predictor } from '../../../src/predictor/predictor';
import { gated, image, until } from './gated';

const nothingLeft = (predictor: Predictor): void => {
  expect(predictor.status()).toMatchObject({
    waiting: 0,
    decoding: 0,
    decoded: 0,
    computing: 0,
    places: { used: 0 },
    bytes: { used: 0 },
  });
  const { admitted, answered, rejected } = predictor.metrics();
  const let_in = answered + rejected.timeout + rejected.aborted + rejected.bad_image + rejected.failed;
  expect(let_in).toBe(admitted);
};

test('all images of a call are let in, or none', async () => {
  const { network, predictor } = gated({ maxQueue: 4 });
  network.close();
  const held = predictor.submit([image(1), image(2), image(3)]);
  expect(() => predictor.submit([image(4), image(5)])).toThrow(QueueFullError);
  await expect(predictor.predict([image(4), image(5)])).rejects.toMatchObject({
    code: 'ERR_QUEUE_FULL',
    limit: 'items',
    used: 3,
    asked: 2,
    most: 4,
  });
  expect(predictor.status().places).toEqual({ used: 3, most: 4 });
  const fourth = predictor.submit([image(4)]);
  network.open();
  await Promise.all([...held, ...fourth]);
  expect(predictor.metrics().rejected.queue_full).toBe(4);
  nothingLeft(predictor);
});

test('bytes of buffers, Blobs and pixels count until they are decoded', async () => {
  const { network, predictor } = gated({ maxQueueBytes: 1000, decoders: 1, maxBatch: 1 });
  network.close();
  const first = predictor.predict(image(1)); // 48 bytes
  await until(() => network.batches.length === 1);
  expect(predictor.status().bytes.used).toBe(0);
  const ahead = [2, 3].map((each) => predictor.predict(image(each)));
  await until(() => predictor.status().decoded === 2);
  const waiting = predictor.submit([Buffer.alloc(500), new Blob([Buffer.alloc(300)])]);
  expect(predictor.status().bytes.used).toBe(800);
  expect(() => predictor.submit([Buffer.alloc(201)])).toThrow(
    expect.objectContaining({ limit: 'bytes', used: 800, asked: 201, most: 1000 }),
  );
  network.open();
  await Promise.allSettled([first, ...ahead, ...waiting]);
  nothingLeft(predictor);
});

test('no more is decoded ahead than the next batches need', async () => {
  const { network, predictor } = gated({ maxBatch: 2, decoders: 8 });
  network.close();
  const answers = predictor.submit(Array.from({ length: 20 }, (_, each) => image(each)));
  await until(() => predictor.status().decoded === 4);
  expect(predictor.status()).toMatchObject({ decoding: 0, decoded: 4, waiting: 15, computing: 1 });
  network.open();
  await Promise.all(answers);
  nothingLeft(predictor);
});

test('beyond maxDecodedBytes one image at a time passes, whatever its size', async () => {
  const { network, predictor } = gated({ maxBatch: 4, decoders: 1, maxDecodedBytes: 50 });
  network.close();
  const answers = predictor.submit([image(1), image(2), image(3), image(4), image(5)]); // 48 bytes each
  await until(() => predictor.status().decoded === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  // The one that computes and the one behind it exceed the bound, so the others wait.
  expect(predictor.status()).toMatchObject({ computing: 1, decoded: 1, waiting: 3 });
  network.open();
  await Promise.all(answers);
  nothingLeft(predictor);
});

test('what is aborted leaves before it costs anything', async () => {
  const { network, predictor } = gated({ maxBatch: 1, decoders: 1 });
  network.close();
  const held = predictor.predict(image(1));
  await until(() => network.batches.length === 1);
  const stop = new AbortController();
  const unread = new PassThrough();
  const answers = predictor.submit([image(2), image(3), image(4), unread], { signal: stop.signal });
  await until(() => predictor.status().decoded === 2);
  stop.abort();
  for (const each of await Promise.allSettled(answers)) expect(each).toMatchObject({ reason: { code: 'ERR_ABORTED' } });
  expect(unread.destroyed).toBe(true);
  expect(predictor.status()).toMatchObject({ waiting: 0, decoded: 0, places: { used: 1 } });
  network.open();
  await held;
  expect(network.batches).toEqual([[1]]);
  expect(() => predictor.submit([image(1)], { signal: stop.signal })).toThrow('aborted');
  nothingLeft(predictor);
});

test('what is too late is refused, also while it is read or computed, and its place comes back', async () => {
  const { network, predictor } = gated({ maxBatch: 1, decoders: 1, timeoutMs: 30 });
  network.close();
  const computed = predictor.predict(image(1));
  const never = new PassThrough(); // a body that does not come
  const read = predictor.predict(never);
  const waits = predictor.predict(image(2));
  for (const each of [computed, read, waits]) await expect(each).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  expect(predictor.status()).toMatchObject({ computing: 1, waiting: 0 });
  await until(() => predictor.status().places.used === 1);
  network.open();
  await until(() => predictor.status().places.used === 0);
  await expect(predictor.predict(image(3), { timeoutMs: 10_000 })).resolves.toBeDefined();
  nothingLeft(predictor);
});

test('closing answers what is there and takes no more; disposing refuses it', async () => {
  const { network, predictor } = gated({ maxBatch: 1 });
  network.close();
  const answers = predictor.submit([image(1), image(2), image(3)]);
  const closed = predictor.close();
  expect(predictor.status().ready).toBe(false);
  expect(() => predictor.submit([image(4)])).toThrow(expect.objectContaining({ code: 'ERR_CLOSING' }));
  network.open();
  await Promise.all([...answers, closed]);
  expect(network.disposed).toBeGreaterThan(0);
  expect(() => predictor.submit([image(4)])).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
  nothingLeft(predictor);
  await predictor.close();

  const second = gated();
  second.network.close();
  const open = second.predictor.predict(image(1));
  await until(() => second.network.batches.length === 1);
  second.predictor.dispose();
  second.predictor.dispose();
  await expect(open).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  second.network.open();
  await until(() => second.predictor.status().places.used === 0);
});

test('disposing leaves no timer of a batch that waits for more', async () => {
  const { predictor } = gated({ maxBatch: 2, maxDelayMs: 60_000 });
  const answer = predictor.predict(image(1));
  await until(() => predictor.status().decoded === 1);
  const cleared = jest.spyOn(globalThis, 'clearTimeout');
  predictor.dispose();
  await expect(answer).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  await until(() => cleared.mock.calls.length >= 2); // that of the batch, and that of the request
  cleared.mockRestore();
});

test('every place comes back under a storm of answers, bad images, aborts and late ones', async () => {
  const { network, predictor } = gated({ maxQueue: 40, maxBatch: 4, decoders: 3 });
  let random = 7;
  const draw = (most: number): number => (random = (random * 1_103_515_245 + 12_345) % 2 ** 31) % most;
  network.before = () => {
    if (draw(10) === 0) throw new Error('now and then');
  };
  const open: Promise<unknown>[] = [];
  for (let call = 0; call < 400; call += 1) {
    const stop = new AbortController();
    const inputs = Array.from({ length: draw(6) }, () => (draw(5) === 0 ? Buffer.from('bad') : image(draw(256))));
    try {
      open.push(
        ...predictor.submit(inputs, {
          signal: stop.signal,
          timeoutMs: 1 + draw(20),
          priority: draw(2) === 0 ? 'normal' : 'low',
          explain: draw(4) === 0,
        }),
      );
    } catch (error) {
      expect(error).toBeInstanceOf(QueueFullError);
    }
    if (draw(3) === 0) setTimeout(() => stop.abort(), draw(10));
    expect(predictor.status().places.used).toBeLessThanOrEqual(40);
    if (draw(4) === 0) await new Promise((resolve) => setTimeout(resolve, draw(4)));
  }
  await Promise.allSettled(open);
  await until(() => predictor.status().places.used === 0);
  nothingLeft(predictor);
  await predictor.close();
});

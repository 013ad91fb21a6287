/** What a predictor answers, in which batches, and what it holds back. */
import { PassThrough } from 'node:stream';
import { BadImageError } from '../../../src/errors';
import { behindOne, gated, image, until } from './gated';

test('one image gives one answer, a list one for each, with label, probability, version and times', async () => {
  const { network, predictor } = gated();
  network.weights.set([0, 0, 5], network.weights.length - 3);
  const one = await predictor.predict(image(7));
  expect(one).toMatchObject({ label: 'COVID', labelIndex: 1, model: 'softmax_regression', version: 'v1' });
  expect(one.probability).toBe(one.probabilities['COVID']);
  expect(one.threshold).toBe(0.5);
  expect(one.timing.batchSize).toBe(1);
  expect(Object.values(one.timing).every((each) => each >= 0)).toBe(true);
  const list = await predictor.predict([image(1), image(2), image(3)]);
  expect(list).toHaveLength(3);
  expect(await predictor.predict([])).toEqual([]);
  expect(predictor.metrics()).toMatchObject({ admitted: 4, answered: 4 });
  await predictor.close();
});

test('another operating point changes the label and nothing else', async () => {
  const { predictor } = gated();
  const [low, high] = await Promise.all([
    predictor.predict(image(9), { threshold: 0.5 }),
    predictor.predict(image(9), { threshold: 0.51 }),
  ]);
  expect([low.label, high.label]).toEqual(['COVID', 'NonCOVID']);
  expect(low.probabilities).toEqual(high.probabilities);
  expect([low.threshold, high.threshold]).toEqual([0.5, 0.51]);
});

test('while a batch computes the next one collects, up to maxBatch', async () => {
  const both = gated({ maxBatch: 3, decoders: 8 });
  await behindOne(both, [2, 3, 4, 5, 6], (each) => both.predictor.predict(image(each)));
  expect(both.network.batches).toEqual([[1], [2, 3, 4], [5, 6]]);
});

test('with maxDelayMs a batch waits for more, and a full one does not', async () => {
  const { network, predictor } = gated({ maxBatch: 2, maxDelayMs: 60_000, decoders: 8 });
  const alone = predictor.predict(image(1));
  await until(() => predictor.status().decoded === 1);
  expect(network.batches).toEqual([]);
  await Promise.all([alone, predictor.predict(image(2))]);
  expect(network.batches).toEqual([[1, 2]]);
  const last = predictor.predict(image(3));
  await until(() => predictor.status().decoded === 1);
  await Promise.all([last, predictor.close()]); // closing waits for nobody
  expect(network.batches).toEqual([[1, 2], [3]]);
});

test('first in, first out, and low priority behind it, but not starved', async () => {
  const { network, predictor } = gated({ maxBatch: 1, decoders: 1, maxQueue: 64 });
  network.close();
  const held = predictor.predict(image(99));
  await until(() => network.batches.length === 1);
  const low = [201, 202].map((each) => predictor.predict(image(each), { priority: 'low' }));
  const normal = Array.from({ length: 20 }, (_, each) => predictor.predict(image(each)));
  network.open();
  await Promise.all([held, ...low, ...normal]);
  const order = network.batches.flat();
  expect(order.filter((each) => each < 99)).toEqual(Array.from({ length: 20 }, (_, each) => each));
  const [first, second] = [order.indexOf(201), order.indexOf(202)];
  // At least one of eight that are taken is a low one; two had been decoded before normal ones came.
  expect(first).toBeLessThan(second);
  expect(second).toBeLessThan(12);
});

test('a bad image of a list is its own failure', async () => {
  const { predictor } = gated();
  const answers = await Promise.allSettled(
    predictor.submit([image(1), Buffer.from('no image'), image(2), new PassThrough().end('nor this')]),
  );
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect((answers[1] as PromiseRejectedResult).reason).toBeInstanceOf(BadImageError);
  expect(predictor.metrics()).toMatchObject({ answered: 2, rejected: { bad_image: 2 } });
  await expect(predictor.predict([image(1), Buffer.from('no image')])).rejects.toThrow(BadImageError);
  await until(() => predictor.status().places.used === 0);
});

const outOfMemory = (): Error => Object.assign(new Error('no memory'), { code: 'ERR_OUT_OF_MEMORY' });

test('what memory does not suffice for is computed in halves', async () => {
  const both = gated({ maxBatch: 8, decoders: 8 });
  both.network.before = ({ images }) => {
    if (images.length > 2) throw outOfMemory();
  };
  await behindOne(both, [2, 3, 4, 5, 6], (each) => both.predictor.predict(image(each)));
  expect(both.network.batches.slice(1).map(({ length }) => length)).toEqual([5, 3, 2, 1, 2]);
});

test('what memory does not suffice to explain is explained in halves, and what was answered stays so', async () => {
  const both = gated({ maxBatch: 8, decoders: 8 });
  const gradCam = both.network.gradCam.bind(both.network);
  jest
    .spyOn(both.network, 'gradCam')
    .mockImplementation((batch) => (batch.images.length > 1 ? Promise.reject(outOfMemory()) : gradCam(batch)));
  const answers = await behindOne(both, [2, 3, 4, 5, 6], (each) =>
    both.predictor.predict(image(each), { explain: each % 2 === 0 }),
  );
  expect(answers.map(({ explanation }) => explanation !== undefined)).toEqual([true, false, true, false, true]);
  expect(both.predictor.metrics()).toMatchObject({ answered: 6, rejected: { failed: 0 } });
  both.network.before = () => {
    throw outOfMemory();
  };
  await expect(both.predictor.predict(image(7))).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
});

test('a failure of the network is the failure of its batch alone', async () => {
  const { network, predictor } = gated();
  network.before = () => {
    throw Object.assign(new Error('broken'), { code: 'ERR_NATIVE' });
  };
  await expect(predictor.predict(image(1))).rejects.toThrow('broken');
  network.before = () => undefined;
  await expect(predictor.predict(image(1))).resolves.toMatchObject({ version: 'v1' });
  expect(predictor.metrics().rejected.failed).toBe(1);
});

test('explanations come with the answer, for the class and layer that were asked for', async () => {
  const { network, predictor } = gated({ decoders: 4 });
  network.weights.fill(0.1, network.weights.length - 4);
  const [plain, explained, other] = await Promise.all([
    predictor.predict(image(200)),
    predictor.predict(image(200), { explain: true }),
    predictor.predict(image(200), { explain: { class: 'NonCOVID', layer: 'blocks' } }),
  ]);
  expect(plain.explanation).toBeUndefined();
  expect(explained.explanation).toMatchObject({ explained: 'COVID', layer: 'blocks', height: 4, width: 4 });
  expect(explained.explanation!.pixels).toMatchObject({ width: 4, height: 4 });
  expect(other.explanation!.explained).toBe('NonCOVID');
  expect(() => predictor.submit([image(1)], { explain: { class: 'Flu' } })).toThrow(/explain.class: expected one of/);
  expect(() => predictor.submit([image(1)], { explain: { layer: 'nowhere' } })).toThrow(/explain.layer/);
});

test('listeners hear of every answer and refusal, and one that throws takes none with it', async () => {
  const { predictor } = gated();
  const heard: unknown[] = [];
  const end = predictor.on('answer', ({ label, version, timing }) => heard.push([label, version, timing.batchSize]));
  predictor.on('rejection', ({ reason }) => heard.push(reason));
  await predictor.predict(image(1));
  await expect(predictor.predict(Buffer.from('x'))).rejects.toThrow();
  expect(heard).toEqual([['COVID', 'v1', 1], 'bad_image']);
  end();
  const warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
  predictor.on('answer', () => {
    throw new Error('mine');
  });
  await expect(predictor.predict(image(1))).resolves.toBeDefined();
  expect(warned).toHaveBeenCalledWith(expect.stringContaining('mine'));
  warned.mockRestore();
});

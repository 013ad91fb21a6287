/** Tensors are written on a thread of their own while the training goes on; the file has what they were. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CovidCtError } from '../../src/errors';
import type { Network } from '../../src/model/types';
import { store } from './stored';
import { madeUpBatch, SGD, stepOptions, tiny } from './tiny';

const MANY_BYTES = 192 * 2 ** 20;

let dir: string;
let model: Network;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-background-'));
});
beforeEach(begin);
afterEach(() => model.dispose());
afterAll(() => rm(dir, { recursive: true }));

/** A training in the middle of a window, with an average. */
async function begin(): Promise<void> {
  model = await tiny();
  for (let i = 0; i < 2; i += 1) {
    await step(i);
    await model.optimizerStep(SGD.learningRate);
    await model.average('update', 0.9);
  }
  await step(2);
}

async function step(i: number, network = model): Promise<void> {
  await network.trainStep(madeUpBatch(4, { from: 4 * i }), stepOptions(8, { dropoutSeed: i }));
}

/** Every tensor of the network and of its training. */
async function namesOf(): Promise<string[]> {
  return [...model.tensors, ...(await model.trainingState())].map(({ name }) => name);
}

async function empty(name: string): Promise<string> {
  await writeFile(join(dir, name), '');
  return join(dir, name);
}

async function write(names: readonly string[]): Promise<Buffer> {
  const path = await empty('written');
  await model.writeTensors(path, 0, names);
  return await readFile(path);
}

/** A list whose writing takes longer than a few steps: what no step may touch, again and again. */
async function longList(): Promise<{ names: string[]; once: Buffer; times: number; rest: Buffer }> {
  const names = await namesOf();
  const copied = new Set(names.filter((name) => /^grad\.|running_|num_batches/.test(name)));
  const steady = names.filter((name) => !copied.has(name));
  const [once, rest] = [await write(steady), await write([...copied])];
  const times = Math.ceil(MANY_BYTES / once.length);
  const list = Array.from({ length: times }, () => steady).flat();
  return { names: [...list, ...copied], once, times, rest };
}

const CHANGES: Readonly<Record<string, () => Promise<unknown>>> = {
  optimizerStep: () => model.optimizerStep(SGD.learningRate),
  'average update': () => model.average('update', 0.5),
  'average swap': () => model.average('swap'),
  configureOptimizer: () => model.configureOptimizer(SGD),
  setTrainable: () => model.setTrainable({ parameters: ['classifier.6.bias'], frozenNorms: [] }),
  readTensors: () =>
    model.readTensors(join(dir, 'zeros'), [{ name: 'classifier.6.bias', dtype: 'F32', shape: [2], offset: 0 }]),
  writeTensors: () => model.writeTensors(join(dir, 'zeros'), 8, ['classifier.6.bias']),
};

/** Writes the list in the background, makes the calls at once, and returns their names in the order of their ends. */
async function orderOf(names: readonly string[], calls: Readonly<Record<string, () => Promise<unknown>>>) {
  const order: string[] = [];
  await model.writeTensors(await empty('background'), 0, names, { background: true });
  await Promise.all(Object.entries(calls).map(([name, call]) => call().then(() => order.push(name))));
  return order;
}

test.each(Object.entries(CHANGES))('%s and what is behind it wait for the end', async (_name, changed) => {
  await writeFile(join(dir, 'zeros'), Buffer.alloc(8));
  const { names, once, times, rest } = await longList();
  const order = await orderOf(names, {
    step: () => step(3),
    written: () => model.finishWrite(),
    changed,
    behind: () => model.features(madeUpBatch(1)),
  });
  expect(order.filter((name) => name !== 'step')).toEqual(['written', 'changed', 'behind']);
  const bytes = await readFile(join(dir, 'background'));
  expect(bytes.length).toBe(times * once.length + rest.length);
  let wrong = 0;
  for (let i = 0; i < times; i += 1) wrong += once.compare(bytes, i * once.length, (i + 1) * once.length) === 0 ? 0 : 1;
  expect(wrong).toBe(0);
  expect(bytes.subarray(times * once.length).equals(rest)).toBe(true);
  await model.finishWrite(); // as often as one likes
});

test('steps and predictions go on meanwhile, predictions also ahead of what waits', async () => {
  const { names } = await longList();
  let order: string[] = [];
  // A machine with much else to do may be done with the writing before it makes the calls.
  for (let attempt = 0; attempt < 20 && order.indexOf('written') !== 2; attempt += 1)
    order = await orderOf(names, {
      written: () => model.finishWrite(),
      step: () => model.trainStep(madeUpBatch(1), stepOptions(1)),
      changed: () => model.average('update', 0.5),
      predicted: () => model.predict(madeUpBatch(1)),
    });
  expect([...order.slice(0, 2).sort(), ...order.slice(2)]).toEqual(['predicted', 'step', 'written', 'changed']);
});

test('the training is the one that it would have been', async () => {
  using other = await tiny();
  const [names, before] = [await namesOf(), await store(model, join(dir, 'before'))];
  await other.readTensors(before.path, before.sources, { restore: true });
  await model.writeTensors(await empty('background'), 0, names, { background: true });
  for (const each of [model, other]) {
    await step(3, each);
    await each.optimizerStep(SGD.learningRate);
  }
  await model.finishWrite();
  expect((await readFile(join(dir, 'background'))).equals(await readFile(before.path))).toBe(true);
  const [one, two] = [await store(model, join(dir, 'one')), await store(other, join(dir, 'two'))];
  expect((await readFile(one.path)).equals(await readFile(two.path))).toBe(true);
});

describe('a write that fails', () => {
  const targets: readonly (readonly [string, () => string, RegExp])[] = [
    ['a file that is missing', () => join(dir, 'no', 'such'), /cannot open '.*no\/such' for writing: No such file/],
    ['a folder', () => dir, /cannot open '.*' for writing: Is a directory/],
    ...(existsSync('/dev/full') ? ([['a full disk', () => '/dev/full', /cannot write.*No space left/]] as const) : []),
  ];
  test.each(targets)('%s: told by finishWrite, each time; the network goes on', async (_name, target, message) => {
    const names = await namesOf();
    const failure = { code: 'ERR_RUN_FOLDER', message: expect.stringMatching(message) };
    await model.writeTensors(target(), 0, names, { background: true });
    await model.optimizerStep(SGD.learningRate); // nobody has asked yet
    await expect(model.finishWrite()).rejects.toMatchObject(failure);
    await expect(model.writeTensors(target(), 0, names)).rejects.toMatchObject(failure);
    await expect(model.finishWrite()).rejects.toMatchObject(failure);
    await model.writeTensors(await empty('next'), 0, names, { background: true });
    await model.finishWrite();
  });

  test('an unknown name is refused at once, and holds up nothing', async () => {
    await expect(
      model.writeTensors(await empty('next'), 0, ['velocity.x'], { background: true }),
    ).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    await model.optimizerStep(SGD.learningRate);
    await model.finishWrite();
  });
});

test('with nothing to wait for, finishWrite resolves at once, in its turn', async () => {
  await model.finishWrite();
  const path = await empty('early');
  const begun = model.writeTensors(path, 0, ['classifier.6.bias'], { background: true });
  await model.finishWrite(); // of the write that was asked for before
  expect((await readFile(path)).length).toBe(8);
  await begun;
});

/** Disposes of the model in the middle of a write; returns the codes of what was pending, and the size of the file. */
async function breakOff(names: readonly string[]): Promise<{ codes: (string | null)[]; size: number }> {
  const path = await empty('broken');
  await model.writeTensors(path, 0, names, { background: true });
  const pending = [model.finishWrite(), model.optimizerStep(SGD.learningRate), model.finishWrite()];
  model.dispose();
  const codes = await Promise.all(
    pending.map((each) =>
      each.then(
        () => null,
        ({ code }: CovidCtError) => code,
      ),
    ),
  );
  await expect(model.finishWrite()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  const pause = () => new Promise((resolve) => setTimeout(resolve, 200));
  await pause(); // The thread ends within a piece.
  const { size } = await stat(path);
  await pause();
  expect((await stat(path)).size).toBe(size);
  return { codes, size };
}

test('dispose breaks it off', async () => {
  const { names } = await longList();
  let end = await breakOff(names);
  // As above.
  for (let attempt = 0; attempt < 20 && end.size >= MANY_BYTES; attempt += 1) {
    await begin();
    end = await breakOff(names);
  }
  expect(end.size).toBeLessThan(MANY_BYTES);
  expect(end.codes).toEqual(['ERR_DISPOSED', 'ERR_DISPOSED', 'ERR_DISPOSED']);
});

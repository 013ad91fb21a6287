/** A training that is written in the middle and read into a new network goes on to the same bits. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeOptimizerOptions } from '../../src/addon/optimizers';
import type { NativeTensorSource } from '../../src/addon/types';
import type { Network } from '../../src/model/types';
import { bytesOf, placesOf, store } from './stored';
import { madeUpBatch, SGD, stepOptions, tiny } from './tiny';

const COMMON = { learningRate: 0.001, weightDecay: 0.01 };
const OPTIMIZERS = {
  sgd: { ...SGD, weightDecay: 0.001, dampening: 0.1, maxGradientNorm: 1 },
  'plain sgd': { ...SGD, momentum: 0 },
  adam: { ...COMMON, kind: 'adam', betas: [0.9, 0.999], epsilon: 1e-8 },
  adamw: {
    ...COMMON,
    kind: 'adamw',
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    groups: [{ names: ['classifier.6.weight'], learningRate: 0.01, weightDecay: 0 }],
  },
  rmsprop: { ...COMMON, kind: 'rmsprop', alpha: 0.99, epsilon: 1e-8, momentum: 0.9, centered: true },
  'plain rmsprop': { ...COMMON, kind: 'rmsprop', alpha: 0.99, epsilon: 1e-8, momentum: 0, centered: false },
} as const satisfies Readonly<Record<string, NativeOptimizerOptions>>;
type Kind = keyof typeof OPTIMIZERS;
/** Prefixes of what each optimizer keeps, in the order in which it is told. */
const KEPT: Readonly<Record<Kind, readonly string[]>> = {
  sgd: ['momentum'],
  'plain sgd': [],
  adam: ['mean', 'square', 'steps'],
  adamw: ['mean', 'square', 'steps'],
  rmsprop: ['momentum', 'mean', 'square'],
  'plain rmsprop': ['square'],
};

let dir: string;
let files = 0;
const file = (): string => join(dir, String((files += 1)));
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-state-'));
});
afterAll(() => rm(dir, { recursive: true }));

interface Course {
  readonly kind: Kind;
  readonly average?: boolean;
  /** Write with the gradients of a micro-batch gathered. */
  readonly mid?: boolean;
  /** Train the head alone, the last batch norm frozen. */
  readonly frozen?: boolean;
}

const parametersOf = (model: Network, prefix = ''): string[] =>
  model.tensors.filter(({ kind, name }) => kind === 'parameter' && name.startsWith(prefix)).map(({ name }) => name);

async function start({ kind, frozen = false }: Course, seed = 0): Promise<Network> {
  const model = await tiny({ dropout: 0.5, seed });
  await model.configureOptimizer(OPTIMIZERS[kind]);
  if (frozen)
    await model.setTrainable({ parameters: parametersOf(model, 'classifier.'), frozenNorms: [model.norms.at(-1)!] });
  return model;
}

/** The micro-batches from `from` on, two to a step. */
async function run(model: Network, { kind, average = false }: Course, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 1) {
    await model.trainStep(madeUpBatch(4, { from: 4 * i }), stepOptions(8, { dropoutSeed: i }));
    if (i % 2 === 0) continue;
    await model.optimizerStep(OPTIMIZERS[kind].learningRate / (1 + i));
    if (average) await model.average('update', 0.9);
  }
}

const flags = [false, true];
const courses = (Object.keys(OPTIMIZERS) as Kind[]).flatMap((kind) =>
  flags.flatMap((average) => flags.map((mid) => ({ kind, average, mid, frozen: average !== mid }))),
);

test.each(courses)('$kind, average $average, mid-window $mid, frozen $frozen', async (course) => {
  using first = await start(course);
  using second = await start(course, 7);
  const half = course.mid ? 7 : 6;
  await run(first, course, 0, half);
  const written = await store(first, file());
  const before = await bytesOf(written);
  await run(first, course, half, 12);
  const expected = await bytesOf(await store(first, file()));
  expect(expected).not.toEqual(before);

  await second.readTensors(written.path, written.sources, { restore: true });
  expect(await bytesOf(await store(second, file()))).toEqual(before);
  await run(second, course, half, 12);
  expect(await bytesOf(await store(second, file()))).toEqual(expected);
});

test.each(Object.keys(OPTIMIZERS) as Kind[])('%s: what is present is told, in order', async (kind) => {
  using model = await start({ kind });
  expect(await model.trainingState()).toEqual([]);
  const tensors = model.tensors.filter((each) => each.kind === 'parameter');
  const told = (prefix: string) =>
    tensors.map(({ name, shape }) => ({
      name: `${prefix}.${name}`,
      shape: prefix === 'steps' ? [] : shape,
      dtype: 'F32',
      kind: 'state',
    }));
  await run(model, { kind }, 0, 1);
  expect(await model.trainingState()).toEqual(told('grad'));
  await run(model, { kind, average: true }, 1, 3);
  const average = model.tensors.map((each) => ({ ...each, name: `average.${each.name}`, kind: 'state' }));
  expect(await model.trainingState()).toEqual([...['grad', ...KEPT[kind]].flatMap(told), ...average]);
  await model.average('swap');
  await expect(model.trainingState()).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await writeFile(join(dir, 'swapped'), '');
  const write = (name: string): Promise<void> => model.writeTensors(join(dir, 'swapped'), 0, [name]);
  await expect(write('average.classifier.6.bias')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await write('grad.classifier.6.bias');
  await model.average('swap');
  await model.average('drop');
  await expect(write('average.classifier.6.bias')).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
  expect(await model.trainingState()).toEqual(['grad', ...KEPT[kind]].flatMap(told));
});

test('what is not named is absent afterward; the average is not swapped any more', async () => {
  const course = { kind: 'sgd', average: true, mid: true } as const;
  using model = await start(course);
  await run(model, course, 0, 3);
  const { path, sources } = await store(model, file());
  await model.average('swap');
  const some = sources.filter(({ name }) => !/^(grad|average)\.|^momentum\.features/.test(name));
  await model.readTensors(path, some, { restore: true });
  const names = (await model.trainingState()).map(({ name }) => name);
  expect(names).toEqual(parametersOf(model, 'classifier.').map((name) => `momentum.${name}`));
  await expect(model.average('swap')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await model.readTensors(path, [], { restore: true });
  expect(await model.trainingState()).toEqual([]);
});

test('outputs that were not read, and a loss that was not finite, are no part of it; its numbers may be anything', async () => {
  using model = await start({ kind: 'sgd' });
  await run(model, { kind: 'sgd' }, 0, 3);
  const deferred = { ...stepOptions(4), deferred: true };
  await model.trainStep({ ...madeUpBatch(4), std: Float64Array.of(1e-300, 1, 1) }, deferred);
  const { path, sources } = await store(model, file());
  const state = sources.filter(({ name }) => /^(grad|momentum)\./.test(name));
  await model.readTensors(path, state, { restore: true });
  const before = await bytesOf(await store(model, file()));
  expect(before.get('grad.classifier.6.bias')).toMatch(/(c0|80)[7f]f/); // NaN or infinite
  await expect(model.readOutputs()).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await model.readTensors(
    path,
    state.filter(({ name }) => name.startsWith('momentum.')),
    { restore: true },
  );
  await run(model, { kind: 'sgd' }, 4, 6);
  const after = await bytesOf(await store(model, file()));
  expect(after.get('classifier.6.bias')).not.toBe(before.get('classifier.6.bias'));
});

describe('refused, with nothing changed', () => {
  const SCALAR = { dtype: 'F32', shape: [], offset: 0 };
  const BIAS = { dtype: 'F32', shape: [2], offset: 0 };
  const last = (prefix: string, place: object = BIAS): NativeTensorSource =>
    ({ name: `${prefix}.classifier.6.bias`, ...place }) as NativeTensorSource;
  const refusals: readonly (readonly [string, Kind, readonly NativeTensorSource[], RegExp])[] = [
    ['momentum for Adam', 'adam', [last('momentum')], /no 'momentum\.classifier\.6\.bias'.*optimizer/],
    ['momentum for SGD without one', 'plain sgd', [last('momentum')], /no 'momentum\./],
    ['a mean for SGD', 'sgd', [last('mean')], /no 'mean\./],
    ['steps for RMSprop', 'rmsprop', [last('steps', SCALAR)], /no 'steps\./],
    ['a mean for RMSprop that is not centered', 'plain rmsprop', [last('mean')], /no 'mean\./],
    ['a mean without the rest', 'adam', [last('mean')], /expected 'square\.classifier\.6\.bias' beside 'mean\./],
    ['a part of the average', 'sgd', [last('average')], /expected 'average\.features\.0\.weight' beside/],
    ['an unknown name', 'sgd', [last('velocity')], /no tensor 'velocity\.classifier\.6\.bias'/],
    ['state of no parameter', 'sgd', [{ ...BIAS, name: 'grad.features.1.running_mean' }], /no tensor 'grad\./],
    ['state of a frozen parameter', 'sgd', [{ ...BIAS, name: 'grad.features.0.bias' }], /frozen/],
    ['another shape', 'sgd', [last('grad', { ...BIAS, shape: [3] })], /expected shape \[2\]/],
    ['the end of the file', 'sgd', [last('grad', { ...BIAS, offset: 1e9 })], /beyond the end/],
  ];
  test.each(refusals)('%s', async (_name, kind, sources, message) => {
    const course = { kind, frozen: true } as const;
    using model = await start(course);
    await run(model, course, 0, 3);
    const { path } = await store(model, file());
    const before = await bytesOf(await store(model, file()));
    const own = placesOf(model.tensors).slice(0, 2);
    await expect(model.readTensors(path, [...own, ...sources], { restore: true })).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringMatching(message),
    });
    expect(await bytesOf(await store(model, file()))).toEqual(before);
  });

  test('a weight that is not finite, unless it is allowed', async () => {
    using model = await start({ kind: 'sgd' });
    await run(model, { kind: 'sgd' }, 0, 3);
    const before = await bytesOf(await store(model, file()));
    const path = file();
    await writeFile(path, Buffer.alloc(8, 0xff));
    const sources = [{ ...BIAS, name: 'classifier.6.bias' }, last('grad')];
    const read = (allowNonFinite: boolean) => model.readTensors(path, sources, { restore: true, allowNonFinite });
    await expect(read(false)).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    expect(await bytesOf(await store(model, file()))).toEqual(before);
    await read(true);
    expect((await model.trainingState()).map(({ name }) => name)).toEqual(['grad.classifier.6.bias']);
  });

  /**
   * A file that says it is longer than what can be read of it, as one does whose disk fails half-way: whatever begins
   * in its first bytes is read, and what lies behind them is not.
   */
  const FAILING = '/sys/kernel/mm/transparent_hugepage/enabled';
  const fails = existsSync(FAILING) && statSync(FAILING).size > 64 && readFileSync(FAILING).length < 64;
  const half = { dtype: 'F32', shape: [16, 3, 3, 3], offset: 0 };

  (fails ? test : test.skip).each([
    ['state', last('grad', { ...BIAS, offset: 64 })],
    ['a tensor', { ...BIAS, name: 'features.0.bias', shape: [16], offset: 64 }],
    ['the middle of a tensor', { ...half, name: 'features.0.weight' }],
    ['the middle of a tensor of another dtype', { ...half, name: 'features.0.weight', dtype: 'F16' }],
  ] as const)('a disk that fails after the first tensors, at %s', async (_name, source) => {
    using model = await start({ kind: 'sgd' });
    await run(model, { kind: 'sgd' }, 0, 3);
    const before = await bytesOf(await store(model, file()));
    const bias = { ...BIAS, name: 'classifier.6.bias' };
    for (const restore of [true, false]) {
      const sources =
        restore || !source.name.startsWith('grad') ? [bias, source] : [bias, { ...source, name: bias.name }];
      await expect(model.readTensors(FAILING, sources, { restore, allowNonFinite: true })).rejects.toMatchObject({
        code: 'ERR_WEIGHTS',
        message: expect.stringContaining('Nothing was loaded'),
      });
      expect(await bytesOf(await store(model, file()))).toEqual(before);
    }
    await model.readTensors(FAILING, [bias], { allowNonFinite: true });
    expect((await bytesOf(await store(model, file()))).get(bias.name)).toBe(
      readFileSync(FAILING).subarray(0, 8).toString('hex'),
    );
  });

  test('state without restore, and restore without an optimizer', async () => {
    using model = await start({ kind: 'sgd' });
    await run(model, { kind: 'sgd' }, 0, 3);
    const { path, sources } = await store(model, file());
    await expect(model.readTensors(path, sources)).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringContaining('with restore alone'),
    });
    await model.configureOptimizer(null);
    await expect(model.readTensors(path, sources, { restore: true })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('configureOptimizer()'),
    });
  });
});

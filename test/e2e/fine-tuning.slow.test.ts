/**
 * Fine-tuning from the command line: weights that exist, a frozen
 * backbone with kept features, every flag, a nested file.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { weightsIn } from '../helpers/kept';
import { covidct, jsonLines } from './command';

const CHECKPOINT = join(__dirname, '../parity/weights/fixtures/tiny-half.pth');
let dir: string;
let data: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-tune-'));
  data = join(dir, 'data');
  await makePhantoms(data, { count: 24, size: 64 });
}, 60_000);
afterAll(() => rm(dir, { recursive: true }));

/** In the place of a flag: no --image-size, so that the weights' own counts. */
const KEEP_SIZE = 'keep-size';
let runs = 0;
/**
 * A training of two quick epochs with more flags; its events, its options as the run folder has them, and its words.
 */
async function train(...flags: string[]) {
  const size = flags.includes(KEEP_SIZE) ? [] : ['--image-size', '32'];
  const out = join(dir, `run-${(runs += 1)}`);
  const result = await covidct([
    'train',
    '--data',
    data,
    '--out',
    out,
    '--arch',
    'tiny',
    '--epochs',
    '2',
    '--json',
    ...size,
    ...flags.filter((flag) => flag !== KEEP_SIZE),
  ]);
  const options =
    result.code === 0
      ? (JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as {
          options: Record<string, unknown>;
          model: Record<string, unknown>;
        })
      : null;
  return { ...result, out, events: result.code === 0 ? jsonLines(result.stdout) : [], config: options };
}

test('--weights FILE: the training starts from it, the model says so, and its weights are taken up by the next one', async () => {
  const first = await train('--weights', CHECKPOINT);
  expect(first).toMatchObject({ code: 0 });
  expect(first.config?.model).toMatchObject({ startedFrom: CHECKPOINT });
  const card = JSON.parse(await readFile(join(first.out, 'model.json'), 'utf8')) as {
    pretraining: object;
    origin: string;
  };
  expect(card.pretraining).toMatchObject({ name: 'tiny-half.pth', assumed: true });
  const best = await weightsIn(first.out);
  const second = await train('--weights', best, KEEP_SIZE);
  expect(second.config?.options).toMatchObject({ imageSize: 32 });
  expect(JSON.parse(await readFile(join(second.out, 'model.json'), 'utf8'))).toMatchObject({
    pretraining: { assumed: false, imageSize: 32 },
    origin: expect.stringContaining(best) as string,
  });
  expect(await train('--weights', join(dir, 'none.pth'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot open the weights/) as string,
  });
}, 60_000);

test('--freeze backbone --cache-features: said, and the backbone is left alone; without --freeze refused', async () => {
  const { code, events } = await train('--freeze', 'backbone', '--cache-features', '2');
  expect(code).toBe(0);
  expect(events.find(({ type }) => type === 'features')).toMatchObject({
    augmentations: 2,
    withoutAugmentation: false,
  });
  expect(
    (await train('--freeze', 'backbone', '--cache-features')).events.find(({ type }) => type === 'features'),
  ).toMatchObject({ withoutAugmentation: true });
  expect(await train('--cache-features')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/give --freeze backbone/) as string,
  });
}, 60_000);

test('every flag reaches its option', async () => {
  const cosine = await train(
    '--optimizer',
    'adamw',
    '--betas',
    '0.8,0.99',
    '--epsilon',
    '1e-6',
    '--schedule',
    'cosine',
    '--warmup-epochs',
    '1',
    '--warmup-start',
    '0.1',
    '--min-lr',
    '1e-6',
    '--freeze-depth',
    '2',
    '--unfreeze',
    '2:depth=1',
    '--batch-norm',
    'batch',
    '--group',
    'head:lr=0.001,wd=0',
    '--group',
    'features.8+biases:scale=0.5',
    '--label-smoothing',
    '0.1',
    '--max-gradient-norm',
    '3',
    '--ema',
    '0.9',
  );
  expect(cosine.code).toBe(0);
  expect(cosine.config?.options).toMatchObject({
    optimizer: 'adamw',
    betas: [0.8, 0.99],
    epsilon: 1e-6,
    schedule: { type: 'cosine', warmupEpochs: 1, warmupStart: 0.1, minLearningRate: 1e-6 },
    freeze: { depth: 2, batchNorm: 'batch', unfreeze: [{ epoch: 2, depth: 1 }] },
    groups: [
      { match: ['head'], learningRate: 0.001, weightDecay: 0 },
      { match: ['features.8', 'biases'], learningRateScale: 0.5 },
    ],
    labelSmoothing: 0.1,
    maxGradientNorm: 3,
    ema: { decay: 0.9 },
  });
  const oneCycle = await train(
    '--schedule',
    'onecycle',
    '--warmup-share',
    '0.4',
    '--div-factor',
    '10',
    '--final-div-factor',
    '100',
    '--anneal',
    'linear',
    '--freeze',
    'features.0',
    '--unfreeze',
    '2:all',
  );
  expect(oneCycle.config?.options).toMatchObject({
    schedule: { type: 'oneCycle', warmupShare: 0.4, divFactor: 10, finalDivFactor: 100, anneal: 'linear' },
    freeze: { parameters: ['features.0'], unfreeze: [{ epoch: 2, parameters: 'all' }] },
  });
  expect(
    (await train('--schedule', 'step', '--step-every', '1', '--step-factor', '0.5')).config?.options,
  ).toMatchObject({ schedule: { type: 'step', every: 1, factor: 0.5 } });
}, 60_000);

test.each([
  [['--anneal', 'linear'], /belong to --schedule/],
  [['--unfreeze', '2:all'], /belong to --freeze/],
  [['--schedule', 'cosine', '--anneal', 'linear'], /anneal/],
  [['--schedule', 'sine'], /schedule/],
  [['--betas', '0.9'], /betas/],
  [['--betas', '0.9,1', '--optimizer', 'adam'], /betas/],
  [['--freeze', 'backbone', '--unfreeze', 'soon'], /an epoch and names/],
  [['--group', 'head'], /head:lr=/],
])('%j is a usage error', async (flags, message) => {
  expect(await train(...flags)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
});

test('a configuration file has the nested options as objects; flags win', async () => {
  const file = join(dir, 'recipe.json');
  await writeFile(
    file,
    JSON.stringify({
      optimizer: 'adam',
      schedule: { type: 'step', every: 3 },
      freeze: { parameters: ['backbone'], unfreeze: [{ epoch: 2, parameters: ['features.8'] }] },
      groups: [{ match: 'head', learningRateScale: 2 }],
      ema: { decay: 0.5 },
      cacheFeatures: { augmentations: 2 },
    }),
  );
  const { config, events } = await train('--config', file, '--ema', '0.75');
  expect(config?.options).toMatchObject({
    optimizer: 'adam',
    learningRate: 1e-4,
    schedule: { type: 'step', every: 3, factor: 0.1 },
    freeze: { parameters: ['backbone'], batchNorm: 'running' },
    ema: { decay: 0.75 },
    cacheFeatures: { augmentations: 2 },
  });
  expect(events.filter(({ type }) => type === 'unfrozen').map(({ epoch }) => epoch)).toEqual([1, 2]);
  await writeFile(file, JSON.stringify({ freeze: { parameters: ['backbone'], unfreez: [] } }));
  expect(await train('--config', file)).toMatchObject({ code: 2, stderr: expect.stringMatching(/unfreez/) as string });
}, 60_000);

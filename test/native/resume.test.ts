/**
 * A training that is stopped and resumed, again and again, ends with the bits of one that was never interrupted: every
 * recipe that keeps something from step to step.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BASE, inPieces, makeFolderForRuns, whole } from '../helpers/resume';
import type { Recipe, Splits, Stop } from '../helpers/resume';
import { makeDataset } from '../unit/train/made-up';

let dir: string;
let splits: Splits;

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** Within windows, at their ends, in epochs' last windows, and in the validation. */
const STOPS: readonly Stop[] = [
  { leaveAfter: 2 },
  { abortAfter: 4 },
  { abortIn: 'validation', nth: 2 },
  { leaveAfter: 1 },
  { leaveAt: 'epoch' },
  { leaveAfter: 3 },
];

interface Case {
  readonly recipe: Partial<Recipe>;
  /** Kinds of events that must be in the history, lest nothing of the kind was interrupted. */
  readonly tells?: readonly string[];
  readonly reason?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'windows with an uneven tail': { recipe: {} },
  "the tutorial's preset, whose gradients are carried into the next epoch": { recipe: { preset: 'tutorial' } },
  'adam, cosine with a warm-up, bestBy loss': {
    recipe: {
      optimizer: 'adam',
      learningRate: 0.002,
      weightDecay: 0.01,
      schedule: { type: 'cosine', warmupEpochs: 1 },
      bestBy: 'loss',
    },
  },
  'adamw, oneCycle, class weights and label smoothing, the last weights': {
    recipe: {
      optimizer: 'adamw',
      learningRate: 0.002,
      schedule: 'oneCycle',
      classWeights: [0.7, 1.6],
      labelSmoothing: 0.1,
      keep: 'last',
    },
  },
  'rmsprop, centered, with momentum and clipped gradients': {
    recipe: { optimizer: 'rmsprop', learningRate: 0.001, momentum: 0.8, centered: true, maxGradientNorm: 0.5 },
  },
  'sgd with nesterov, groups, schedule step': {
    recipe: {
      nesterov: true,
      groups: [
        { match: 'head', learningRateScale: 3 },
        { match: 'biases', weightDecay: 0.1 },
      ],
      schedule: { type: 'step', every: 1, factor: 0.5 },
    },
    tells: ['learningRate'],
  },
  'plateaus that lower the rate': {
    recipe: { learningRate: 0.1, seed: 4, epochs: 4, patience: 0 },
    tells: ['learningRate'],
  },
  'early stopping that fires': {
    recipe: { learningRate: 0.3, seed: 5, epochs: 5, patience: 0, bestBy: 'auc' },
    tells: ['learningRate'],
    reason: 'early-stopping',
  },
  'averaged weights, best and last': { recipe: { ema: { decay: 0.8 }, keep: 'both', threshold: 0.4 } },
  'frozen stages that are unfrozen at the beginnings of epochs': {
    recipe: {
      freeze: {
        depth: 2,
        unfreeze: [
          { epoch: 2, depth: 1 },
          { epoch: 3, parameters: 'all' },
        ],
      },
      optimizer: 'adam',
    },
    tells: ['unfrozen'],
  },
  'all of it at once': {
    recipe: {
      optimizer: 'adamw',
      ema: { decay: 0.9 },
      preset: 'tutorial',
      freeze: { parameters: ['backbone'], batchNorm: 'batch', unfreeze: [{ epoch: 3, parameters: 'all' }] },
      schedule: 'cosine',
      maxGradientNorm: 0.5,
      keep: 'both',
      classWeights: 'balanced',
      bestBy: 'auc',
    },
    tells: ['unfrozen'],
  },
};

test.each(Object.entries(CASES))('%s', async (name, { recipe: more, tells = [], reason = 'epochs' }) => {
  const recipe = { ...BASE, ...more };
  const place = join(dir, name.replace(/\W/g, '-'));
  const expected = await whole(`${place}-whole`, recipe, splits);
  expect(expected.returned.stop.reason).toBe(reason);
  const told = expected.history.map(({ type }) => type);
  expect(told).toEqual(expect.arrayContaining([...tells]));
  const { ending, parts } = await inPieces(`${place}-pieces`, recipe, splits, STOPS);
  expect(ending).toEqual(expected);
  expect(parts).toBeGreaterThan(5);
});

test('without a validation split', async () => {
  const alone = { ...splits, validation: null };
  const stops: Stop[] = [{ leaveAfter: 3 }, { leaveAt: 'start' }, { leaveAt: 'checkpoint' }, { abortAfter: 5 }];
  const expected = await whole(join(dir, 'alone'), BASE, alone);
  const { ending, parts } = await inPieces(join(dir, 'alone-pieces'), BASE, alone, stops);
  expect(ending).toEqual(expected);
  expect(parts).toBeGreaterThan(4);
});

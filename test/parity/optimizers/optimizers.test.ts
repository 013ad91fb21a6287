/**
 * Optimizers, groups, clipping, label smoothing, the average and frozen
 * parts against numbers make_reference.py wrote with PyTorch.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetwork } from '../../../src/model/open-network';
import type { NativeOptimizerOptions } from '../../../src/addon/optimizers';
import { batchOf, readOut, type Section } from '../network/recipe';

interface Sampled {
  readonly norm: number;
  readonly positions: readonly number[];
  readonly values: readonly number[];
}

interface Scenario {
  readonly optimizer: (parameters: readonly string[]) => NativeOptimizerOptions;
  readonly labelSmoothing?: number;
  readonly classWeights?: Float32Array;
  readonly decay?: number;
  readonly frozen?: boolean;
}

const MICRO_BATCH = 4;
const WINDOW = 2;
const STEPS = 5;
/** Relative to the tensor's root mean square. */
const BOUND = 1e-5;

const { scenarios: expected } = JSON.parse(readFileSync(join(__dirname, 'reference.json'), 'utf8')) as {
  scenarios: Record<string, Record<string, Record<string, Sampled>>>;
};

const sgd = {
  kind: 'sgd',
  learningRate: 0.01,
  momentum: 0.9,
  weightDecay: 1e-4,
  dampening: 0,
  nesterov: false,
} as const;
const adamw = {
  kind: 'adamw',
  learningRate: 0.002,
  betas: [0.9, 0.999],
  epsilon: 1e-3,
  weightDecay: 0.1,
} as const;

const rmsprop = {
  kind: 'rmsprop',
  learningRate: 0.002,
  alpha: 0.9,
  epsilon: 1e-3,
  momentum: 0,
  centered: false,
  weightDecay: 0.01,
} as const;

function groups(parameters: readonly string[]): { names: string[]; learningRate: number; weightDecay: number }[] {
  return [
    { names: parameters.filter((name) => name.startsWith('features.')), learningRate: 0.001, weightDecay: 0.01 },
    { names: parameters.filter((name) => name.startsWith('classifier.6.')), learningRate: 0.02, weightDecay: 0 },
  ];
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  adam: {
    optimizer: () => ({ kind: 'adam', learningRate: 0.002, betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.01 }),
  },
  adamw: { optimizer: () => adamw },
  'adamw-groups': { optimizer: (parameters) => ({ ...adamw, groups: groups(parameters) }) },
  'sgd-groups': { optimizer: (parameters) => ({ ...sgd, nesterov: true, groups: groups(parameters) }) },
  rmsprop: { optimizer: () => rmsprop },
  'rmsprop-centered': {
    optimizer: (parameters) => ({
      ...rmsprop,
      alpha: 0.95,
      epsilon: 1e-2,
      momentum: 0.8,
      centered: true,
      weightDecay: 0.1,
      groups: groups(parameters),
    }),
  },
  clipping: { optimizer: () => ({ ...sgd, maxGradientNorm: 1.5 }) },
  smoothing: { optimizer: () => sgd, labelSmoothing: 0.1, classWeights: Float32Array.of(0.7, 1.6) },
  average: { optimizer: () => sgd, decay: 0.7 },
  frozen: { optimizer: () => sgd, frozen: true },
};

async function run(scenario: Scenario): Promise<Record<string, Section>> {
  const network = await createNetwork({
    architecture: 'tiny',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 1,
    seed: 0,
  });
  try {
    const parameters = network.tensors.filter(({ kind }) => kind === 'parameter').map(({ name }) => name);
    const optimizer = scenario.optimizer(parameters);
    await network.configureOptimizer(optimizer);
    if (scenario.frozen) {
      await network.setTrainable({
        parameters: parameters.filter((name) => /^(features\.[89]|classifier)\./.test(name)),
        frozenNorms: ['features.1', 'features.5'],
      });
    }
    const [objectives, losses, norms]: [number[], number[], number[]] = [[], [], []];
    for (let step = 0; step < STEPS; step += 1) {
      for (let part = 0; part < WINDOW; part += 1) {
        const start = (step * WINDOW + part) * MICRO_BATCH;
        const outputs = await network.trainStep(batchOf([0, 1, 2, 3].map((i) => start + i)), {
          divisor: WINDOW * MICRO_BATCH,
          dropoutSeed: 1000 + step * WINDOW + part,
          classWeights: scenario.classWeights ?? new Float32Array(0),
          labelSmoothing: scenario.labelSmoothing ?? 0,
        });
        objectives.push(outputs.objective);
        losses.push(...outputs.losses);
      }
      const norm = await network.optimizerStep(optimizer.learningRate);
      if (norm !== null) norms.push(norm);
      if (scenario.decay !== undefined) await network.average('update', scenario.decay);
    }
    const sections: Record<string, Section> = {
      trained: await readOut(network, ''),
      objectives: { objectives: Float64Array.from(objectives) },
      losses: { losses: Float64Array.from(losses) },
    };
    if (norms.length > 0) sections['norms'] = { norms: Float64Array.from(norms) };
    if (scenario.decay !== undefined) {
      await network.average('swap');
      sections['average'] = await readOut(network, '');
    }
    return sections;
  } finally {
    network.dispose();
  }
}

function rms(values: Float32Array | Float64Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares / Math.max(1, values.length));
}

/**
 * Largest difference relative to the tensor's root mean square; for a bias,
 * to that of the weight beside it where that is larger.
 */
function distance(ours: Float32Array | Float64Array, theirs: Sampled, beside: number): number {
  const root = Math.sqrt(Math.max(1, ours.length));
  const scale = Math.max(theirs.norm / root, beside, 1e-12);
  const apart = theirs.positions.map((position, i) => Math.abs(ours[position]! - theirs.values[i]!) / scale);
  return Math.max(...apart, Math.abs(rms(ours) - theirs.norm / root) / scale);
}

test('every scenario of the reference is run', () => {
  expect(Object.keys(SCENARIOS)).toEqual(Object.keys(expected));
});

test.each(Object.entries(SCENARIOS))('%s equals PyTorch over five steps', async (name, scenario) => {
  const ours = await run(scenario);
  const theirs = expected[name] ?? {};
  expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
  for (const [section, tensors] of Object.entries(theirs)) {
    const own = ours[section] ?? {};
    expect(Object.keys(own)).toEqual(Object.keys(tensors));
    for (const [tensor, sampled] of Object.entries(tensors)) {
      const weight = own[tensor.replace(/\.bias$/, '.weight')] ?? new Float32Array(0);
      const apart = distance(own[tensor] ?? new Float32Array(0), sampled, rms(weight));
      expect({ section, tensor, apart, within: apart <= BOUND }).toMatchObject({ within: true });
    }
  }
});

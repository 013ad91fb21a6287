/** The recipe of reference.py on our side: the same weights, images, dropout masks and steps. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBatch } from '../../../src/data/batch';
import { tutorialEval } from '../../../src/data/transforms/presets';
import { createNetwork } from '../../../src/model/open-network';
import type { Network } from '../../../src/model/types';
import type { NativeBatch } from '../../../src/addon/batch';
import { patternPixels } from '../../helpers/images';

const MICRO_BATCH = 4;
const WINDOW = 2;
const STEPS = 5;

/** Every value of a section by tensor name. */
export type Section = Record<string, Float32Array | Float64Array>;

/** Of 32 pixels all but VGG leave one or none, and batch statistics of four numbers. */
function sideFor(architecture: string): number {
  return /^(resnet|densenet|squeezenet|efficientnet)/.test(architecture) ? 64 : 32;
}

/** The made-up images of these numbers as a batch; label = number mod 2. */
export function batchOf(indices: readonly number[], side = 32): NativeBatch {
  const pixels = indices.map((index) => patternPixels(index, side));
  return makeBatch(
    pixels,
    indices.map((index) => index % 2),
    tutorialEval({ size: side }),
  );
}

/** Reads tensors out of the addon; `prefix` is '' or 'grad.'. */
export async function readOut(network: Network, prefix: '' | 'grad.'): Promise<Section> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-parity-'));
  try {
    const file = join(dir, 'tensors');
    await writeFile(file, '');
    const tensors = network.tensors.filter(({ kind }) => prefix === '' || kind === 'parameter');
    await network.writeTensors(
      file,
      0,
      tensors.map(({ name }) => prefix + name),
    );
    const bytes = await readFile(file);
    const section: Section = {};
    let at = 0;
    for (const { name, shape, dtype } of tensors) {
      const count = shape.reduce((product, side) => product * side, 1);
      const size = dtype === 'I64' ? 8 : 4;
      const own = bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + count * size);
      section[name] = dtype === 'I64' ? Float64Array.from(new BigInt64Array(own), Number) : new Float32Array(own);
      at += count * size;
    }
    return section;
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Which recipe: by default the one that is equal to PyTorch's bit for bit. */
export interface RecipeOptions {
  readonly convolution?: 'auto' | 'libtorch' | 'winograd';
  readonly seed?: number;
  readonly dropout?: number;
}

const SGD = { momentum: 0.9, weightDecay: 1e-4, dampening: 0, nesterov: false } as const;

/** At 0.01 EfficientNet's loss grows from 1 to 31 in the five steps, and every last bit's difference with it. */
function learningRateFor(architecture: string): number {
  return architecture.startsWith('efficientnet') ? 0.001 : 0.01;
}

/** Runs the recipe and hands each section to `take` as soon as it is there. */
export async function runRecipe(
  architecture: string,
  take: (section: string, values: Section) => void,
  options: RecipeOptions = {},
): Promise<void> {
  const network = await createNetwork({
    architecture,
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 2,
    seed: 0,
    convolution: 'libtorch',
    ...options,
  });
  const learningRate = learningRateFor(architecture);
  try {
    await network.configureOptimizer({ ...SGD, learningRate });
    take('init', await readOut(network, ''));
    const side = sideFor(architecture);
    const probe = batchOf([0, 1, 2, 3], side);
    take('logits', { logits: Float64Array.from((await network.predict(probe)).logits) });
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      for (let part = 0; part < WINDOW; part += 1) {
        const start = (step * WINDOW + part) * MICRO_BATCH;
        const batch = batchOf(
          [0, 1, 2, 3].map((i) => start + i),
          side,
        );
        const { objective } = await network.trainStep(batch, {
          divisor: WINDOW * MICRO_BATCH,
          dropoutSeed: 1000 + step * WINDOW + part,
          classWeights: new Float32Array(0),
        });
        losses.push(objective);
      }
      if (step === 0) take('gradients', await readOut(network, 'grad.'));
      await network.optimizerStep(learningRate);
    }
    take('trained', await readOut(network, ''));
    take('losses', { losses: Float64Array.from(losses) });
    const cam = await network.gradCam(probe, {
      layer: network.layers.default,
      classIndices: new Int32Array(4).fill(-1),
    });
    take('cam', { cam: Float64Array.from(cam.maps) });
  } finally {
    network.dispose();
  }
}

/**
 * EfficientNet's convolutions that follow a batch norm without an activation between them: the mean of what they
 * compute is a sum of numbers that cancel.
 */
export const CANCELING_MEAN = /^features\.\d+\.(\d+\.block\.\d+\.)?1\.running_mean$/;

/** How far two sets of tensors may lie apart, relative to the reference's norm. */
export const BOUNDS: Readonly<Record<string, number>> = {
  init: 0,
  logits: 1e-5,
  gradients: 1e-4,
  trained: 1e-5,
  losses: 1e-5,
  cam: 1e-4,
};

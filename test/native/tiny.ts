/** A tiny network and made-up batches for the native tests. */
import { makeBatch } from '../../src/data/batch';
import { tutorialEval } from '../../src/data/transforms/presets';
import { createNetwork } from '../../src/model/open-network';
import type { Network } from '../../src/model/types';
import type { NativeBatch } from '../../src/addon/batch';
import type { NativeTrainStepOptions } from '../../src/addon/types';
import { patternPixels } from '../helpers/images';

export const SIDE = 64;

/** The tiny network with an optimizer, {@link SGD}. */
export async function tiny(options: { seed?: number; dropout?: number; threads?: number } = {}): Promise<Network> {
  const network = await createNetwork({
    architecture: 'tiny',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 1,
    ...options,
  });
  await network.configureOptimizer(SGD);
  return network;
}

/** n made-up images of the given side; label = index mod 2. */
export function madeUpBatch(n: number, { side = SIDE, size = SIDE, labels = true, from = 0 } = {}): NativeBatch {
  const pixels = Array.from({ length: n }, (_, i) => patternPixels(i + from, side));
  return makeBatch(pixels, labels ? pixels.map((_, i) => (i + from) % 2) : null, tutorialEval({ size }));
}

/** Options of a step that resolves with its outputs. */
type WaitedStepOptions = NativeTrainStepOptions & { deferred?: false };

export function stepOptions(divisor: number, options: Partial<WaitedStepOptions> = {}): WaitedStepOptions {
  return { divisor, dropoutSeed: 1, classWeights: new Float32Array(0), ...options };
}

export const SGD = { learningRate: 0.005, momentum: 0.9, weightDecay: 0, dampening: 0, nesterov: false };

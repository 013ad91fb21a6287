/** A tiny classifier and made-up batches for the native tests. */
import { makeBatch } from '../../src/data/batch';
import { tutorialEval } from '../../src/data/transforms/presets';
import { Classifier } from '../../src/model/classifier';
import type { NativeBatch, NativeTrainStepOptions } from '../../src/addon/types';

export const SIDE = 64;

export function tiny(options: { seed?: number; dropout?: number; threads?: number } = {}): Promise<Classifier> {
  return Classifier.create({
    architecture: 'tiny',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 1,
    ...options,
  });
}

/** n made-up images of the given side; label = index mod 2. */
export function madeUpBatch(n: number, { side = SIDE, size = SIDE, labels = true, from = 0 } = {}): NativeBatch {
  const pixels = Array.from({ length: n }, (_, i) => ({
    data: Uint8Array.from(
      { length: side * side * 3 },
      (_unused, k) => (k * (7 + 4 * ((i + from) % 2)) + (i + from) * 37) % 256,
    ),
    width: side,
    height: side,
  }));
  return makeBatch(pixels, labels ? pixels.map((_, i) => (i + from) % 2) : null, tutorialEval({ size }));
}

export function stepOptions(divisor: number, options: Partial<NativeTrainStepOptions> = {}): NativeTrainStepOptions {
  return { divisor, dropoutSeed: 1, classWeights: new Float32Array(0), ...options };
}

export const SGD = { learningRate: 0.005, momentum: 0.9, weightDecay: 0, dampening: 0, nesterov: false };

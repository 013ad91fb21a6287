/** Accumulated micro-batches give the gradient of the one big batch, the short tail included. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork } from '../../src/model/open-network';
import type { Network } from '../../src/model/types';
import { madeUpBatch, stepOptions } from './tiny';

/** Gradients of the convolutions, the first linear layer's bias and the head. */
async function gradients(model: Network): Promise<Map<string, Float32Array>> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-accumulation-'));
  try {
    const wanted = model.tensors.filter(({ name }) => /^features\.|^classifier\.0\.bias|^classifier\.6\./.test(name));
    await writeFile(join(dir, 'g'), '');
    await model.writeTensors(
      join(dir, 'g'),
      0,
      wanted.map(({ name }) => `grad.${name}`),
    );
    const { buffer, byteOffset } = await readFile(join(dir, 'g'));
    let at = byteOffset;
    return new Map(
      wanted.map(({ name, shape }) => {
        const count = shape.reduce((product, side) => product * side, 1);
        const values = new Float32Array(buffer.slice(at, at + 4 * count));
        at += 4 * count;
        return [name, values];
      }),
    );
  } finally {
    await rm(dir, { recursive: true });
  }
}

function distance(a: Float32Array, b: Float32Array): number {
  let apart = 0;
  let size = 0;
  a.forEach((value, i) => {
    apart += (value - b[i]!) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(apart / size);
}

test('ten images as 10, and as 4 + 4 + 2, with class weights', async () => {
  // Batch norm in training mode and dropout tie a sample to its micro-batch: a network with neither.
  const model = await createNetwork({
    architecture: 'vgg11',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    dropout: 0,
  });
  try {
    const classWeights = Float32Array.of(0.7, 1.6);
    const options = stepOptions(5 * 0.7 + 5 * 1.6, { classWeights });
    await model.trainStep(madeUpBatch(10, { side: 32, size: 32 }), options);
    const whole = await gradients(model);
    await model.configureOptimizer(null);
    for (const [from, n] of [
      [0, 4],
      [4, 4],
      [8, 2],
    ] as const)
      await model.trainStep(madeUpBatch(n, { side: 32, size: 32, from }), options);
    const parts = await gradients(model);
    expect(whole.size).toBe(8 * 2 + 3);
    for (const [name, values] of whole) {
      expect(values.some((value) => value !== 0)).toBe(true);
      expect([name, distance(values, parts.get(name)!) < 1e-5]).toEqual([name, true]);
    }
  } finally {
    model.dispose();
  }
}, 120_000);

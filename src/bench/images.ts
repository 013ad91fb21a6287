/** Made-up images, the same bytes for every contender. */
import { readFileSync } from 'node:fs';
import { IMAGENET_MEAN, IMAGENET_STD } from '../data/transforms/presets';
import type { Task } from './types';

/** RGB bytes of `count` square images, rows first: noise from a fixed generator (Numerical Recipes' ranqd1). */
export function imageBytes(count: number, side: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: count * side * side * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** The images of a task, one array each. */
export function readImages({
  images,
  batchSize,
  imageSize,
}: Pick<Task, 'images' | 'batchSize' | 'imageSize'>): Uint8Array[] {
  const bytes = readFileSync(images);
  const each = imageSize * imageSize * 3;
  return Array.from(
    { length: batchSize },
    (_, index) => new Uint8Array(bytes.subarray(index * each, (index + 1) * each)),
  );
}

/** As a network takes them: float32, n × 3 × side × side, scaled to [0, 1] and normalized as ImageNet. */
export function normalized(images: readonly Uint8Array[]): Float32Array {
  const area = images[0]!.length / 3;
  const input = new Float32Array(images.length * area * 3);
  images.forEach((image, index) => {
    for (let channel = 0; channel < 3; channel += 1) {
      const [mean, std] = [IMAGENET_MEAN[channel] as number, IMAGENET_STD[channel] as number];
      const plane = (index * 3 + channel) * area;
      for (let pixel = 0; pixel < area; pixel += 1)
        input[plane + pixel] = (image[pixel * 3 + channel]! / 255 - mean) / std;
    }
  });
  return input;
}

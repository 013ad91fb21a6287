/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011). The numbers for sample 17 in epoch 3 are a function of (seed, epoch, sample, stream) only, so they
 * do not depend on batch size, prefetching, workers or where a training was resumed.
 */

/** Yields uniform doubles in [0, 1). */
export type Draw = () => number;

/** Separate streams of random numbers for different purposes. */
export const STREAM = { transform: 0, shuffle: 1, split: 2, montage: 3, phantom: 4 } as const;

// Local names, because under a test runner each access to a global is slow, and these run for every pixel.
const { cos, floor, imul, log, PI, sqrt } = Math;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** Upper 32 bits of the product of two uint32. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16); // < 2^32
  const carry = aLow * bHigh + (middle & 0xffff); // < 2^32
  return (aHigh * bHigh + ((middle / 0x10000) >>> 0) + ((carry / 0x10000) >>> 0)) >>> 0;
}

/**
 * Computes one block of Philox4x32-10.
 *
 * @param counter four uint32
 * @param key two uint32
 * @returns four uint32, uniformly distributed over all counters of a key
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round += 1) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The key of a sequence of random numbers: `seed` in [0, 2^53), the others uint32. */
export interface DrawKey {
  readonly seed: number;
  readonly epoch?: number;
  readonly sample?: number;
  readonly stream?: number;
}

/**
 * Creates a generator of uniform doubles in [0, 1) with 53 random bits, two per Philox block. The seed is its key;
 * block number, sample, epoch and stream are its counter.
 */
export function makeDraw({ seed, epoch = 0, sample = 0, stream = STREAM.transform }: DrawKey): Draw {
  const key = [seed >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0] as const;
  let block = 0;
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const [a, b, c, d] = philox4x32([block, sample >>> 0, epoch >>> 0, stream >>> 0], key);
    block += 1;
    spare = toDouble(c, d);
    return toDouble(a, b);
  };
}

function toDouble(a: number, b: number): number {
  return ((a >>> 5) * 0x400_0000 + (b >>> 6)) / 0x20_0000_0000_0000;
}

/** Draws a uniform integer in [0, n). */
export function drawInteger(draw: Draw, n: number): number {
  return floor(draw() * n);
}

/** Shuffles in place (Fisher-Yates) and returns the same array. */
export function shuffleInPlace<T extends { [index: number]: number; length: number } | unknown[]>(
  items: T,
  draw: Draw,
): T {
  const list = items as unknown[];
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = drawInteger(draw, i + 1);
    const kept = list[i];
    list[i] = list[j];
    list[j] = kept;
  }
  return items;
}

/** Returns the order of `n` samples in an epoch: a permutation of 0 .. n - 1 that depends only on seed and epoch. */
export function shuffle(n: number, seed: number, epoch: number): number[] {
  return shuffleInPlace(
    Array.from({ length: n }, (_, index) => index),
    makeDraw({ seed, epoch, stream: STREAM.shuffle }),
  );
}

/** Draws from the standard normal distribution (Box and Muller, 1958). */
export function drawNormal(draw: Draw): number {
  return sqrt(-2 * log(1 - draw())) * cos(2 * PI * draw());
}

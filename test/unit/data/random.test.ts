/** Philox against its published known answers; what draws do and do not depend on. */
import {
  drawInteger,
  drawNormal,
  makeDraw,
  philox4x32,
  shuffle,
  shuffleInPlace,
  STREAM,
} from '../../../src/data/random';

/** The lines "philox4x32 10" of tests/kat_vectors in the Random123 distribution: counter, key, answer. */
const KNOWN_ANSWERS = [
  '00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8',
  'ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd',
  '243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1',
];

test.each(KNOWN_ANSWERS)('known answer %s', (line) => {
  const [c0, c1, c2, c3, k0, k1, ...answer] = line.split(' ').map((word) => Number.parseInt(word, 16));
  expect(philox4x32([c0!, c1!, c2!, c3!], [k0!, k1!])).toEqual(answer);
});

test('draws are doubles in [0, 1) with the mean and spread of the uniform distribution', () => {
  const draw = makeDraw({ seed: 1 });
  const values = Array.from({ length: 20_000 }, draw);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values)).toBeLessThan(1);
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003);
  expect(new Set(values).size).toBe(values.length);
});

test('each part of the key matters, high bits of the seed included, and the same key repeats', () => {
  const first = (key: Parameters<typeof makeDraw>[0]): number => makeDraw(key)();
  const keys = [
    { seed: 0 },
    { seed: 1 },
    { seed: 2 ** 32 },
    { seed: 2 ** 53 - 1 },
    { seed: 0, epoch: 1 },
    { seed: 0, sample: 1 },
    { seed: 0, stream: STREAM.shuffle },
  ];
  expect(new Set(keys.map(first)).size).toBe(keys.length);
  const draws = (): number[] => {
    const draw = makeDraw({ seed: 3, epoch: 4, sample: 5 });
    return [draw(), draw(), draw()];
  };
  expect(draws()).toEqual(draws());
});

test('shuffle is a permutation that depends on seed and epoch, and every place is equally likely', () => {
  expect(shuffle(0, 1, 1)).toEqual([]);
  expect(shuffle(1, 1, 1)).toEqual([0]);
  const order = shuffle(425, 0, 0);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 425 }, (_, index) => index));
  expect(shuffle(425, 0, 0)).toEqual(order);
  expect(shuffle(425, 0, 1)).not.toEqual(order);
  expect(shuffle(425, 1, 0)).not.toEqual(order);
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch += 1) {
    const key = shuffle(3, 9, epoch).join('');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(counts.size).toBe(6);
  expect(chiSquare).toBeLessThan(20.5); // 5 degrees of freedom, level 0.001
});

test('integers stay below n, normals have mean 0 and deviation 1, a shuffle works in place', () => {
  const draw = makeDraw({ seed: 2 });
  const integers = Array.from({ length: 1000 }, () => drawInteger(draw, 7));
  expect(new Set(integers)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
  const normals = Array.from({ length: 10_000 }, () => drawNormal(draw));
  const mean = normals.reduce((sum, value) => sum + value, 0) / normals.length;
  const deviation = Math.sqrt(normals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / normals.length);
  expect(Math.abs(mean)).toBeLessThan(0.04);
  expect(Math.abs(deviation - 1)).toBeLessThan(0.04);
  const list = ['a', 'b', 'c'];
  expect(shuffleInPlace(list, draw)).toBe(list);
  expect([...list].sort()).toEqual(['a', 'b', 'c']);
});

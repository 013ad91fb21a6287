import { median, ratioOf, relativeDifference, spreadOf } from '../../../src/bench/statistics';

test('the median is the middle one, or the mean of the two in the middle, whatever the order', () => {
  expect(median([30, 10, 20])).toBe(20);
  expect(median([40, 10, 30, 20])).toBe(25);
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, least: 10, most: 30 });
  expect(spreadOf([])).toBeNull();
});

test('ratios are taken round by round: a slow round of the machine is in both and falls out', () => {
  expect(ratioOf([10, 100, 12], [20, 200, 24])).toEqual({ median: 0.5, least: 0.5, most: 0.5 });
  // Medians alone would say 12 / 20.
  expect(ratioOf([10, 12, 100], [100, 20, 10])).toEqual({ median: 0.6, least: 0.1, most: 10 });
  expect(ratioOf([10], [10, 20])).toBeNull();
  expect(ratioOf([], [])).toBeNull();
});

test.each([
  [[1, 2], [1, 2], 0],
  [[1.5, -4], [1, -4], 0.125],
  [[0, 0], [0, 0], 0],
  [[1, 2], [1], Infinity],
  [[NaN, 2], [1, 2], Infinity],
  [[0.1], [0], Infinity],
])('difference of %j to %j is %d of the largest', (values, reference, expected) => {
  expect(relativeDifference(values, reference)).toBe(expected);
});

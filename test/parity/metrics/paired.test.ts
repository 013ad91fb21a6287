/** The paired tests against statsmodels, SciPy and MLstatkit; paired.json is written by make_paired_reference.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { delongTest, mcnemarTest, twoSidedTail } from '../../../src/metrics/paired';

interface Reference {
  mcnemar: { onlyFirst: number; onlySecond: number; p: number }[];
  delong: {
    name: string;
    labels: number[];
    first: number[];
    second: number[];
    aucs: number[];
    difference: number;
    standardError: number;
    interval: number[];
    z: number;
    p: number;
    pOfMLstatkit: number;
  }[];
  tails: { z: number; p: number }[];
}
const reference = JSON.parse(readFileSync(join(__dirname, 'paired.json'), 'utf8')) as Reference;

/** Relative, for a p may be tiny; 0 is 0. */
function expectClose(actual: number | null | undefined, expected: number, bound = 1e-12): void {
  expect([actual, Math.abs(actual! - expected) <= bound * Math.abs(expected)]).toEqual([actual, true]);
}

test.each(reference.mcnemar)('McNemar: $onlyFirst against $onlySecond', ({ onlyFirst, onlySecond, p }) => {
  const cells = { bothRight: 7, onlyFirst, onlySecond, bothWrong: 3 };
  const repeat = (first: number, second: number, count: number) => Array.from({ length: count }, () => [first, second]);
  const calls = [...repeat(1, 1, 7), ...repeat(1, 0, onlyFirst), ...repeat(0, 1, onlySecond), ...repeat(0, 0, 3)];
  const result = mcnemarTest(
    calls.map(() => 1),
    calls.map(([first]) => first!),
    calls.map(([, second]) => second!),
  );
  expect(result).toMatchObject(cells);
  expectClose(result.p, p, 1e-11);
});

test.each(reference.delong)("DeLong's paired test: $name", ({ name, labels, first, second, pOfMLstatkit, ...all }) => {
  void name;
  const result = delongTest(labels, first, second);
  for (const key of ['difference', 'standardError', 'z', 'p'] as const) expectClose(result[key], all[key], 1e-11);
  for (const at of [0, 1]) {
    expectClose(result.aucs[at], all.aucs[at]!);
    expectClose(result.interval![at], all.interval[at]!, 1e-11);
  }
  expectClose(result.p, pOfMLstatkit, 1e-10);
  // The other way around everything has the other sign.
  const swapped = delongTest(labels, second, first);
  expect([swapped.difference, swapped.z]).toEqual([-result.difference, -result.z!]);
  expectClose(swapped.p, result.p!);
});

test.each(reference.tails)('both tails beyond $z', ({ z, p }) => {
  expectClose(twoSidedTail(z), p, 1e-13);
  expectClose(twoSidedTail(-z), p, 1e-13);
});

test('what cannot be estimated is null', () => {
  const labels = [0, 0, 1, 1];
  expect(delongTest(labels, [0.1, 0.4, 0.35, 0.8], [0.2, 0.5, 0.4, 0.9])).toEqual({
    aucs: [0.75, 0.75],
    difference: 0,
    standardError: 0,
    interval: null,
    z: null,
    p: null,
  });
  expect(delongTest([0, 1, 1], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1])).toMatchObject({ difference: -1, p: null });
  expect(delongTest([1, 1], [0.1, 0.2], [0.3, 0.2])).toMatchObject({ aucs: [NaN, NaN], p: null });
});

test.each([
  ['no samples', () => mcnemarTest([], [], [])],
  ['unequal lengths', () => mcnemarTest([0, 1], [0, 1], [0])],
  ['no class index', () => mcnemarTest([0, 1], [0, 0.5], [0, 1])],
  ['unequal lengths', () => delongTest([0, 1], [0.5], [0.1, 0.2])],
  ['a third class', () => delongTest([0, 2], [0.5, 0.1], [0.1, 0.2])],
  ['NaN', () => delongTest([0, 1], [0.5, 0.1], [0.1, NaN])],
])('refused: %s', (_, call) => {
  expect(call).toThrow(expect.objectContaining({ code: 'ERR_METRICS' }) as Error);
});

/** Paired tests of two models on the same samples: McNemar's of what they call right, DeLong's of their AUCs. */
import { checkLabels, checkLengths, checkLevel, checkScores } from './check';
import { normalQuantile, placementsOf, sampleVariance } from './intervals';
import type { Interval } from './intervals';

/** How often two models are right, alone and together, and whether that may be chance. */
export interface McNemar {
  readonly bothRight: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly bothWrong: number;
  /** Two-sided, exact: the chance of a split at least as uneven where either model is as often right as the other. */
  readonly p: number;
}

/** Two AUCs on the same samples, and whether their difference may be chance. */
export interface PairedAuc {
  /** Of the first and of the second model; NaN when only one class is present. */
  readonly aucs: readonly [number, number];
  /** The second less the first. */
  readonly difference: number;
  /** Standard error of the difference; NaN when a class has fewer than two samples. */
  readonly standardError: number;
  /** Bounds of the difference; null where the variance cannot be estimated: see {@link delongTest}. */
  readonly interval: Interval | null;
  readonly z: number | null;
  /** Two-sided. */
  readonly p: number | null;
}

/** The chance of `k` or fewer of `n` at one half each. Summed from the largest term down, so nothing is lost. */
function lowerTailOfHalf(k: number, n: number): number {
  let log = -n * Math.LN2;
  for (let at = 1; at <= k; at += 1) log += Math.log((n - k + at) / at);
  let sum = 0;
  for (let at = k, share = 1; at >= 0 && share > 0; at -= 1) {
    sum += share;
    share *= at / (n - at + 1);
  }
  return Math.exp(log) * sum;
}

/** Below it the series of the error function is used, above it the continued fraction. */
const SERIES_BELOW = 1.5;

/** The complementary error function for x >= 0, to about 15 digits, also where it is tiny. */
function erfc(x: number): number {
  const density = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);
  if (x < SERIES_BELOW) {
    let sum = 0;
    for (let term = x, n = 1; term > sum * 1e-18; n += 1) {
      sum += term;
      term *= (2 * x * x) / (2 * n + 1);
    }
    return 1 - density * sum;
  }
  let fraction = x;
  // From far enough inside: the terms beyond change nothing at this x and above.
  for (let n = 200; n >= 1; n -= 1) fraction = x + n / 2 / fraction;
  return density / (2 * fraction);
}

/** The chance that a standard normal number is as far from 0 as `z`, on either side. */
export function twoSidedTail(z: number): number {
  return erfc(Math.abs(z) / Math.SQRT2);
}

/**
 * McNemar's exact test of two models on the same samples: of those that only one of them calls right, are they too
 * unevenly divided for chance? Equal to statsmodels' `mcnemar(table, exact=True)`.
 *
 * @param labels true class indices, n >= 1 integers
 * @param first predicted class indices of one model, n integers
 * @param second of the other
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths or values that are no class indices
 * @example
 * ```ts
 * import { mcnemarTest } from 'covidct-torch/metrics';
 *
 * const { onlyFirst, onlySecond, p } = mcnemarTest([0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1]);
 * console.log(onlyFirst, onlySecond, p); // 2 0 0.5
 * ```
 */
export function mcnemarTest(labels: ArrayLike<number>, first: ArrayLike<number>, second: ArrayLike<number>): McNemar {
  const counts = [0, 0, 0, 0] as [number, number, number, number];
  checkLengths('mcnemarTest', labels, first, 'predictions of the first model');
  checkLengths('mcnemarTest', labels, second, 'predictions of the second model');
  for (const [list, what] of [
    [labels, 'label'],
    [first, 'prediction of the first model'],
    [second, 'prediction of the second model'],
  ] as const)
    checkLabels('mcnemarTest', list, Number.MAX_SAFE_INTEGER, what);
  for (let index = 0; index < labels.length; index += 1) {
    const cell = (first[index] === labels[index] ? 0 : 2) + (second[index] === labels[index] ? 0 : 1);
    counts[cell] = counts[cell]! + 1;
  }
  const [bothRight, onlyFirst, onlySecond, bothWrong] = counts;
  const different = onlyFirst + onlySecond;
  const p = Math.min(1, 2 * lowerTailOfHalf(Math.min(onlyFirst, onlySecond), different));
  return { bothRight, onlyFirst, onlySecond, bothWrong, p };
}

/**
 * DeLong's test of two AUCs on the same samples (DeLong et al., Biometrics 44, 1988): the difference, its standard
 * error, which takes into account that both models saw the same samples, its interval and the two-sided p.
 *
 * `interval`, `z` and `p` are null when a class has fewer than two samples, and when the estimated variance is 0, as
 * for two models that order all samples alike.
 *
 * @param labels n integers, 0 or 1
 * @param first scores of one model, n finite numbers
 * @param second of the other
 * @param level confidence level of the interval, in (0, 1)
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { delongTest } from 'covidct-torch/metrics';
 *
 * const { difference, p } = delongTest([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.2, 0.3, 0.7, 0.6]);
 * console.log(difference, p); // 0.25 and how likely that is by chance
 * ```
 */
export function delongTest(
  labels: ArrayLike<number>,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  level = 0.95,
): PairedAuc {
  checkLengths('delongTest', labels, first, 'scores of the first model');
  checkLengths('delongTest', labels, second, 'scores of the second model');
  checkLabels('delongTest', labels, 2);
  checkScores('delongTest', first);
  checkScores('delongTest', second);
  checkLevel('delongTest', level);
  const [a, b] = [placementsOf(labels, first), placementsOf(labels, second)];
  const aucs = [a.auc, b.auc] as const;
  const difference = b.auc - a.auc;
  const variance = (one: readonly number[], other: readonly number[]): number =>
    one.length < 2 ? Number.NaN : sampleVariance(other.map((value, index) => value - one[index]!)) / one.length;
  const standardError = Math.sqrt(variance(a.beaten, b.beaten) + variance(a.unbeaten, b.unbeaten));
  if (!(standardError > 1e-12))
    return { aucs, difference, standardError: standardError >= 0 ? 0 : Number.NaN, interval: null, z: null, p: null };
  const half = normalQuantile(0.5 + level / 2) * standardError;
  const z = difference / standardError;
  return { aucs, difference, standardError, interval: [difference - half, difference + half], z, p: twoSidedTail(z) };
}

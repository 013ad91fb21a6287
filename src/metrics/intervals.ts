/** Confidence intervals: Wilson's for a proportion, DeLong's for the area under the ROC curve. */
import { describeValue } from '../text/describe';
import { checkLabels, checkLengths, checkLevel, checkScores, refuse } from './check';

/** A lower and an upper bound. */
export type Interval = readonly [number, number];

/**
 * A proportion with its 95 % Wilson score interval; or, of more than two classes, a mean over classes, which comes from
 * no two counts: its counts and its interval are null.
 */
export interface Rate {
  /** `numerator / denominator` wherever there are counts; null where there is nothing to count. */
  readonly value: number | null;
  readonly numerator: number | null;
  readonly denominator: number | null;
  readonly interval: readonly [number, number] | null;
}

// Wichura's algorithm AS 241 (Applied Statistics 37, 1988), routine PPND16: coefficients of three rational functions,
// to the precision of a double.
const CENTRAL = {
  numerator: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  denominator: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
};
const MIDDLE = {
  numerator: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  denominator: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
const TAIL = {
  numerator: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  denominator: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
    1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};

function rational({ numerator, denominator }: typeof CENTRAL, x: number): number {
  const polynomial = (coefficients: readonly number[]): number =>
    coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
  return polynomial(numerator) / polynomial(denominator);
}

/**
 * Quantile of the standard normal distribution, to about 16 digits (Wichura's AS 241).
 *
 * @param probability in (0, 1)
 * @throws CovidCtError ERR_METRICS outside (0, 1)
 */
export function normalQuantile(probability: number): number {
  if (!(probability > 0 && probability < 1))
    refuse('normalQuantile', `a probability between 0 and 1 is needed, got ${probability}`);
  const centered = probability - 0.5;
  if (Math.abs(centered) <= 0.425) return centered * rational(CENTRAL, 0.180625 - centered * centered);
  const distance = Math.sqrt(-Math.log(Math.min(probability, 1 - probability)));
  const quantile = distance <= 5 ? rational(MIDDLE, distance - 1.6) : rational(TAIL, distance - 5);
  return centered < 0 ? -quantile : quantile;
}

/**
 * Wilson's score interval of a proportion (Wilson, JASA 22, 1927), without continuity correction. It stays inside
 * [0, 1] and is honest for few samples and for proportions of 0 and 1.
 *
 * @param successes whole number in [0, n]
 * @param n whole number >= 0
 * @param level confidence level in (0, 1)
 * @returns the bounds, or null when n is 0
 * @throws CovidCtError ERR_METRICS
 * @example
 * ```ts
 * import { wilson } from 'covidct-torch/metrics';
 *
 * console.log(wilson(8, 10)); // about 0.490 to 0.943
 * ```
 */
export function wilson(successes: number, n: number, level = 0.95): Interval | null {
  checkLevel('wilson', level);
  if (!Number.isSafeInteger(successes) || !Number.isSafeInteger(n) || successes < 0 || n < successes) {
    refuse(
      'wilson',
      `whole numbers with 0 <= successes <= n are needed, got ${describeValue(successes)} of ${describeValue(n)}`,
    );
  }
  if (n === 0) return null;
  const z = normalQuantile(0.5 + level / 2);
  const share = successes / n;
  const spread = (z * z) / n;
  const center = share + spread / 2;
  const half = z * Math.sqrt((share * (1 - share)) / n + spread / (4 * n));
  // The bounds at 0 and n successes are exactly 0 and 1; rounding would leave them a hair off.
  return [successes === 0 ? 0 : (center - half) / (1 + spread), successes === n ? 1 : (center + half) / (1 + spread)];
}

/** An AUC and how sure it is. */
export interface DeLong {
  /** NaN when only one class is present. */
  readonly auc: number;
  /** Standard error of the AUC; NaN when a class has fewer than two samples. */
  readonly standardError: number;
  /** Bounds cut to [0, 1], or null where the variance cannot be estimated: see {@link delongInterval}. */
  readonly interval: Interval | null;
}

/** Ranks from 1, equal values sharing the mean of their ranks. */
function midranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let position = start; position < end; position++) ranks[order[position]!] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

/** The variance of values of which these are a sample. */
export function sampleVariance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

/** What DeLong's variance is computed of. */
interface Placements {
  /** Their mean; NaN when only one class is present. */
  readonly auc: number;
  /** For each positive in order, the share of negatives that score lower; ties count one half. */
  readonly beaten: readonly number[];
  /** For each negative in order, the share of positives that score higher. */
  readonly unbeaten: readonly number[];
}

/** The placements of every sample, from midranks. */
export function placementsOf(labels: ArrayLike<number>, scores: ArrayLike<number>): Placements {
  const all = Array.from(scores);
  const positives = all.filter((_, index) => labels[index] === 1);
  const negatives = all.filter((_, index) => labels[index] === 0);
  if (positives.length === 0 || negatives.length === 0) return { auc: Number.NaN, beaten: [], unbeaten: [] };
  const pooled = midranks([...positives, ...negatives]);
  const beaten = midranks(positives).map((rank, index) => (pooled[index]! - rank) / negatives.length);
  const unbeaten = midranks(negatives).map(
    (rank, index) => 1 - (pooled[positives.length + index]! - rank) / positives.length,
  );
  return { auc: beaten.reduce((sum, value) => sum + value, 0) / positives.length, beaten, unbeaten };
}

/**
 * The AUC with DeLong's variance (DeLong et al., Biometrics 44, 1988), computed from midranks (Sun and Xu, IEEE Signal
 * Processing Letters 21, 2014), and the normal interval around it, cut to [0, 1].
 *
 * The interval is null when a class has fewer than two samples, and when the estimated variance is 0, as for an AUC of
 * exactly 1 or 0: DeLong's interval would then have no width, which would claim certainty that few samples cannot give.
 *
 * @param labels n integers, 0 or 1
 * @param scores n finite numbers
 * @param level confidence level in (0, 1)
 * @throws CovidCtError ERR_METRICS for no samples, unequal lengths, other labels or scores that are not finite
 * @example
 * ```ts
 * import { delongInterval } from 'covidct-torch/metrics';
 *
 * const { auc, interval } = delongInterval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
 * console.log(auc, interval); // 0.75 and its bounds
 * ```
 */
export function delongInterval(labels: ArrayLike<number>, scores: ArrayLike<number>, level = 0.95): DeLong {
  checkLengths('delongInterval', labels, scores, 'scores');
  checkLabels('delongInterval', labels, 2);
  checkScores('delongInterval', scores);
  checkLevel('delongInterval', level);
  const { auc, beaten, unbeaten } = placementsOf(labels, scores);
  if (Number.isNaN(auc)) return { auc, standardError: Number.NaN, interval: null };
  if (beaten.length < 2 || unbeaten.length < 2) return { auc, standardError: Number.NaN, interval: null };
  const standardError = Math.sqrt(sampleVariance(beaten) / beaten.length + sampleVariance(unbeaten) / unbeaten.length);
  if (!(standardError > 1e-12)) return { auc, standardError: 0, interval: null };
  const half = normalQuantile(0.5 + level / 2) * standardError;
  return { auc, standardError, interval: [Math.max(0, auc - half), Math.min(1, auc + half)] };
}

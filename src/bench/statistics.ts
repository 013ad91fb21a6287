/** Rounds become medians and spreads; ratios are taken round by round, since both sides of one saw the same weather. */
import type { Spread } from './types';

/** The middle value; the mean of the two middle ones of an even number. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median, least and most; null of none. */
export function spreadOf(values: readonly number[]): Spread | null {
  return values.length === 0 ? null : { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** Spread of the ratios of both lists' rounds; null unless both have the same number of rounds, one at least. */
export function ratioOf(values: readonly number[], others: readonly number[]): Spread | null {
  return values.length !== others.length ? null : spreadOf(values.map((value, round) => value / others[round]!));
}

/**
 * Largest difference as a share of the reference's largest absolute value.
 *
 * @returns Infinity where the lengths differ or a number is not finite
 */
export function relativeDifference(values: readonly number[], reference: readonly number[]): number {
  if (values.length !== reference.length || ![...values, ...reference].every(Number.isFinite)) return Infinity;
  const scale = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = values.reduce((most, value, index) => Math.max(most, Math.abs(value - reference[index]!)), 0);
  return difference === 0 ? 0 : difference / scale;
}

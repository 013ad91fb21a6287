/**
 * Deals whole groups out to the parts of a split, so that each part gets its share of every class as nearly as it can.
 */
import type { Draw } from './random';
import { shuffleInPlace } from './random';
import type { Sample } from './types';

interface Group {
  readonly members: readonly number[];
  /** Samples of each class. */
  readonly counts: readonly number[];
}

/** Samples by their group, in the order of their first; one without a group is a group of its own. */
function groupsOf(samples: readonly Sample[], classes: number): Group[] {
  const members = new Map<string | number, number[]>();
  for (const [index, { group }] of samples.entries()) {
    const key = group ?? index;
    const list = members.get(key);
    if (list === undefined) members.set(key, [index]);
    else list.push(index);
  }
  return [...members.values()].map((list) => {
    const counts = new Array<number>(classes).fill(0);
    for (const index of list) counts[samples[index]!.label]! += 1;
    return { members: list, counts };
  });
}

/** How far a part with so many of each class is from its share: 0 where it has it; classes weigh alike. */
function distance(counts: readonly number[], totals: readonly number[], fraction: number): number {
  return counts.reduce(
    (sum, count, label) => (totals[label] === 0 ? sum : sum + (count / totals[label]! - fraction) ** 2),
    0,
  );
}

interface Part {
  readonly members: number[];
  readonly counts: number[];
}

/** The same gain but for rounding. */
const SAME = 1e-9;

/**
 * The part that comes nearest to its shares by a group. Of several that come as near the one that is least full: where
 * each group is of one class, as a patient is, a small share would otherwise stay empty for as long as a large one
 * waits.
 */
function bestPart(
  group: Group,
  parts: readonly Part[],
  totals: readonly number[],
  fractions: readonly number[],
): number {
  let best = { part: -1, gain: Number.NEGATIVE_INFINITY, fill: 0 };
  for (const [part, { members, counts }] of parts.entries()) {
    const fraction = fractions[part]!;
    if (fraction === 0) continue;
    const after = counts.map((count, label) => count + group.counts[label]!);
    const gain = distance(counts, totals, fraction) - distance(after, totals, fraction);
    const fill = members.length / fraction;
    if (gain > best.gain + SAME || (gain > best.gain - SAME && fill < best.fill)) best = { part, gain, fill };
  }
  return best.part;
}

/**
 * Positions in `samples` for each part. Groups are shuffled and dealt from the largest to the smallest, each to the
 * part that comes nearest to its shares by it.
 *
 * @param fractions shares of the parts, which sum to 1
 * @param stratify whether the shares are those of each class, or of all samples together
 */
export function splitGroups(
  samples: readonly Sample[],
  classes: number,
  fractions: readonly number[],
  draw: Draw,
  stratify: boolean,
): number[][] {
  const groups = shuffleInPlace(
    groupsOf(stratify ? samples : samples.map((sample) => ({ ...sample, label: 0 })), stratify ? classes : 1),
    draw,
  );
  groups.sort((a, b) => b.members.length - a.members.length); // stable: those of one size stay shuffled
  const totals = new Array<number>(stratify ? classes : 1).fill(0);
  for (const { counts } of groups) counts.forEach((count, label) => (totals[label]! += count));
  const parts: Part[] = fractions.map(() => ({ members: [], counts: totals.map(() => 0) }));
  for (const group of groups) {
    const chosen = parts[bestPart(group, parts, totals, fractions)]!;
    for (const member of group.members) chosen.members.push(member);
    group.counts.forEach((count, label) => (chosen.counts[label]! += count));
  }
  return parts.map(({ members }) => members);
}

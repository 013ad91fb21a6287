/**
 * Distributes whole groups over the parts of a split, so that each part gets approximately its share of every class.
 */
import type { Draw } from './random';
import { shuffleInPlace } from './random';
import type { Sample } from './types';

interface Group {
  readonly members: readonly number[];
  /** Samples of each class. */
  readonly counts: readonly number[];
}

/** Collects the samples by group, in the order of their first sample; a sample without a group is its own group. */
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

/** Distance of a part's class counts from its share: 0 when it is reached; every class has the same weight. */
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

/** Gains that differ by less than this are equal up to rounding. */
const SAME = 1e-9;

/**
 * Returns the part whose distance from its shares a group reduces most. Ties go to the least full part: when every
 * group has one class, as patients do, a small part would otherwise stay empty until the large one is full.
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
 * Returns the positions in `samples` for each part. Groups are shuffled and assigned from the largest to the smallest,
 * each to the part whose distance from its shares it reduces most.
 *
 * @param fractions shares of the parts, which sum to 1
 * @param stratify whether the shares apply to each class or to all samples together
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
  groups.sort((a, b) => b.members.length - a.members.length); // the sort is stable: groups of equal size stay shuffled
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

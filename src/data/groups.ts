/** Groups of samples that stay in one split, e.g. the slices of a patient. */
import type { Sample } from './types';

/**
 * Returns the group of a sample by a regular expression for its id: the capture group named `group`, or the first one.
 * Without a pattern there is no group.
 *
 * @param problems receives a message when the pattern does not match
 */
export function groupOf(id: string, pattern: RegExp | undefined, problems: string[]): Pick<Sample, 'group'> {
  if (pattern === undefined) return {};
  const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(id);
  const group = match?.groups?.['group'] ?? match?.[1];
  if (group !== undefined && group !== '') return { group };
  problems.push(
    match === null
      ? `the pattern of the groups ${pattern} does not match ${id}`
      : `the pattern of the groups ${pattern} finds no group in ${id}; put the group in parentheses`,
  );
  return {};
}

/**
 * Notes the groups with samples in more than one split: testing on a patient that was trained on is data leakage.
 */
export function groupNotes(
  splits: readonly { readonly name: string; readonly samples: readonly Sample[] }[],
): string[] {
  const where = new Map<string, Set<string>>();
  for (const { name, samples } of splits) {
    for (const { group } of samples) {
      if (group !== undefined) where.set(group, (where.get(group) ?? new Set()).add(name));
    }
  }
  const shared = [...where].filter(([, names]) => names.size > 1).map(([group]) => group);
  if (shared.length === 0) return [];
  const examples = `${shared.slice(0, 3).join(', ')}${shared.length > 3 ? ', ...' : ''}`;
  return [
    `${shared.length} of ${where.size} groups have images in more than one split ` +
      `(${examples}): metrics of one split then include groups that were trained on`,
  ];
}

/** Names and words that options use for parameters become the network's own names. */
import { refused } from './refused';
import type { Network } from '../model/types';

/** What there is to choose from. */
export interface Inventory {
  /** Parameters in torchvision's order, with how many numbers each holds. */
  readonly parameters: readonly { readonly name: string; readonly size: number }[];
  /** Batch norm layers. */
  readonly norms: readonly string[];
  readonly headPrefix: string;
}

/** Lists the parameters and batch norm layers of a network. */
export function inventoryOf({ tensors, norms, headPrefix }: Network): Inventory {
  const parameters = tensors
    .filter(({ kind }) => kind === 'parameter')
    .map(({ name, shape }) => ({ name, size: shape.reduce((a, b) => a * b, 1) }));
  return { parameters, norms, headPrefix };
}

/**
 * Parameters that one match names: a name, a prefix that ends at a dot, `head`, `backbone`, `norms` or `biases`.
 *
 * @param path where the match stands, for the error
 * @throws InvalidOptionError listing near names when it matches nothing
 */
export function selectParameters(match: string, inventory: Inventory, path: string): string[] {
  const found = inventory.parameters.map(({ name }) => name).filter((name) => matches(match, name, inventory));
  if (found.length > 0) return found;
  const near = nearest(match, inventory)
    .map((name) => `'${name}'`)
    .join(', ');
  throw refused(
    path,
    'expected the name of a parameter, a prefix ending at a dot, or head, ' +
      `backbone, norms or biases; nothing is called '${match}'; near are ${near}`,
  );
}

/** All that any of the matches names. */
export function selectAll(list: readonly string[], inventory: Inventory, path: string): Set<string> {
  return new Set(list.flatMap((match, index) => selectParameters(match, inventory, `${path}[${index}]`)));
}

/** The backbone's stages in order: its children, where a batch norm belongs to the child before it. */
export function stagesOf({ parameters, norms, headPrefix }: Inventory): string[][] {
  const children = new Map<string, string[]>();
  for (const { name } of parameters.filter((each) => !each.name.startsWith(headPrefix))) {
    const key = /^(?:features\.)?[^.]+/.exec(name)?.[0] ?? name;
    children.set(key, [...(children.get(key) ?? []), name]);
  }
  const stages: string[][] = [];
  for (const [key, own] of children) {
    if (norms.includes(key) && stages.length > 0) stages.at(-1)?.push(...own);
    else stages.push(own);
  }
  return stages;
}

function matches(match: string, name: string, { norms, headPrefix }: Inventory): boolean {
  if (match === 'head') return name.startsWith(headPrefix);
  if (match === 'backbone') return !name.startsWith(headPrefix);
  if (match === 'norms') return norms.some((norm) => name.startsWith(`${norm}.`));
  if (match === 'biases') return name.endsWith('.bias');
  return name === match || name.startsWith(match.endsWith('.') ? match : `${match}.`);
}

function nearest(match: string, { parameters }: Inventory): string[] {
  const prefixes = new Set(
    parameters.flatMap(({ name }) => name.split('.').map((_, index, parts) => parts.slice(0, index + 1).join('.'))),
  );
  return [...prefixes]
    .map((name) => ({ name, distance: editDistance(match, name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 5)
    .map(({ name }) => name);
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

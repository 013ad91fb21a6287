/**
 * Understands how folders and tables elsewhere call the training, validation and test split, and says what is unclear.
 */
import { SPLIT_NAMES } from './splits';
import type { SplitName } from './splits';

/** `eval` is the validation split beside a test split, and the test split beside a validation split. */
type Role = SplitName | 'eval';

const ROLES: Readonly<Record<string, Role>> = {
  train: 'train',
  training: 'train',
  trn: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  validate: 'validation',
  dev: 'validation',
  devel: 'validation',
  development: 'validation',
  test: 'test',
  testing: 'test',
  tst: 'test',
  holdout: 'test',
  eval: 'eval',
  evaluation: 'eval',
};
/** So that `training` is not read as `train` and a rest. */
const LONGEST_FIRST = Object.keys(ROLES).sort((a, b) => b.length - a.length);
const FILLERS = [
  'set',
  'sets',
  'data',
  'dataset',
  'image',
  'images',
  'img',
  'imgs',
  'split',
  'subset',
  'sample',
  'samples',
  'scans',
  'slices',
  'folder',
  'dir',
];

/** What one name means; `unclear` where it speaks of a split, but not of which (`trainval`, `train2`). */
export function roleOf(name: string): Role | 'unclear' | undefined {
  const text = name
    .normalize('NFKC')
    .trim()
    .toLowerCase()
    .replace(/(?:hold|held)[^a-z0-9]*out/g, 'holdout');
  const roles = new Set<Role>();
  let numbers = 0;
  for (const token of text.split(/[^\p{L}\p{N}]+/u).filter((part) => part !== '')) {
    const found = rolesOfToken(token);
    if (found === undefined) return undefined;
    if (found === 'number') numbers += 1;
    else for (const role of found) roles.add(role);
  }
  if (roles.size === 0) return undefined;
  return roles.size > 1 || numbers > 0 ? 'unclear' : [...roles][0];
}

/** `trainset`, `testimages`, `trainval`, `train2`: words written together. */
function rolesOfToken(token: string): readonly Role[] | 'number' | undefined {
  if (FILLERS.includes(token)) return [];
  if (/^\d+$/.test(token)) return 'number';
  if (Object.hasOwn(ROLES, token)) return [ROLES[token]!];
  for (const word of LONGEST_FIRST) {
    if (!token.startsWith(word)) continue;
    const rest = token.slice(word.length);
    if (FILLERS.includes(rest)) return [ROLES[word]!];
    // Two roles in one word are none.
    if (Object.hasOwn(ROLES, rest) && ROLES[rest] !== ROLES[word]) return [ROLES[word]!, ROLES[rest]!];
    if (/^\d+$/.test(rest)) return ['train', 'test'];
  }
  return undefined;
}

/** How each name was understood. */
export interface SplitNames {
  /** By name as it was given; a name that means no split is missing. */
  readonly splits: ReadonlyMap<string, SplitName>;
  /** What is unclear, a sentence without its full stop each. */
  readonly problems: readonly string[];
  /** Which uncommon name was taken for which split. */
  readonly notes: readonly string[];
}

const COMMON = new Set(['train', 'training', 'val', 'valid', 'validation', 'test']);

/** Understands the names of one data set together. */
export function understandSplitNames(names: readonly string[]): SplitNames {
  const splits = new Map<string, SplitName>();
  const problems: string[] = [];
  const roles = new Map(names.map((name) => [name, roleOf(name)]));
  const taken = new Set(roles.values());
  for (const [name, role] of roles) {
    if (role === undefined) continue;
    if (role === 'unclear') problems.push(`"${name}" speaks of a split but does not say which one`);
    else if (role !== 'eval') splits.set(name, role);
    else if (taken.has('validation') && taken.has('test'))
      problems.push(`"${name}" beside a validation and a test split: it is unclear what it is for`);
    else splits.set(name, taken.has('validation') ? 'test' : 'validation');
  }
  for (const split of SPLIT_NAMES) {
    const same = [...splits].filter(([, meant]) => meant === split).map(([name]) => name);
    if (same.length > 1)
      problems.push(
        `${same.map((name) => `"${name}"`).join(' and ')} ${same.length === 2 ? 'both' : 'all'} mean ` +
          `the ${split} split`,
      );
  }
  const notes = [...splits]
    .filter(([name]) => !COMMON.has(name.toLowerCase()))
    .map(([name, split]) => `"${name}" is taken for the ${split} split`);
  return { splits, problems, notes };
}

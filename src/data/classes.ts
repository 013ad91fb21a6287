/** Puts the classes of a data set in order, and refuses what would make the order, or a class, a guess. */
import { sortedClasses } from './splits';
import { z } from 'zod';

/** Class names, each once. */
export const classListSchema = z
  .array(z.string().min(1))
  .min(1)
  .refine((names) => new Set(names).size === names.length, 'class names must differ')
  .readonly();

/** What every reader takes to put the classes in order. */
export const classChoice = {
  /**
   * Class names in the order of their indices; without it those found,
   * sorted. Also allows names that are refused otherwise.
   */
  classes: classListSchema.optional(),
  /** The one of two classes that counts as positive: it comes last. */
  positive: z.string().min(1).optional(),
};

/** What a caller says of the classes. */
export interface ClassChoice {
  /** Names in the order of their indices; also allows names that would be doubted. */
  readonly classes?: readonly string[] | undefined;
  /** The one of two classes that counts as positive: it comes last. */
  readonly positive?: string | undefined;
}

const MISSING = new Set([
  'nan',
  '-nan',
  '+nan',
  'na',
  'n/a',
  '#n/a',
  '#na',
  '<na>',
  'nat',
  'null',
  'none',
  'nil',
  'undefined',
  '-',
  '--',
  '?',
  'missing',
  '#ref!',
  '#value!',
  '#name?',
  '#div/0!',
]);

/** Whether a label is how some program writes that there is none. */
export function isMissingLabel(label: string): boolean {
  const key = label.trim().toLowerCase();
  return key === '' || MISSING.has(key);
}

/** What people read in a name; two names of which they read the same are one class, or a slip. */
function readAs(name: string): string {
  const text = name.normalize('NFKC').replace(/\s+/g, '').toLowerCase();
  return /^[-+]?\d+(?:\.\d*)?$/.test(text) ? String(Number(text)) : text;
}

/** Names that differ only by case, spaces or how a number is written, group by group. */
function alike(names: Iterable<string>): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const name of new Set(names)) groups.set(readAs(name), [...(groups.get(readAs(name)) ?? []), name]);
  return [...groups.values()].filter((group) => group.length > 1);
}

const NEGATORS = new Set(['non', 'no', 'not', 'without', 'un']);
const NEGATIVE = new Set([
  'negative',
  'negatives',
  'neg',
  'normal',
  'normals',
  'healthy',
  'control',
  'controls',
  'benign',
  'uninfected',
  'unaffected',
  'absent',
  'clean',
  'clear',
  'false',
]);

/** Whether a name says of itself, beside the other, that it is the negative one. `not_normal` does not. */
export function isNegativeName(name: string, other: string): boolean {
  const words = (name.normalize('NFKC').match(/\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{N}+/gu) ?? []).map((word) =>
    word.toLowerCase(),
  );
  const compact = words.join('');
  const rest = other
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}]+/gu, '')
    .toLowerCase();
  if (['non', 'no', 'not', 'un', 'in'].some((word) => compact === word + rest)) return !NEGATIVE.has(rest);
  const negated = words.some((word) => NEGATORS.has(word));
  return negated !== words.some((word) => NEGATIVE.has(word));
}

/**
 * The classes in the order of their indices, and what is wrong with them.
 *
 * Without a choice they are sorted; where the two names make plain that the sorted order would count the negative class
 * as positive, that is a problem: which class is positive must not be guessed.
 *
 * @param found the names of the data set, in any order and repeated
 * @param place where a name stands, put behind it in messages
 */
export function orderClasses(
  found: Iterable<string>,
  { classes, positive }: ClassChoice,
  place: (name: string) => string = () => '',
): { classes: string[]; problems: string[] } {
  const there = sortedClasses(found);
  const problems: string[] = [];
  const named = new Set(classes ?? []);
  for (const name of there) {
    if (!named.has(name) && isMissingLabel(name))
      problems.push(
        `the class name "${name}" reads like a missing label; if it is a class, name it in classes (--classes)`,
      );
  }
  for (const group of alike(there)) {
    if (!group.every((name) => named.has(name)))
      problems.push(
        `${group.map((name) => `"${name}"${place(name)}`).join(' and ')} differ only by case, ` +
          'spaces or how a number is written; write them alike, or name each in classes (--classes)',
      );
  }
  const order = classes === undefined ? there : [...classes];
  if (positive !== undefined) return { classes: withPositive(order, { classes, positive }, problems), problems };
  const [first, last] = order as [string, string];
  if (classes === undefined && suggestedOrder(order)[0] !== first) {
    problems.push(
      `which class is positive? By the alphabet "${last}" would be, whose name says ` +
        `that it is the negative one: give positive: '${first}' (--positive ${first}), ` +
        `or classes: ['${last}', '${first}'] (--classes ${last},${first})`,
    );
  }
  return { classes: order, problems };
}

/** The names sorted, but of two with the one that is plainly the negative in front: what advice names. */
export function suggestedOrder(names: Iterable<string>): string[] {
  const order = sortedClasses(names);
  const [first, last] = order as [string, string];
  return order.length === 2 && isNegativeName(last, first) && !isNegativeName(first, last) ? [last, first] : order;
}

/** With the positive class at the end. */
function withPositive(order: string[], { classes, positive }: ClassChoice, problems: string[]): string[] {
  if (!order.includes(positive!))
    problems.push(`positive (--positive): "${positive}" is not one of the classes ${order.join(', ')}`);
  else if (order.length !== 2)
    problems.push(`positive (--positive): of ${order.length} classes none is positive; it is for two`);
  else if (classes !== undefined && classes.at(-1) !== positive)
    problems.push(
      `positive (--positive): classes names "${classes.at(-1)}" ` +
        `last, which makes that the positive class, not "${positive}"`,
    );
  return [...order.filter((name) => name !== positive), positive!];
}

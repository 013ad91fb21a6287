/** Orders the classes of a data set, and refuses names for which the order or a class would be a guess. */
import { sortedClasses } from './splits';
import { z } from 'zod';

/** Class names, each once. */
export const classListSchema = z
  .array(z.string().min(1))
  .min(1)
  .refine((names) => new Set(names).size === names.length, 'class names must differ')
  .readonly();

/** The options with which every reader orders the classes. */
export const classChoice = {
  /**
   * Class names in the order of their indices; the sorted names found by default. Also allows names that are refused
   * otherwise.
   */
  classes: classListSchema.optional(),
  /** The one of two classes that counts as positive: it comes last. */
  positive: z.string().min(1).optional(),
};

/** The caller's choice of classes. */
export interface ClassChoice {
  /** Names in the order of their indices; also allows names that are refused otherwise. */
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

/** Whether a label is a common notation for a missing value. */
export function isMissingLabel(label: string): boolean {
  const key = label.trim().toLowerCase();
  return key === '' || MISSING.has(key);
}

/** Normalizes a name; two names with the same normal form are the same class or a typo. */
function readAs(name: string): string {
  const text = name.normalize('NFKC').replace(/\s+/g, '').toLowerCase();
  return /^[-+]?\d+(?:\.\d*)?$/.test(text) ? String(Number(text)) : text;
}

/** Groups the names that differ only by case, spaces or the notation of a number. */
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

/** Whether a name, compared with the other, is that of the negative class. `not_normal` is not. */
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
 * Returns the classes in the order of their indices, and the problems with them.
 *
 * Without a choice they are sorted. It is a problem when the two names show that this order would make the negative
 * class the positive one, because the positive class must not be guessed.
 *
 * @param found the names in the data set, in any order and with repetitions
 * @param place returns the location of a name, which messages append to it
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

/** Returns the names sorted, but with a clearly negative one of two first; used in advice. */
export function suggestedOrder(names: Iterable<string>): string[] {
  const order = sortedClasses(names);
  const [first, last] = order as [string, string];
  return order.length === 2 && isNegativeName(last, first) && !isNegativeName(first, last) ? [last, first] : order;
}

/** Moves the positive class to the end. */
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

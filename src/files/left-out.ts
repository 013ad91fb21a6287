/** The files that reading a data set or a folder skips: counted by reason, so that none is dropped silently. */
import { describeValue } from '../text/describe';
import { InvalidOptionError } from '../errors';

/** The text of each reason, singular and plural; lists follow this order. */
const REASONS = {
  notAnImage: ['no image by its name or its first bytes', 'no images by their names or first bytes'],
  deadLink: ['link that leads nowhere', 'links that lead nowhere'],
  linkLoop: ['link back to a folder above it', 'links back to a folder above them'],
  unreadable: ['that cannot be read', 'that cannot be read'],
  notAFile: [
    'neither file nor folder (a pipe, socket or device)',
    'neither files nor folders (pipes, sockets or devices)',
  ],
  hidden: ['hidden (its name begins with a dot)', 'hidden (their names begin with a dot)'],
  system: ['that belongs to the operating system or a tool', 'that belong to the operating system or a tool'],
  outsideClasses: ['image outside every class folder', 'images outside every class folder'],
  outsideSplits: ['image in a folder that is no split', 'images in folders that are no splits'],
  unlisted: ['image that no list names', 'images that no list names'],
  undecodable: ['that could not be decoded', 'that could not be decoded'],
} as const;

/** Why a file or folder was left out. */
export type LeftOutReason = keyof typeof REASONS;

/** All reasons, in the order in which they are listed. */
export const LEFT_OUT_REASONS = Object.keys(REASONS) as LeftOutReason[];

/** What was left out for one reason. */
export interface LeftOut {
  readonly reason: LeftOutReason;
  /** Number of files; a folder that was not searched counts once. */
  readonly count: number;
  /** The first few paths, relative to the data set; a folder ends in a slash. */
  readonly examples: readonly string[];
}

/** Validates a caller's list. Without zod, because the schemas of data sets import this file. */
function checkList(value: unknown, where: string, name: string): readonly LeftOut[] {
  const fits = (entry: Partial<LeftOut> | null | undefined): boolean =>
    typeof entry?.reason === 'string' &&
    Object.hasOwn(REASONS, entry.reason) &&
    typeof entry.count === 'number' &&
    Array.isArray(entry.examples) &&
    entry.examples.every((example) => typeof example === 'string');
  let isList = false;
  try {
    isList =
      Array.isArray(value) &&
      value.length <= Object.keys(REASONS).length * 1000 &&
      Array.from(value as LeftOut[]).every(fits);
  } catch {
    // a getter or a Proxy in the caller's value threw
  }
  if (isList) return value as readonly LeftOut[];
  throw new InvalidOptionError(
    `${where}: ${name}: expected a list of { reason, count, examples }; got ${describeValue(value)}`,
    [{ path: name, message: 'expected a list' }],
  );
}

const MOST_EXAMPLES = 5;

/** Counts the files that are left out while a data set is read. */
export class LeftOutCounter {
  readonly #found = new Map<LeftOutReason, { count: number; examples: string[] }>();

  add(reason: LeftOutReason, name: string): void {
    this.#put({ reason, count: 1, examples: [name] });
  }

  /** Adds the counts of other lists. */
  addAll(lists: Iterable<LeftOut>): void {
    for (const entry of lists) this.#put(entry);
  }

  list(): readonly LeftOut[] {
    return LEFT_OUT_REASONS.flatMap((reason) => {
      const found = this.#found.get(reason);
      return found === undefined
        ? []
        : [Object.freeze({ reason, count: found.count, examples: Object.freeze([...found.examples]) })];
    });
  }

  #put({ reason, count, examples }: LeftOut): void {
    const there = this.#found.get(reason) ?? { count: 0, examples: [] };
    there.count += count;
    there.examples.push(...examples.slice(0, MOST_EXAMPLES - there.examples.length));
    this.#found.set(reason, there);
  }
}

/** Merges lists, summing the counts of each reason. */
export function mergeLeftOut(...lists: readonly (readonly LeftOut[] | undefined)[]): readonly LeftOut[] {
  const counter = new LeftOutCounter();
  for (const list of lists) counter.addAll(list === undefined ? [] : checkList(list, 'mergeLeftOut', 'lists'));
  return counter.list();
}

/** Returns how many files were left out in total. */
export function countLeftOut(list: readonly LeftOut[]): number {
  return list.reduce((sum, { count }) => sum + count, 0);
}

/** Describes a reason without its count, e.g. `links that lead nowhere`. */
export function leftOutReasonText({ reason, count }: Pick<LeftOut, 'reason' | 'count'>): string {
  // A file of a later version may hold a reason that this version does not know.
  return Object.hasOwn(REASONS, reason) ? REASONS[reason][count === 1 ? 0 : 1] : reason;
}

/**
 * Describes a whole list, e.g. `2 links that lead nowhere (a/x.png, b/y.png)`, reasons joined by semicolons; empty
 * where nothing was left out.
 */
export function leftOutText(list: readonly LeftOut[]): string {
  return checkList(list, 'leftOutText', 'list')
    .map((entry) => {
      const { count, examples } = entry;
      const more = count > examples.length ? ', ...' : '';
      return `${count} ${leftOutReasonText(entry)} (${examples.join(', ')}${more})`;
    })
    .join('; ');
}

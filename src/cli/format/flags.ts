/** Puts the flags of a command line where messages of the library have the names of its options. */
import type { Command } from 'commander';
import { InvalidOptionError } from '../../errors';

/** Turns a command's flags into options of the library, as the command itself does it. */
export type FlagsToOptions = (flags: Record<string, unknown>) => object;

/** Flags without which others are refused. */
const BASE = { schedule: 'cosine', freeze: ['a'] };
/** Values that can be found again: some flags are looked into on their way, some are multiplied. */
const MARKERS = [Object.freeze({ marker: true }), Object.freeze(['marker']), 'marker', 271_828] as const;

function pathOf(value: unknown, marker: unknown, path: readonly string[] = []): string | null {
  if (value === marker || (typeof marker === 'number' && value === marker * 1000)) return path.join('.');
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, entry] of Object.entries(value)) {
    const found = pathOf(entry, marker, [...path, key]);
    if (found !== null) return found;
  }
  return null;
}

/** Where the value of a flag ends up among the options; null where it does not, or is refused alone. */
export function optionOfFlag(name: string, toOptions: FlagsToOptions): string | null {
  for (const marker of MARKERS) {
    try {
      const found = pathOf(toOptions({ ...BASE, [name]: marker }), marker);
      if (found !== null) return found;
    } catch {
      // Not a value that this flag may have; the next one may be.
    }
  }
  return null;
}

/** The flags of a command by every name that messages may have for them: `learningRate` is `--lr`. */
export function flagsByOption(command: Command, mappings: readonly FlagsToOptions[]): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  for (const option of command.options) {
    const name = option.attributeName();
    const flag = option.long ?? option.flags;
    for (const path of [name, ...mappings.map((mapping) => optionOfFlag(name, mapping))]) {
      if (path === null) continue;
      if (!table.has(path)) table.set(path, flag);
      // Messages also name the last part alone, e.g. minLearningRate; of plain words that would be too bold.
      const last = path.split('.').at(-1)!;
      if (/[A-Z]/.test(last) && !table.has(last)) table.set(last, flag);
    }
  }
  return table;
}

/** A function or method of the library in front of a message, as its checks put it there. */
const FUNCTION = /^(?:[a-z]+[A-Z]\w*|[A-Z]\w*(?:\.\w+)?|evaluate): (?=\S)/;

function longestPrefix(path: string, table: ReadonlyMap<string, string>): string | undefined {
  for (let end = path.length; end > 0; end = Math.max(path.lastIndexOf('.', end - 1), path.lastIndexOf('[', end - 1))) {
    if (table.has(path.slice(0, end))) return path.slice(0, end);
  }
  return undefined;
}

/** The beginning of a line that names the option which was refused. */
function withFlagInFront(
  line: string,
  paths: readonly string[],
  table: ReadonlyMap<string, string>,
  keep: boolean,
): string {
  const path = paths.find((each) => each !== '' && new RegExp(`^(\\s*|\\w[\\w .]*: )${escaped(each)}: `).test(line));
  const prefix = path === undefined ? undefined : longestPrefix(path, table);
  if (path === undefined || prefix === undefined) return line;
  const flag = table.get(prefix)!;
  const at = line.indexOf(`${path}: `);
  const named = keep ? `${path} (${flag})` : `${flag}${path.slice(prefix.length)}`;
  return `${line.slice(0, at)}${named}${line.slice(at + path.length)}`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** `onBadFile: 'skip'` as `--on-bad-file skip`; plain words only with a value behind that shows what they are. */
function withFlagsWithin(line: string, table: ReadonlyMap<string, string>): string {
  const replace = (all: string, name: string, value: string | undefined): string => {
    const flag = table.get(name);
    if (flag === undefined) return all;
    return value === undefined || value === 'true' ? flag : `${flag} ${value.replace(/^'(.*)'$/, '$1')}`;
  };
  return line
    .replace(/(?<![\w./\\"'-])([a-z]+[A-Z]\w*)(?![\w/\\(]|\.\w|['"])(?:(?:: ?| )('[^']*'|true\b|\d+\b))?/g, replace)
    .replace(/(?<![\w./\\"'-])([a-z]+): ('[^']*'|true\b)/g, replace)
    .replace(/(?<![\w./\\"'-])(accumulate|threads|epochs|patience|channels) (\d+)\b/g, replace)
    .replace(/(?<![\w./\\"'-])(precision|convolution|device|optimizer|preset) ('[^']*')/g, replace);
}

/**
 * `classes (--classes)`, `positive: 'a' (--positive a)` and `(classes, --classes)`, which name both, as the flag alone.
 */
function withFlagsOnce(line: string, table: ReadonlyMap<string, string>): string {
  const alone = (all: string, name: string, flag: string): string =>
    table.get(name) === flag.split(' ', 1)[0] ? flag : all;
  return line
    .replace(/(?<![\w.-])(\w+)(?:: (?:'[^']*'|\[[^\]]*\]|\{[^{}]*\}))? \((--[a-z-]+(?: [^()]*)?)\)/g, alone)
    .replace(/(?<![\w.-])(\w+)(?:: (?:true|'[^']*'))?, (--[a-z-]+)(?=[,)])/g, alone);
}

/**
 * The lines of a failure with flags in the place of options.
 *
 * @param keep whether the option's own name stays in front of the flag, for a configuration file has that
 */
export function inFlags(
  lines: readonly string[],
  error: unknown,
  table: ReadonlyMap<string, string>,
  keep = false,
): string[] {
  const paths = error instanceof InvalidOptionError ? error.issues.map(({ path }) => path) : [];
  return lines.map((line, index) => {
    // Which function of the library refused an option says nothing here.
    const own = index === 0 && paths.length > 0 ? line.replace(FUNCTION, '') : line;
    const front = withFlagInFront(own, paths, table, keep);
    if (front !== own && keep) return front;
    // A given value is quoted as it was given.
    const at = front.indexOf('; got ');
    const said = at < 0 ? front : front.slice(0, at);
    return `${withFlagsWithin(keep ? said : withFlagsOnce(said, table), table)}${front.slice(said.length)}`;
  });
}

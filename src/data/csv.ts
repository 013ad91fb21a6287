/** Reads a data set from a table of paths and labels. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { isMissingLabel, orderClasses } from './classes';
import { understandSplitNames } from './split-names';
import { makeSplits, throwProblems } from './splits';
import type { SplitName } from './splits';
import { readTable } from './table';
import type { Row, Table } from './table';
import { findColumns } from './table-columns';
import type { Columns } from './table-columns';
import type { DatasetSplits, Sample } from './types';
import { z } from 'zod';
import { signalSchema } from '../options/check';
import { classChoice } from './classes';

/** The options of a table's columns and paths. */
export const tableShape = {
  /** Column of the image paths; by default inferred from an unambiguous name (`path`, `file`, `image`, ...). */
  pathColumn: z.string().min(1).optional(),
  /** Column of the class names; by default inferred from an unambiguous name (`label`, `class`, `diagnosis`, ...). */
  labelColumn: z.string().min(1).optional(),
  /** Column with train, val (or validation, dev, ...) or test; without one every row is a training row. */
  splitColumn: z.string().min(1).optional(),
  /** Column of the group, e.g. the patient. */
  groupColumn: z.string().min(1).optional(),
  /** Folder to which the paths are relative; the folder of the table by default. */
  root: z.string().min(1).optional(),
  /** Column delimiter; detected by default. */
  delimiter: z.string().length(1).optional(),
};

export const csvOptionsSchema = z.strictObject({ ...tableShape, ...classChoice, signal: signalSchema });
export type CsvOptions = z.input<typeof csvOptionsSchema>;

type Resolved = ReturnType<typeof checkCsvOptions>;

function checkCsvOptions(options: CsvOptions) {
  return checkOptions(csvOptionsSchema, options, 'openCsv');
}

/** Number of files that are checked at the same time. */
const AT_ONCE = 32;

/** A table with its columns identified. */
interface Source {
  readonly table: Table;
  readonly columns: Columns;
  readonly notes: readonly string[];
  /** Whether the group column was inferred; then an image may have no group. */
  readonly groupGuessed: boolean;
  /** Describes the location of a field for messages. */
  readonly place: (row: Row, purpose: keyof Columns) => string;
}

async function readSource(file: string, options: Resolved): Promise<Source> {
  const table = await readTable(file, options.delimiter);
  const { columns, problems, notes, groupGuessed } = findColumns(table.columns, options);
  throwProblems(file, problems, `The columns are: ${table.columns.join(', ')}.`);
  const found = columns!;
  const without = table.rows.find(
    ({ fields }) => found.group !== undefined && isMissingLabel(fields.get(found.group)!),
  );
  const some = groupGuessed && without !== undefined;
  const more = some
    ? [`"${found.group}" is empty in line ${without.line}: that image has no group, so that no images can be held out`]
    : [];
  return {
    table,
    columns: found,
    groupGuessed,
    notes: [...table.notes, ...notes, ...more],
    place: ({ line }, purpose) => `line ${line}, column "${found[purpose]}"`,
  };
}

/** Returns the class of each row; an invalid label is a problem. */
function labelsOf(
  { table, columns, place }: Source,
  choice: Resolved,
  problems: string[],
): { classes: readonly string[]; labels: readonly number[] } {
  const { classes: wanted } = choice;
  const first = new Map<string, Row>();
  for (const row of table.rows) {
    const label = row.fields.get(columns.label)!;
    if (label === '') problems.push(`${place(row, 'label')}: the label is empty`);
    else if (wanted === undefined && isMissingLabel(label))
      problems.push(
        `${place(row, 'label')}: the label "${label}" reads like a missing ` +
          'one; correct it, or name it in classes (--classes) if it is a class',
      );
    else if (wanted !== undefined && !wanted.includes(label))
      problems.push(`${place(row, 'label')}: the label "${label}" is not one of ${wanted.join(', ')}`);
    else if (!first.has(label)) first.set(label, row);
  }
  const many = first.size > 100 && first.size > table.rows.length / 2;
  if (wanted === undefined && many)
    problems.push(
      `column "${columns.label}" has ${first.size} different labels in ${table.rows.length} rows: is ` +
        'it the column of the classes? Say it with labelColumn (--label-column), or name the classes',
    );
  const ordered = orderClasses(first.keys(), choice, (name) =>
    first.has(name) ? ` (${place(first.get(name)!, 'label')})` : '',
  );
  if (!many) for (const problem of ordered.problems) problems.push(problem);
  const indices = new Map(ordered.classes.map((name, index) => [name, index]));
  return {
    classes: Object.freeze(ordered.classes),
    labels: table.rows.map(({ fields }) => indices.get(fields.get(columns.label)!) ?? -1),
  };
}

/** Returns the split of each row; an unknown split is undefined and a problem. */
function splitsOf(
  { table, columns, place }: Source,
  problems: string[],
  notes: string[],
): readonly (SplitName | undefined)[] {
  const { split } = columns;
  if (split === undefined) return table.rows.map(() => 'train');
  const names = table.rows.map(({ fields }) => fields.get(split)!.toLowerCase());
  const understood = understandSplitNames([...new Set(names)]);
  for (const what of understood.problems) problems.push(`column "${split}": ${what}`);
  notes.push(...understood.notes);
  return table.rows.map((row, index) => {
    const found = understood.splits.get(names[index]!);
    if (found === undefined)
      problems.push(`${place(row, 'split')}: the split "${row.fields.get(split)}" is not train, val or test`);
    return found;
  });
}

/** Returns a key that is equal for all spellings of and links to the same file; null when it is not a file. */
async function fileKey(source: string): Promise<string | null> {
  const info = await stat(source, { bigint: true }).catch(() => null);
  if (info?.isFile() !== true) return null;
  return info.ino === 0n ? source : `${info.dev}:${info.ino}`;
}

async function fileKeys(sources: readonly string[], signal: AbortSignal | undefined): Promise<(string | null)[]> {
  const keys: (string | null)[] = [];
  for (let at = 0; at < sources.length; at += AT_ONCE) {
    throwIfAborted(signal);
    keys.push(...(await Promise.all(sources.slice(at, at + AT_ONCE).map(fileKey))));
  }
  return keys;
}

/** Sorts problems by line; those without a line come last. */
function byLine(problems: readonly string[]): string[] {
  const line = (problem: string): number => Number(/^line (\d+)/.exec(problem)?.[1] ?? Infinity);
  const keyed = problems.map((problem) => ({ problem, at: line(problem) }));
  return keyed.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at)).map(({ problem }) => problem);
}

/** Checks that every path is a file and that no file is listed twice. */
function checkPaths(
  { table, columns, place }: Source,
  keys: readonly (string | null)[],
  splits: readonly (SplitName | undefined)[],
  base: string,
): string[] {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const [index, row] of table.rows.entries()) {
    const id = row.fields.get(columns.path)!;
    const key = keys[index] ?? null;
    const earlier = key === null ? undefined : seen.get(key);
    if (id === '') problems.push(`${place(row, 'path')}: the path is empty`);
    else if (key === null) problems.push(`${place(row, 'path')}: "${id}" is not a file below ${base}`);
    else if (earlier === undefined) seen.set(key, index);
    else {
      const before = table.rows[earlier]!;
      const other = before.fields.get(columns.path)!;
      const where = splits[earlier] === splits[index] ? '' : `, there for ${splits[earlier] ?? 'no split'}`;
      problems.push(
        `${place(row, 'path')}: "${id}" ${other === id ? 'stands already' : `is the same file as "${other}"`} in ` +
          `line ${before.line}${where}`,
      );
    }
  }
  return problems;
}

/** Returns the advice for the given problems. */
function adviceFor(problems: readonly string[]): string {
  const lost = problems.filter((problem) => problem.includes('" is not a file below '));
  const windows = path.sep === '/' && lost.some((problem) => problem.includes('\\'));
  return [
    'Correct the table',
    windows ? ', whose paths must have / where they have \\' : '',
    lost.length === 0 ? '' : ', or say which folder its paths begin in with root (--root)',
    problems.some((problem) => problem.includes(' is not one of '))
      ? ', or give the classes that are there (classes, --classes)'
      : '',
    '.',
  ].join('');
}

/**
 * Opens a table with one image per row and a header row: UTF-8, or UTF-16 with a byte-order mark.
 *
 * Columns that are not given are inferred from unambiguous names (`file`, `label`, `split`, `patient_id`, ...), which
 * is reported in `notes`.
 *
 * @param file the table
 * @param options
 *   - `pathColumn`: column of the image paths, relative to `root` or absolute
 *   - `labelColumn`: column of the class names
 *   - `splitColumn`: column that says train, val or test; without one every row is a training row
 *   - `groupColumn`: column of the group, e.g. the patient
 *   - `root`: default: the folder of the table
 *   - `classes`: class names in the order of their indices; default: the labels found, sorted
 *   - `positive`: the positive one of two classes, which comes last
 *   - `delimiter`: default: a comma, or as the file extension or the header row shows
 * @throws DatasetError listing, with line and column, bytes that are not UTF-8, missing files, empty, ambiguous or
 *   unknown labels or splits, repeated paths, rows of another length, and missing or repeated column names
 * @example
 * ```ts
 * import { openCsv } from 'covidct-torch';
 *
 * const data = await openCsv('scans.csv', { pathColumn: 'file', labelColumn: 'finding', groupColumn: 'patient' });
 * console.log(data.train.samples.length, data.notes);
 * ```
 */
export async function openCsv(
  file: string,
  options: CsvOptions = {},
): Promise<DatasetSplits & { readonly notes: readonly string[] }> {
  const resolved = checkCsvOptions(options);
  const tablePath = path.resolve(checkArgument(pathSchema, file, 'openCsv', 'file'));
  const base = resolved.root === undefined ? path.dirname(tablePath) : path.resolve(resolved.root);
  const source = await readSource(tablePath, resolved);
  const { table, columns, groupGuessed, place } = source;
  const problems: string[] = [];
  const notes = [...source.notes];
  const sources = table.rows.map(({ fields }) => path.resolve(base, fields.get(columns.path)!));
  const { classes, labels } = labelsOf(source, resolved, problems);
  const splits = splitsOf(source, problems, notes);
  for (const problem of checkPaths(source, await fileKeys(sources, resolved.signal), splits, base))
    problems.push(problem);
  const samples: Record<SplitName, Sample[]> = { train: [], validation: [], test: [] };
  for (const [index, row] of table.rows.entries()) {
    const field = columns.group === undefined ? undefined : row.fields.get(columns.group)!;
    const isMissing = field !== undefined && isMissingLabel(field);
    if (isMissing && !groupGuessed) problems.push(`${place(row, 'group')}: the group is empty`);
    const group = isMissing ? undefined : field;
    const sample = {
      id: row.fields.get(columns.path)!,
      source: sources[index]!,
      label: labels[index]!,
      origin: `${path.basename(tablePath)}:${row.line}`,
      ...(group === undefined ? {} : { group }),
    };
    samples[splits[index] ?? 'train'].push(Object.freeze(sample));
  }
  if (samples.train.length === 0) problems.push(`column "${columns.split}": no row is for train`);
  throwProblems(tablePath, byLine(problems), adviceFor(problems));
  const part = (split: SplitName): Sample[] | undefined => (samples[split].length === 0 ? undefined : samples[split]);
  return {
    ...makeSplits(path.basename(tablePath, path.extname(tablePath)), classes, {
      train: samples.train,
      validation: part('validation'),
      test: part('test'),
    }),
    notes,
  };
}

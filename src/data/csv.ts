/** Reads a data set from a table of paths and labels. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { DatasetError, messageOf } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { csvOptionsSchema } from '../options/data';
import type { CsvOptions } from '../options/data';
import { makeSplits, parseSplitName, sortedClasses, throwProblems } from './splits';
import type { SplitName } from './splits';
import type { DatasetSplits, Sample } from './types';

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly line: number;
}

async function readRows(file: string, delimiter: string): Promise<Row[]> {
  try {
    const text = await readFile(file, 'utf8');
    const rows = parse(text, { bom: true, columns: true, delimiter, info: true, skip_empty_lines: true, trim: true }) as unknown as { record: Record<string, string>; info: { lines: number } }[];
    return rows.map(({ record, info }) => ({ record, line: info.lines }));
  } catch (error) {
    throw new DatasetError(`${file}: the table cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function checkColumns(file: string, rows: readonly Row[], wanted: readonly string[]): void {
  const there = Object.keys(rows[0]!.record);
  const problems = wanted.filter((name) => !there.includes(name)).map((name) => `no column "${name}"`);
  throwProblems(file, problems, `The columns are: ${there.join(', ')}.`);
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isFile() ?? false;
}

/**
 * Opens a table with one image a row and a first row of column names.
 *
 * @param file the table, UTF-8
 * @param options.pathColumn column of the image paths, relative to `root` or absolute
 * @param options.labelColumn column of the class names
 * @param options.splitColumn column that says train, val or test; without it every row is a training row
 * @param options.root default: the folder of the table
 * @param options.classes class names in the order of their indices; default: the labels found, sorted
 * @throws DatasetError listing every missing file, unknown label or split and repeated path with its line
 */
export async function openCsv(file: string, options: CsvOptions): Promise<DatasetSplits> {
  const { pathColumn, labelColumn, splitColumn, root, classes: wanted, delimiter } = checkOptions(csvOptionsSchema, options, 'openCsv');
  const table = path.resolve(checkArgument(pathSchema, file, 'openCsv', 'file'));
  const base = root === undefined ? path.dirname(table) : path.resolve(root);
  const rows = await readRows(table, delimiter);
  if (rows.length === 0) throw new DatasetError(`${table}: the table has no rows. Expected column names and one image a row`);
  checkColumns(table, rows, [pathColumn, labelColumn, ...(splitColumn === undefined ? [] : [splitColumn])]);
  const classes = Object.freeze(wanted ?? sortedClasses(rows.map(({ record }) => record[labelColumn]!).filter((label) => label !== '')));
  const samples: Record<SplitName, Sample[]> = { train: [], validation: [], test: [] };
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const { record, line } of rows) {
    const id = record[pathColumn]!;
    const source = path.resolve(base, id);
    const label = classes.indexOf(record[labelColumn]!);
    const split = splitColumn === undefined ? 'train' : parseSplitName(record[splitColumn]!);
    const found: string[] = [];
    if (id === '') found.push('the path is empty');
    else if (seen.has(source)) found.push(`"${id}" stands already in line ${seen.get(source)}`);
    else if (!(await isFile(source))) found.push(`"${id}" is not a file below ${base}`);
    if (label < 0) found.push(`the label "${record[labelColumn]}" is not one of ${classes.join(', ')}`);
    if (split === undefined) found.push(`the split "${record[splitColumn!]}" is not train, val or test`);
    problems.push(...found.map((what) => `line ${line}: ${what}`));
    seen.set(source, line);
    if (found.length === 0) samples[split!].push(Object.freeze({ id, source, label, origin: `${path.basename(table)}:${line}` }));
  }
  throwProblems(table, problems, 'Correct the table, or give root and classes.');
  const part = (split: SplitName): Sample[] | undefined => (samples[split].length === 0 ? undefined : samples[split]);
  return makeSplits(path.basename(table, path.extname(table)), classes, { train: samples.train, validation: part('validation'), test: part('test') });
}

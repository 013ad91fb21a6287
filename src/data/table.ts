/**
 * Reads a text table strictly: invalid bytes, ambiguous column names and rows of a wrong length are errors with their
 * line.
 */
import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { DatasetError, messageOf } from '../errors';
import { contentOf } from './images/format';
import { throwProblems } from './splits';

/** A row below the header. */
export interface Row {
  /** Fields by column name. */
  readonly fields: ReadonlyMap<string, string>;
  /** Number of its last line, from 1. */
  readonly line: number;
}

/** A table whose first row names the columns. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** Assumptions made while reading. */
  readonly notes: readonly string[];
}

/** Maximum size of a table, enough for ten million rows. */
const MOST_BYTES = 256 * 1024 ** 2;
/** Maximum characters of a row, because an unclosed quotation mark would include the rest of the file. */
const MOST_ROW = 1024 ** 2;

/** Number of bytes of the UTF-8 character that begins with this byte; 0 for an invalid one. */
function lengthOf(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte <= 0xdf) return 2;
  if (byte >= 0xe0 && byte <= 0xef) return 3;
  return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

function firstBadByte(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length) {
    const length = lengthOf(bytes[at]!);
    if (length === 0 || at + length > bytes.length || (length > 1 && !isUtf8(bytes.subarray(at, at + length))))
      return at;
    at += length;
  }
  return at;
}

/** Returns the line and column, both from 1, of the position after a text. */
function placeAfter(text: string): string {
  const lines = text.split(/\r\n|\n|\r/);
  return `line ${lines.length}, column ${[...lines.at(-1)!].length + 1}`;
}

function notText(file: string, bytes: Buffer, what: string, advice: string): DatasetError {
  const { format, name } = contentOf(bytes);
  const isOther = format !== null || (name !== null && !/text|white space|XML|HTML/.test(name));
  const save = name === 'a zip archive' ? '; save an .xlsx as CSV' : '';
  const other = `It is ${name}, where a table of text was expected${save}`;
  return new DatasetError(`${file}: ${what}. ${isOther ? other : advice}`);
}

/**
 * Decodes the text of a list or table: UTF-8, or UTF-16 with a byte-order mark.
 *
 * @throws DatasetError naming line and column of the first byte that is not text
 */
export function decodeText(bytes: Buffer, file: string): { text: string; notes: readonly string[] } {
  const [first, second] = bytes;
  const wide = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : null;
  if (wide !== null) {
    try {
      const text = new TextDecoder(wide, { fatal: true }).decode(bytes);
      if (!text.includes('\0'))
        return {
          text,
          notes: [`read as UTF-16 (${wide === 'utf-16le' ? 'little' : 'big'} endian), by its byte-order mark`],
        };
    } catch {
      /* reported below */
    }
    throw new DatasetError(
      `${file}: it begins with the byte-order mark of UTF-16, but is not UTF-16 throughout. Save it as UTF-8`,
    );
  }
  const body = first === 0xef && second === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  if (!isUtf8(body)) {
    const at = firstBadByte(body);
    const byte = body[at]!.toString(16).toUpperCase().padStart(2, '0');
    // Every second byte of English text in UTF-16 is zero.
    const guess = body.includes(0) ? 'UTF-16 without its byte-order mark' : 'Latin-1 or Windows-1252';
    throw notText(
      file,
      bytes,
      `${placeAfter(body.toString('utf8', 0, at))}: the byte 0x${byte} is not UTF-8`,
      `It may be ${guess}: save it as UTF-8`,
    );
  }
  const text = body.toString('utf8');
  const nul = text.indexOf('\0');
  if (nul >= 0)
    throw notText(
      file,
      bytes,
      `${placeAfter(text.slice(0, nul))}: a byte of zero, which no text has`,
      'It may be UTF-16 without its byte-order mark: save it as UTF-8',
    );
  return { text, notes: [] };
}

/** Detects the delimiter by the file extension or the only candidate in the first line; a comma otherwise. */
function delimiterOf(file: string, text: string): { delimiter: string; notes: readonly string[] } {
  if (/\.(?:tsv|tab)$/i.test(file)) return { delimiter: '\t', notes: [] };
  const [head = ''] = text.split(/[\r\n]/, 1);
  const there = [',', ';', '\t'].filter((candidate) => head.includes(candidate));
  if (there.length !== 1 || there[0] === ',') return { delimiter: ',', notes: [] };
  return { delimiter: there[0]!, notes: [`columns are separated by ${there[0] === ';' ? 'semicolons' : 'tabs'}`] };
}

interface Record {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Parses the rows of a text, at most `most` of them. */
function parseText(text: string, delimiter: string, most = Infinity): Record[] {
  if (most === 0) return [];
  return parse(text, {
    columns: false,
    delimiter,
    info: true,
    skip_empty_lines: true,
    trim: true,
    relax_column_count: true,
    max_record_size: MOST_ROW,
    ...(most === Infinity ? {} : { to: most }),
  }) as unknown as Record[];
}

function parseRecords(file: string, text: string, delimiter: string): Record[] {
  try {
    return parseText(text, delimiter);
  } catch (error) {
    const { code, records } = error as { code?: unknown; records?: unknown };
    if (code === 'CSV_QUOTE_NOT_CLOSED' && typeof records === 'number') {
      const line = (parseText(text, delimiter, records).at(-1)?.info.lines ?? 0) + 1;
      throw new DatasetError(
        `${file}: the table cannot be read: a quotation mark of the row that begins in line ${line} is never closed`,
        { cause: error },
      );
    }
    throw new DatasetError(`${file}: the table cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Finds unnamed columns that can be ignored: the row index of pandas, and an empty column from trailing delimiters.
 */
function idleColumns(head: readonly string[], rows: readonly Record[], notes: string[]): ReadonlySet<number> {
  const idle = new Set<number>();
  for (const [column, name] of head.entries()) {
    if (name !== '') continue;
    const values = rows.map(({ record }) => record[column]);
    const counts = column === 0 && rows.length > 0 && values.every((value, index) => value === String(index));
    if (counts) notes.push('the first column, which has no name and counts the rows, is ignored');
    if (counts || values.every((value) => value === '' || value === undefined)) idle.add(column);
  }
  return idle;
}

function checkHead(head: readonly string[], idle: ReadonlySet<number>): string[] {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const [column, name] of head.entries()) {
    if (idle.has(column)) continue;
    const earlier = seen.get(name);
    if (name === '') problems.push(`line 1: column ${column + 1} has no name`);
    else if (earlier !== undefined)
      problems.push(`line 1: columns ${earlier + 1} and ${column + 1} are both named "${name}"`);
    seen.set(name, earlier ?? column);
  }
  return problems;
}

/**
 * Reads a table whose first row names the columns.
 *
 * @param delimiter delimiter of the fields; detected by default
 * @throws DatasetError, with the line, for a table that is not UTF-8 (or UTF-16 with a byte-order mark), or has no
 *   rows, unnamed or equally named columns, or rows of another length
 */
export async function readTable(file: string, delimiter?: string): Promise<Table> {
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, more than ${MOST_BYTES}`);
    bytes = await readFile(file);
  } catch (error) {
    throw new DatasetError(`${file}: the table cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const { text, notes } = decodeText(bytes, file);
  const told = [...notes];
  const found = delimiter === undefined ? delimiterOf(file, text) : { delimiter, notes: [] };
  told.push(...found.notes);
  // \r\n is replaced by \n because the parser counts it as two lines inside quotation marks.
  const [first, ...rest] = parseRecords(file, text.replaceAll('\r\n', '\n'), found.delimiter);
  if (first === undefined || rest.length === 0)
    throw new DatasetError(`${file}: the table has no rows. Expected column names and one image a row`);
  const head = first.record;
  const idle = idleColumns(head, rest, told);
  const problems = checkHead(head, idle);
  for (const { record, info } of rest) {
    if (record.length !== head.length)
      problems.push(`line ${info.lines}: expected ${head.length} fields as in the first line; it has ${record.length}`);
  }
  throwProblems(file, problems, `Correct the table; its columns are separated by ${JSON.stringify(found.delimiter)}.`);
  const columns = head.filter((_, column) => !idle.has(column));
  const rows = rest.map(({ record, info }): Row => ({
    line: info.lines,
    fields: new Map(head.flatMap((name, column) => (idle.has(column) ? [] : [[name, record[column]!] as const]))),
  }));
  return { columns, rows, notes: told.map((note) => `${path.basename(file)}: ${note}`) };
}

/** Rows of CSV: read back by the same library that reads tables, and harmless in a spreadsheet. */
import { parse } from 'csv-parse/sync';
import { csvPath, csvRow, probabilityColumns } from '../../../src/cli/csv';

test('what was written is what is read', () => {
  const rows = [
    ['path', 'label', ...probabilityColumns(['a,b', 'c"d']), 'error'],
    ['with, comma', 'with "quotes"', 'line\nend', 'carriage\rreturn', ' blanks '],
    ['', 'ünï', '\u001b[31m', 'tab\there', '\ufeffx'],
  ];
  expect(parse(rows.map((row) => csvRow(row)).join('\n'), { relax_quotes: false })).toEqual(rows);
});

test('numbers keep every digit; what is not there is an empty cell', () => {
  expect(csvRow([0.1 + 0.2, 1e-30, 0, null, 'x'])).toBe('0.30000000000000004,1e-30,0,,x');
});

test.each(['=1+1', '+49', '-2', '@SUM(A1)', '\tx', '\rx', "=cmd|' /C calc'!A0"])(
  '%j is text for a spreadsheet, and a path of that kind still names its file',
  (text) => {
    expect(parse(csvRow([text]))[0]).toEqual([`'${text}`]);
    expect(parse(csvRow([csvPath(text)]))[0]).toEqual([`./${text}`]);
  },
);

test('- alone, for standard input, computes nothing', () => {
  expect(csvRow([csvPath('-')])).toBe('-');
});

/** Results as CSV: quoted as RFC 4180 has it, one line feed per row, and no cell that a spreadsheet would compute. */

/** What spreadsheets take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]./s;

function cell(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  // An apostrophe in front is what spreadsheets themselves write before text that looks like a formula.
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A row without the line's end; null is an empty cell. */
export function csvRow(cells: readonly (string | number | null)[]): string {
  return cells.map(cell).join(',');
}

/** A path that no spreadsheet computes and that still names the same file. */
export function csvPath(path: string): string {
  return FORMULA.test(path) ? `./${path}` : path;
}

/** Headings of one probability per class. */
export function probabilityColumns(classes: readonly string[]): string[] {
  return classes.map((name) => `probability_${name}`);
}

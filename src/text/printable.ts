/**
 * Makes text fit for a terminal and a log: what could move the cursor, hide or reorder letters is written as an escape.
 */

/**
 * A string is one line; several lines are an array. So a line's end
 * that is part of a name is never taken for one of ours.
 */
export type Text = string | readonly string[];

/**
 * Control characters (C0, DEL, C1), format characters (bidirectional overrides, zero-width ones, tags), lone
 * surrogates, Unicode's line separators, and letters that are drawn as nothing.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function codeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}

/**
 * One line of text with everything unsafe in it written as an escape: ESC as `\u001b`, a line's end as `\n`.
 * Backslashes stay as they are, so that doing it twice is doing it once.
 */
export function printable(line: string): string {
  return line.replace(UNSAFE, (character) => SHORT[character] ?? codeUnits(character));
}

/** The same for several lines; nothing but the ends between them is a line's end in the result. */
export function printableText(text: Text): string {
  return typeof text === 'string' ? printable(text) : text.map(printable).join('\n');
}

/**
 * JSON text that means the same and holds nothing unsafe; JSON.stringify
 * itself leaves DEL, C1 and format characters in.
 */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, codeUnits);
}

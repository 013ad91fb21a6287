/** What is escaped before a person sees it. */
import { CovidCtError, DatasetError, linesOf, messageOf } from '../../../src/errors';
import { printable, printableJson, printableText } from '../../../src/text/printable';

test.each([
  ['a\u001b[31mb', 'a\\u001b[31mb'],
  ['a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['\u0007\u0000', '\\u0007\\u0000'],
  ['\u007f', '\\u007f'],
  ['\u009b1m', '\\u009b1m'],
  ['\u202egnp', '\\u202egnp'],
  ['\u2066x\u2069', '\\u2066x\\u2069'],
  ['\u200b\u200d\ufeff\u00ad', '\\u200b\\u200d\\ufeff\\u00ad'],
  ['\u2028\u2029', '\\u2028\\u2029'],
  ['\ud800x\udc00', '\\ud800x\\udc00'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['\u3164', '\\u3164'],
  ['schräg 肺 легкие رئة 🫁 – … back\\slash', 'schräg 肺 легкие رئة 🫁 – … back\\slash'],
])('%j becomes %j, and stays so', (text, expected) => {
  expect(printable(text)).toBe(expected);
  expect(printable(printable(text))).toBe(expected);
});

test('every code point is either shown as it is or escaped, and every control character is escaped', () => {
  const wrong: string[] = [];
  for (let code = 0; code <= 0x10ffff; code += 1) {
    if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(printable(String.fromCodePoint(code)))) wrong.push(code.toString(16));
  }
  expect(wrong).toEqual([]);
});

test('lines are an array: the ends between them stay, those within them do not', () => {
  expect(printableText(['one\nforged', 'two'])).toBe('one\\nforged\ntwo');
  expect(printableText('one\ntwo')).toBe('one\\ntwo');
});

test('JSON means the same and holds nothing unsafe', () => {
  const value = { 'k\u009b': 'a\u007f\u202e\u2028\u{e0041}\ud800\n' };
  const text = printableJson(JSON.stringify(value));
  expect(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)).toBe(false);
  expect(JSON.parse(text)).toEqual(value);
});

test('errors escape their message, and tell it line by line', () => {
  expect(new DatasetError('a\nb\u001b: missing').message).toBe('a\\nb\\u001b: missing');
  const error = new CovidCtError('ERR_DATASET', ['2 problems', '  a\nb']);
  expect(error.message).toBe('2 problems\n  a\\nb');
  expect(linesOf(error)).toEqual(['2 problems', '  a\\nb']);
  expect(linesOf(new Error("ENOENT: open 'a\nb'"))).toEqual(["ENOENT: open 'a\\nb'"]);
  expect(linesOf('\u001b')).toEqual(['\\u001b']);
  // Within another message its lines are parts of one: their ends are ours, and no name's.
  expect(new DatasetError(`a.csv: ${messageOf(error)}`).message).toBe('a.csv: 2 problems; a\\nb');
});

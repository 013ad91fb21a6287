/** Finds the position of a JSON syntax error; V8's own message names none for most errors. */

/** The first syntax error. */
export interface JsonFault {
  /** Index into the text. */
  readonly at: number;
  readonly expected: string;
  /** The character found there, quoted, or `the end of the text`. */
  readonly found: string;
}

type State = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

const SPACE = /[ \t\n\r]*/y;
const SCALAR =
  /"(?:[^"\\\p{Cc}\u007f]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

const EXPECTED: Readonly<Record<Exclude<State, ', or end'>, string>> = {
  value: 'a value',
  'value or ]': 'a value or "]"',
  key: 'a name in double quotes',
  'key or }': 'a name in double quotes or "}"',
  ':': '":"',
};

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** Finds the first syntax error in a text that JSON.parse has refused. */
export function jsonFaultAt(text: string): JsonFault {
  const closers: ('}' | ']')[] = [];
  let state: State = 'value';
  let at = 0;
  const fault = (): JsonFault => {
    const closer = closers.at(-1);
    const expected = state === ', or end' ? (closer === undefined ? 'the end' : `"," or "${closer}"`) : EXPECTED[state];
    const found =
      at >= text.length ? 'the end of the text' : JSON.stringify(String.fromCodePoint(text.codePointAt(at)!));
    return { at, expected, found };
  };
  for (;;) {
    at += matchAt(SPACE, text, at).length;
    const token: string = text[at] ?? '';
    const wantsValue: boolean = state === 'value' || state === 'value or ]';
    const wantsKey: boolean = state === 'key' || state === 'key or }';
    if (wantsValue && (token === '{' || token === '[')) {
      closers.push(token === '{' ? '}' : ']');
      state = token === '{' ? 'key or }' : 'value or ]';
      at += 1;
    } else if (
      token !== '' &&
      token === closers.at(-1) &&
      (state === ', or end' || state === `value or ${token}` || state === `key or ${token}`)
    ) {
      closers.pop();
      state = ', or end';
      at += 1;
    } else if (state === ', or end' && token === ',' && closers.length > 0) {
      state = closers.at(-1) === '}' ? 'key' : 'value';
      at += 1;
    } else if (state === ':' && token === ':') {
      state = 'value';
      at += 1;
    } else {
      const scalar: string = (wantsValue || wantsKey) && (!wantsKey || token === '"') ? matchAt(SCALAR, text, at) : '';
      if (scalar === '') return fault();
      state = wantsKey ? ':' : ', or end';
      at += scalar.length;
    }
  }
}

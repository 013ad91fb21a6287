import { describeAt, describePath, describeValue } from '../../../src/text/describe';

const circular: Record<string, unknown> = { name: 'x' };
circular['self'] = circular;
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();
const million = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`k${index}`, index]));
class Named {
  readonly x = 1;
}

const VALUES: readonly [string, unknown, RegExp][] = [
  ['undefined', undefined, /^nothing$/],
  ['null', null, /^null$/],
  ['a bigint', 10n, /^10n$/],
  ['a bigint of a million bits', 1n << 1_000_000n, /more than 30 digits/],
  ['-0', -0, /^-0$/],
  ['NaN', Number.NaN, /^NaN$/],
  ['a symbol', Symbol('s'), /^Symbol\(s\)$/],
  ['a circular object', circular, /name: 'x'/],
  [
    'a getter that throws',
    {
      get a() {
        throw new Error('no');
      },
    },
    /a: \[Getter\]/,
  ],
  [
    'a proxy that throws',
    new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
        getPrototypeOf() {
          throw new Error('no');
        },
      },
    ),
    /^a Proxy$/,
  ],
  ['a revoked proxy', revoked, /^a Proxy$/],
  [
    'an object whose prototype is a throwing proxy',
    Object.create(
      new Proxy(
        {},
        {
          get() {
            throw new Error('no');
          },
          getPrototypeOf() {
            throw new Error('no');
          },
        },
      ),
    ),
    /./,
  ],
  ['no prototype', Object.assign(Object.create(null), { a: 1 }), /a: 1/],
  ['a sparse list', Array.from({ length: 3 }), /\[/],
  ['a huge sparse list', new Array(4_000_000_000), /^a list of 4000000000$/],
  ['many keys', million, /k0: 0/],
  ['many keys within', { a: million }, /\[Object\]/],
  ['a long string', 'x'.repeat(10_000_000), /^"x+\.\.\.$/],
  ['control characters', 'a\u001b[31m\nb', /^"a\\u001b\[31m\\nb"$/],
  ['control characters in a key', { '\u001b\n': 1 }, /x1B/],
  ['bytes', Buffer.alloc(5), /^a Buffer of 5 bytes$/],
  ['a view', new Int16Array(2), /^an Int16Array of 4 bytes$/],
  ['a DataView', new DataView(new ArrayBuffer(3)), /^a DataView of 3 bytes$/],
  ['memory', new ArrayBuffer(7), /^an ArrayBuffer of 7 bytes$/],
  ['shared memory', new SharedArrayBuffer(7), /^a SharedArrayBuffer of 7 bytes$/],
  ['a function', () => 1, /^a function$/],
  ['a class', Named, /^a function$/],
  ['an instance', new Named(), /^an object of class Named$/],
  ['a promise', Promise.resolve(1), /^a Promise \(await it\)$/],
  [
    'an error with a bad message',
    Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('no');
      },
    }),
    /^an Error$/,
  ],
  [
    'a custom inspect',
    {
      [Symbol.for('nodejs.util.inspect.custom')]() {
        throw new Error('no');
      },
    },
    /./,
  ],
  [
    'a toJSON that throws',
    {
      toJSON() {
        throw new Error('no');
      },
    },
    /./,
  ],
  [
    'a tag that throws',
    {
      get [Symbol.toStringTag]() {
        throw new Error('no');
      },
    },
    /./,
  ],
];

test.each(VALUES)('%s is described in a line of at most 80 characters', (_, value, wanted) => {
  const text = describeValue(value);
  expect(text).toMatch(wanted);
  expect(text.length).toBeLessThanOrEqual(80);
  expect(text).toMatch(/^\P{Cc}*$/u);
});

test('what lies at a path, whatever is on the way', () => {
  expect(describeAt({ a: [{ b: 3 }] }, ['a', 0, 'b'])).toBe('3');
  expect(describeAt({ a: null }, ['a', 0, 'b'])).toBe('nothing');
  expect(
    describeAt(
      {
        get a() {
          throw new Error('no');
        },
      },
      ['a', 'b'],
    ),
  ).toBe('a value that cannot be looked at');
  expect(describePath(['a', 0, 'b c', '\n', Symbol('s')])).toBe('a[0].b c["\\n"][Symbol(s)]');
});

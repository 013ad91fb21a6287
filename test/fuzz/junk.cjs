/** Values of every kind that no function of the library expects, and some that it nearly does. */
const { Readable } = require('node:stream');

/** Uniform numbers in [0, 1) of a seed (mulberry32). */
exports.makeRandom = (seed) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

const fail = () => {
  throw new Error('junk that throws');
};

function circular() {
  const value = { name: 'x', classes: ['a', 'b'] };
  value.self = value;
  value.samples = [value];
  return value;
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function rejected() {
  const promise = Promise.reject(new Error('junk that rejects'));
  promise.catch(() => undefined);
  return promise;
}

function detached() {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

const traps = new Proxy({}, { get: (_target, key) => (key === 'apply' ? undefined : fail) });

/** Makers, since a stream or a promise is used up by one call. Each has a name for the report. */
exports.JUNK = Object.entries({
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  zero: () => 0,
  'minus zero': () => -0,
  one: () => 1,
  'minus one': () => -1,
  half: () => 0.5,
  NaN: () => Number.NaN,
  infinity: () => Infinity,
  'beyond safe': () => 2 ** 53,
  huge: () => 1e308,
  bigint: () => 10n,
  'large bigint': () => 1n << 4096n,
  empty: () => '',
  blank: () => ' ',
  word: () => 'x',
  NUL: () => 'a\0b',
  'control characters': () => '\u001b[31m\r\n',
  'long text': () => 'x'.repeat(100_000),
  'lone surrogate': () => '\ud800',
  __proto__: () => '__proto__',
  constructor: () => 'constructor',
  URL: () => 'http://127.0.0.1:1/x.png',
  'file text': () => 'file:///nowhere/x.png',
  symbol: () => Symbol('junk'),
  function: () => () => undefined,
  'async function': () => async () => undefined,
  class: () => class Junk {},
  'empty list': () => [],
  'list of nothing': () => [undefined],
  'list of null': () => [null],
  'list of numbers': () => [1, 2, 3],
  'list of texts': () => ['a', 'b'],
  'list of lists': () => [
    [1, 2],
    [3, 4],
  ],
  'list of junk': () => [Symbol('x'), 10n, {}],
  'list with a hole': () => [1, , 3], // eslint-disable-line no-sparse-arrays
  'list that holds itself': () => {
    const list = [];
    list.push(list);
    return list;
  },
  'sparse list': () => new Array(1_000_000_000),
  'sparse list of 20000': () => new Array(20_000),
  'empty object': () => ({}),
  'no prototype': () => Object.create(null),
  'no prototype, with keys': () => Object.assign(Object.create(null), { name: 'x', classes: ['a'], samples: [] }),
  circular,
  'throwing getter': () => ({
    get name() {
      return fail();
    },
    get classes() {
      return fail();
    },
  }),
  'throwing proxy': () => new Proxy({}, traps),
  'throwing proxy of a function': () => new Proxy(() => undefined, traps),
  'throwing proxy of a list': () => new Proxy([], traps),
  revoked,
  'many keys': () => Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i])),
  'own __proto__': () => JSON.parse('{"__proto__": {"polluted": true}, "steps": []}'),
  'unknown key': () => ({ nobodyKnowsThisKey: 1 }),
  'texts that throw': () => ({ toString: fail, valueOf: fail, [Symbol.toPrimitive]: fail, toJSON: fail }),
  date: () => new Date(0),
  'invalid date': () => new Date(Number.NaN),
  expression: () => /x/,
  map: () => new Map([[1, 2]]),
  set: () => new Set([1]),
  'weak map': () => new WeakMap(),
  promise: () => Promise.resolve(1),
  rejected,
  'thenable that throws': () => ({ then: fail }),
  error: () => new Error('junk'),
  generator: () =>
    (function* junk() {
      yield 1;
    })(),
  'no bytes': () => Buffer.alloc(0),
  'some bytes': () => Buffer.from('not an image'),
  'float array': () => new Float32Array([0.5, Number.NaN]),
  'int array': () => new Int32Array([0, 1]),
  'big array': () => new BigInt64Array(2),
  'data view': () => new DataView(new ArrayBuffer(4)),
  'array buffer': () => new ArrayBuffer(8),
  'shared buffer': () => new SharedArrayBuffer(8),
  detached,
  aborted: () => AbortSignal.abort(),
  'signal alike': () => ({ aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined }),
  'not a signal': () => Object.create(AbortSignal.prototype),
  'http URL': () => new URL('http://127.0.0.1:1/'),
  'file URL': () => new URL('file:///nowhere/x.png'),
  blob: () => new Blob(['junk']),
  'ended stream': () => Readable.from([]),
  'stream of texts': () => Readable.from(['a', 'b']),
  'stream of junk': () => Readable.from([1, {}]),
  'broken stream': () =>
    new Readable({
      read() {
        this.destroy(new Error('junk that breaks off'));
      },
    }),
  'length alone': () => ({ length: 5 }),
  'negative length': () => ({ length: -1 }),
  'length of a text': () => ({ length: 'x' }),
  'huge length': () => ({ length: 2 ** 40 }),
  'wrong pixels': () => ({ data: new Uint8Array(5), width: 2, height: 2 }),
  'pixels of no size': () => ({ data: new Uint8Array(0), width: 0, height: 0 }),
  'huge pixels': () => ({ data: new Uint8Array(3), width: 1e9, height: 1e9 }),
  'data set alike': () => ({ name: 'x', classes: ['a', 'b'], samples: [{ id: 'i', source: 'nowhere.png', label: 7 }] }),
  'data set of junk': () => ({ name: 'x', classes: [1], samples: [null] }),
  'empty data set': () => ({ name: 'x', classes: ['NonCOVID', 'COVID'], samples: [] }),
  'transform alike': () => ({ steps: [{ type: 'resize', size: 'x' }] }),
  'logger alike': () => ({ log: 1, close: 2 }),
  'logger that throws': () => ({ log() {} }),
  'number object': () => Object(1),
  'text object': () => Object('x'),
  arguments: () =>
    (function junk() {
      return arguments;
    })(1),
  'global object': () => globalThis,
});

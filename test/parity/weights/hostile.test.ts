/** Weight files made to do harm: a typed error each, in little time and memory; never a crash, never a wrong tensor. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertWeights } from '../../../src/weights/convert';
import { openWeightFile } from '../../../src/weights/open';
import { legacy, oneTensor, pickle, text, tuple, zip } from './hostile';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-hostile-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function file(content: Buffer): Promise<string> {
  const path = join(dir, 'hostile.pth');
  await writeFile(path, content);
  return path;
}

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_WEIGHTS', message: expect.stringMatching(message) as unknown });
const zeros = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);

test('the way these files are made is right: with honest numbers both containers give the tensor', async () => {
  for (const content of [
    legacy(oneTensor({})),
    zip([
      { name: 'a/data.pkl', content: oneTensor({}) },
      { name: 'a/data/0', content: zeros },
    ]),
  ]) {
    const out = join(dir, 'out.safetensors');
    await convertWeights(await file(content), out);
    const bytes = await readFile(out);
    expect(bytes.subarray(-16)).toEqual(zeros);
  }
});

describe('pickles', () => {
  test.each<[string, Buffer, RegExp]>([
    ['a shape beyond the storage', oneTensor({ shape: [5] }), /reaches to element 4 of a storage of 4/],
    ['strides beyond the storage', oneTensor({ shape: [2, 2], strides: [3, 1] }), /reaches to element 4/],
    ['an offset beyond the storage', oneTensor({ offset: 5, shape: [0] }), /reaches to element/],
    [
      'a shape whose product has no end',
      oneTensor({ shape: [2 ** 50, 2 ** 50, 2 ** 50], strides: [1, 1, 1] }),
      /reaches to element/,
    ],
    [
      'a shape of elements that are one and the same',
      oneTensor({ shape: [2 ** 50], strides: [0] }),
      /declares \d+ elements over a storage of 4/,
    ],
    ['a negative side', oneTensor({ shape: [-1] }), /shape is not a list of whole numbers/],
    ['a negative stride', oneTensor({ strides: [-1] }), /strides is not a list of whole numbers/],
    ['a negative offset', oneTensor({ offset: -1 }), /offset/],
    ['fewer strides than sides', oneTensor({ shape: [2, 2], strides: [1] }), /2 dimensions and 1 strides/],
    ['a storage of petabytes', oneTensor({ count: 2 ** 50 }), /has 4 elements, expected/],
    [
      'a storage of quantized numbers',
      oneTensor({ type: 'QInt32Storage' }),
      /tensor 'w' is of torch\.QInt32Storage, which is not read/,
    ],
    ['a storage of what is none', oneTensor({ type: 'MyStorage' }), /torch\.MyStorage.*was not executed/],
    ['a call of what is no callable', pickle('ctorch\nFloatStorage\n)R'), /FloatStorage.*was not executed/],
    [
      'a global named by memory',
      pickle(text('os'), text('system'), '\x93', tuple(text('true')), 'R'),
      /os\.system.*was not executed/,
    ],
    ['a new object of what is no known class', pickle('cos\nsystem\n)\x81'), /os\.system.*was not executed/],
    ['a new object of a type of numbers', pickle('ctorch\nfloat32\n)\x81'), /torch\.float32.*was not executed/],
    ['a call of a value', pickle('ctorch\nfloat32\n)R'), /torch\.float32.*was not executed/],
    ['a call of Python 2', pickle('c__builtin__\neval\n(', text('1'), 'tR'), /builtins\.eval.*was not executed/],
    [
      'a tensor that is made of itself',
      pickle('ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR'),
      /makes a tensor of itself/,
    ],
    [
      'a call through a tensor of another type',
      pickle('ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nfloat32\nN)NtR'),
      /torch\.float32.*was not executed/,
    ],
    ['a set of a call', pickle('\x8f(cposix\nsystem\n\x90'), /posix\.system.*was not executed/],
    ['a storage too large to count', oneTensor({ count: 2 ** 53 - 1 }), /storage of 9007199254740991 elements/],
    ['bytes longer than the file', pickle('\x8e\xff\xff\xff\xff\xff\xff\xff\xff'), /cut off/],
    ['REDUCE without arguments', pickle('R'), /empty stack/],
    ['a memory that was never filled', pickle('h\x07'), /recalls entry 7/],
    ['a mark that is missing', pickle('t'), /no mark/],
    ['a key without a value', pickle('}(', text('a'), 'u'), /without a value/],
    ['state of something', pickle('ctorch\nFloatStorage\n}b'), /not a dictionary/],
    ['no end', Buffer.from('\x80\x02}', 'latin1'), /cut off|recalls|mark|stack|opcode|whole/],
    ['a text longer than the file', pickle('X\xff\xff\xff\x7f'), /cut off/],
  ])('%s', async (_, object, message) => {
    await expect(openWeightFile(await file(legacy(object)))).rejects.toEqual(refusal(message));
  });

  test('a million lists in one another', async () => {
    const deep = pickle(']'.repeat(900_000), 'a'.repeat(899_999));
    await expect(openWeightFile(await file(zip([{ name: 'a/data.pkl', content: deep }])))).rejects.toEqual(
      refusal(/it holds a list/),
    );
  });

  test('lists that hold each other twice, thirty-five times over, as a key: no text of them is made', async () => {
    const recall = (i: number): string => `h${String.fromCharCode(i)}`;
    const doubling = Array.from({ length: 35 }, (_, i) => `](${recall(i)}${recall(i)}eq${String.fromCharCode(i + 1)}0`);
    const laughs = pickle(']q\0', '0', ...doubling, '}', recall(35), 'Ns');
    await expect(openWeightFile(await file(zip([{ name: 'a/data.pkl', content: laughs }])))).rejects.toEqual(
      refusal(/it holds a dictionary with a list/),
    );
  });

  test('a dictionary that is copied over and over counts as all that is copied', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => `M${String.fromCharCode(i & 255, i >> 8)}N`);
    const copies = 'h\0h\x02R0'.repeat(250_000);
    const greedy = pickle('ccollections\nOrderedDict\nq\0', '0', '}(', ...numbers, 'uq\x01\x85q\x02', '0', copies, '}');
    await expect(openWeightFile(await file(legacy(greedy)))).rejects.toEqual(refusal(/more than 4000000 values/));
  });

  test.each(['}', ']', ')', 'N', '(', 'K\0'])('four million times %j', async (opcode) => {
    const many = pickle(opcode.repeat(5_000_000));
    await expect(openWeightFile(await file(legacy(many)))).rejects.toEqual(
      refusal(/more than 4000000 values or 1000000 objects/),
    );
  });
});

describe('zip archives', () => {
  const good = [
    { name: 'a/data.pkl', content: oneTensor({}) },
    { name: 'a/data/0', content: zeros },
  ];

  test('a pickle that unpacks to more than any state dict has', async () => {
    const bomb = zip([{ name: 'a/data.pkl', content: Buffer.alloc(70 * 2 ** 20), packed: true }]);
    expect(bomb.length).toBeLessThan(100_000);
    await expect(openWeightFile(await file(bomb))).rejects.toEqual(refusal(/would unpack to 73400320 bytes/));
  });

  test('a pickle that unpacks to more than it says', async () => {
    const bomb = zip([
      { name: 'a/data.pkl', content: Buffer.alloc(70 * 2 ** 20), packed: true, claims: { size: 100 } },
    ]);
    await expect(openWeightFile(await file(bomb))).rejects.toEqual(
      refusal(/unpacks to more than the 100 bytes it declares/),
    );
  });

  test('storages that are packed, too large, missing or over one another', async () => {
    const two = (second: object) => {
      const id = (key: string) =>
        Buffer.concat([
          tuple(
            text('storage'),
            Buffer.from('ctorch\nFloatStorage\n'),
            text(key),
            text('cpu'),
            Buffer.from('K\x04', 'latin1'),
          ),
          Buffer.from('Q'),
        ]);
      const tensor = (key: string) =>
        Buffer.concat([
          Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'),
          tuple(
            id(key),
            Buffer.from('K\0', 'latin1'),
            Buffer.from('K\x04\x85', 'latin1'),
            Buffer.from('K\x01\x85', 'latin1'),
            Buffer.from('\x89', 'latin1'),
            Buffer.from('}'),
          ),
          Buffer.from('R'),
        ]);
      return zip([
        { name: 'a/data.pkl', content: pickle('}', text('v'), tensor('0'), 's', text('w'), tensor('1'), 's') },
        { name: 'a/data/0', content: zeros },
        { name: 'a/data/1', content: zeros, ...second },
      ]);
    };
    expect((await openWeightFile(await file(two({})))).tensors.map(({ name }) => name)).toEqual(['v', 'w']);
    const first = two({}).indexOf('PK\x03\x04', 10, 'latin1');
    await expect(openWeightFile(await file(two({ claims: { offset: first } })))).rejects.toEqual(refusal(/overlap/));
    await expect(openWeightFile(await file(two({ claims: { offset: 2 ** 31 } })))).rejects.toEqual(
      refusal(/not a whole \.pth file/),
    );
    await expect(openWeightFile(await file(two({ claims: { size: 2 ** 31 } })))).rejects.toEqual(
      refusal(/not a whole \.pth file/),
    );
    await expect(openWeightFile(await file(two({ packed: true })))).rejects.toEqual(refusal(/is compressed/));
    await expect(openWeightFile(await file(two({ name: 'a/data/2' })))).rejects.toEqual(
      refusal(/storage '1' is missing/),
    );
    await expect(openWeightFile(await file(two({ name: 'a/data/0' })))).rejects.toEqual(refusal(/twice/));
  });

  test('names that lead out of the archive, and archives of something else', async () => {
    await expect(
      openWeightFile(await file(zip([...good, { name: '../../etc/passwd', content: zeros }]))),
    ).rejects.toEqual(refusal(/invalid relative path/));
    await expect(openWeightFile(await file(zip([{ name: 'readme', content: zeros }])))).rejects.toEqual(
      refusal(/without a data\.pkl/),
    );
    await expect(
      openWeightFile(await file(zip([...good, { name: 'a/byteorder', content: Buffer.from('big') }]))),
    ).rejects.toEqual(refusal(/big-endian/));
  });
});

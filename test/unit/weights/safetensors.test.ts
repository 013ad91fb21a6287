/** The safetensors reader against whole, damaged and hostile files; the writer's atomicity. */
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensorsHeader, writeSafetensors } from '../../../src/weights/safetensors';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-safetensors-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A file with this header text and so many bytes of data. */
async function fileWith(header: string, dataBytes: number, claimed = Buffer.byteLength(header)): Promise<string> {
  const path = join(dir, 'x.safetensors');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed));
  await writeFile(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]));
  return path;
}

const entry = (dtype: string, shape: unknown, data_offsets: unknown): object => ({ dtype, shape, data_offsets });

test('what is written is read back: names, order, shapes, positions, metadata', async () => {
  const path = join(dir, 'a.safetensors');
  const tensors = [
    { name: 'a.weight', shape: [2, 3], dtype: 'F32', kind: 'parameter' as const },
    { name: 'a.seen', shape: [], dtype: 'I64', kind: 'buffer' as const },
  ];
  await writeSafetensors(path, tensors, { epoch: '3' }, async (file, offset) => {
    const handle = await open(file, 'r+');
    await handle.write(Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer), 0, 24, offset);
    await handle.write(Buffer.from(BigInt64Array.of(7n).buffer), 0, 8, offset + 24);
    await handle.close();
  });
  const header = await readSafetensorsHeader(path);
  expect(header.metadata).toEqual({ format: 'pt', epoch: '3' });
  expect(header.tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
    ['a.weight', 'F32', [2, 3]],
    ['a.seen', 'I64', []],
  ]);
  const bytes = await readFile(path);
  const start = header.tensors[0]?.offset ?? -1;
  expect(start % 8).toBe(0);
  expect(bytes.readFloatLE(start + 20)).toBe(6);
  expect(bytes.readBigInt64LE(header.tensors[1]?.offset)).toBe(7n);
  expect(await readdir(dir)).toEqual(['a.safetensors']);
});

test('a writer that fails leaves the earlier file whole and nothing else', async () => {
  const path = join(dir, 'a.safetensors');
  await writeFile(path, 'earlier');
  await expect(writeSafetensors(path, [], {}, () => Promise.reject(new Error('disk on fire')))).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('disk on fire'),
  });
  expect(await readFile(path, 'utf8')).toBe('earlier');
  expect(await readdir(dir)).toEqual(['a.safetensors']);
});

test('a folder that cannot be made is a typed error', async () => {
  await writeFile(join(dir, 'file'), '');
  await expect(
    writeSafetensors(join(dir, 'file', 'below', 'a.safetensors'), [], {}, () => Promise.resolve()),
  ).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
});

const F = entry('F32', [2], [0, 8]);
test.each([
  ['nothing', '', 0, undefined],
  ['a header that is longer than the file', '{}', 0, 4000],
  ['a header that claims petabytes', '{}', 0, Number.MAX_SAFE_INTEGER],
  ['text that is not JSON', '{"a":', 0, undefined],
  ['an array', '[]', 0, undefined],
  ['an entry that is a number', JSON.stringify({ a: 3 }), 0, undefined],
  ['an unknown dtype', JSON.stringify({ a: entry('F12', [2], [0, 8]) }), 8, undefined],
  ['a dtype of every object', JSON.stringify({ a: entry('constructor', [2], [0, 8]) }), 8, undefined],
  ['a negative side', JSON.stringify({ a: entry('F32', [-2], [0, 8]) }), 8, undefined],
  ['a side that is no number', JSON.stringify({ a: entry('F32', ['2'], [0, 8]) }), 8, undefined],
  ['sides whose product overflows', JSON.stringify({ a: entry('F32', [2 ** 50, 2 ** 50], [0, 8]) }), 8, undefined],
  ['offsets that do not fit the shape', JSON.stringify({ a: entry('F32', [3], [0, 8]) }), 8, undefined],
  ['offsets that run backward', JSON.stringify({ a: entry('F32', [2], [8, 0]) }), 8, undefined],
  ['overlapping tensors', JSON.stringify({ a: F, b: entry('F32', [2], [4, 12]) }), 12, undefined],
  ['the same bytes twice', JSON.stringify({ a: F, b: F }), 8, undefined],
  ['a tensor named twice', `{"a":${JSON.stringify(F)},"a":${JSON.stringify(entry('I32', [2], [0, 8]))}}`, 8, undefined],
  [
    'a tensor named twice, in other words',
    `{"a:\\"{":${JSON.stringify(F)},"\\u0061:\\"{":${JSON.stringify(F)}}`,
    8,
    undefined,
  ],
  ['a dtype given twice', '{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', 8, undefined],
  ['a gap', JSON.stringify({ a: F, b: entry('F32', [2], [12, 20]) }), 20, undefined],
  ['data that is cut off', JSON.stringify({ a: F }), 7, undefined],
  ['data that is too long', JSON.stringify({ a: F }), 9, undefined],
  ['metadata that is not text', JSON.stringify({ __metadata__: { a: 1 }, a: F }), 8, undefined],
])('%s is refused with ERR_WEIGHTS', async (name, header, dataBytes, claimed) => {
  const path = name === 'nothing' ? join(dir, 'empty') : await fileWith(header, dataBytes, claimed);
  if (name === 'nothing') await writeFile(path, '');
  await expect(readSafetensorsHeader(path)).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringContaining(dir),
  });
});

test('a missing file and a folder are refused with ERR_WEIGHTS', async () => {
  await expect(readSafetensorsHeader(join(dir, 'none'))).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
  await expect(readSafetensorsHeader(dir)).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
});

/** Weight files that the real PyTorch wrote (make_files.py), read without it; and hostile ones. */
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Classifier, networkOf } from '../../../src/model/classifier';
import { convertWeights } from '../../../src/weights/convert';
import { readSafetensorsHeader } from '../../../src/weights/safetensors';
import { openWeightFile } from '../../../src/weights/open';
import { batchOf } from '../network/recipe';

const FIXTURES = join(__dirname, 'fixtures');
const fixture = (name: string): string => join(FIXTURES, name);

interface Expected {
  readonly tensors: Record<string, { shape: number[]; values: number[] }>;
  readonly tiny: number[][];
}

/** IEEE 754 half precision. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const size = exponent === 0 ? (fraction / 1024) * 2 ** -14 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return (bits & 0x8000) === 0 ? size : -size;
}

function bfloat(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

const DECODERS: Readonly<Record<string, readonly [number, (view: DataView, at: number) => number]>> = {
  F32: [4, (view, at) => view.getFloat32(at, true)],
  F64: [8, (view, at) => view.getFloat64(at, true)],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  I32: [4, (view, at) => view.getInt32(at, true)],
  I16: [2, (view, at) => view.getInt16(at, true)],
  U8: [1, (view, at) => view.getUint8(at)],
  BOOL: [1, (view, at) => view.getUint8(at)],
  F16: [2, (view, at) => half(view.getUint16(at, true))],
  BF16: [2, (view, at) => bfloat(view.getUint16(at, true))],
};

/** Every number of a safetensors file. */
async function numbersOf(path: string): Promise<Expected['tensors']> {
  const { tensors } = await readSafetensorsHeader(path);
  const bytes = await readFile(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Object.fromEntries(
    tensors.map(({ name, dtype, shape, offset }) => {
      const [size, read] = DECODERS[dtype]!;
      const count = shape.reduce((product, side) => product * side, 1);
      return [
        name,
        { shape: [...shape], values: Array.from({ length: count }, (_, i) => read(view, offset + i * size)) },
      ];
    }),
  );
}

let dir: string;
let expected: Expected;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-weights-'));
  expected = JSON.parse(await readFile(fixture('expected.json'), 'utf8')) as Expected;
});
afterAll(() => rm(dir, { recursive: true }));

describe('what torch.save wrote', () => {
  test.each(['zip.pth', 'legacy.pth', 'dict.pth', 'nested.pth', 'two.pth', 'model-legacy.pth', 'python.safetensors'])(
    '%s: every tensor, strided, shared, half and empty, number for number',
    async (name) => {
      const out = join(dir, `${name}.safetensors`);
      await convertWeights(fixture(name), out);
      expect(await numbersOf(out)).toEqual(expected.tensors);
    },
  );

  test('the oldest format, whose tensors are made by the first _rebuild_tensor', async () => {
    const out = join(dir, 'oldest.safetensors');
    await convertWeights(fixture('oldest.pth'), out);
    const found = await numbersOf(out);
    expect(Object.keys(found).length).toBeGreaterThan(5);
    for (const [name, tensor] of Object.entries(found)) expect(tensor).toEqual(expected.tensors[name]);
  });

  test('nothing is left out in silence', async () => {
    const { notes } = await openWeightFile(fixture('nested.pth'));
    expect(notes).toEqual([
      "the weights stand under 'state_dict'",
      "left out: 'epoch' (a number)",
      "left out: 'best' (a number)",
      "left out: 'optimizer' (a dictionary of 1)",
      "the prefix 'module.' was taken off 16 names",
    ]);
  });

  test("a network loaded from a wrapped half-precision checkpoint answers PyTorch's probabilities", async () => {
    using model = await Classifier.create({
      architecture: 'tiny',
      classes: ['NonCOVID', 'COVID'],
      device: 'cpu',
      threads: 1,
      seed: 7,
    });
    const report = await model.loadWeights(fixture('tiny-half.pth'));
    expect(report).toMatchObject({ missing: [], unexpected: [], shapeMismatch: [], replacedHead: [] });
    const { probabilities } = await networkOf(model).predict(batchOf([0, 1, 2, 3]));
    expected.tiny.flat().forEach((value, i) => expect(Math.abs(probabilities[i]! - value)).toBeLessThan(1e-5));
  });
});

describe('hostile files', () => {
  test.each([
    ['attack.pth', /posix\.system.*was not executed/],
    ['attack-legacy.pth', /posix\.system.*was not executed/],
    ['whole.pth', /Sequential.*state_dict/],
    ['script.pth', /TorchScript/],
    ['single.pth', /expected a state dict/],
  ])('%s is refused by name', async (name, message) => {
    await expect(openWeightFile(fixture(name))).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringMatching(message),
    });
    expect(existsSync('MARKER')).toBe(false);
  });

  test.each(['zip.pth', 'legacy.pth', 'python.safetensors'])('%s cut off anywhere is an error', async (name) => {
    const whole = await readFile(fixture(name));
    const file = join(dir, `cut-${name}`);
    for (let length = 0; length < whole.length; length += 13) {
      await writeFile(file, whole.subarray(0, length));
      await expect(openWeightFile(file)).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    }
  });

  test('a zip with a flipped bit is an error, or gives the same tensors', async () => {
    const whole = await readFile(fixture('zip.pth'));
    const file = join(dir, 'flipped.pth');
    const out = join(dir, 'flipped.safetensors');
    for (let at = 4; at < whole.length; at += 29) {
      const bytes = Buffer.from(whole);
      bytes[at] = bytes[at]! ^ (1 << (at % 8));
      await writeFile(file, bytes);
      const failure = await convertWeights(file, out).then(
        () => null,
        (error: unknown) => error,
      );
      if (failure !== null) expect(failure).toMatchObject({ code: 'ERR_WEIGHTS' });
      else expect(await numbersOf(out)).toEqual(expected.tensors);
    }
  });

  test('a storage whose length lies is an error', async () => {
    const bytes = await readFile(fixture('legacy.pth'));
    const file = join(dir, 'lying.pth');
    const { tensors } = await openWeightFile(fixture('legacy.pth'));
    const first = Math.min(...tensors.map(({ offset }) => offset));
    bytes.writeBigInt64LE(10n ** 12n, first - 8);
    await writeFile(file, bytes);
    await expect(openWeightFile(file)).rejects.toMatchObject({
      code: 'ERR_WEIGHTS',
      message: expect.stringMatching(/elements, expected/),
    });
  });

  test('a file that is missing, empty or something else', async () => {
    const file = join(dir, 'other');
    await expect(openWeightFile(join(dir, 'none'))).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    for (const content of ['', 'PK', '\x80\x02', 'hello world, this is text']) {
      const handle = await open(file, 'w');
      await handle.writeFile(content, 'latin1');
      await handle.close();
      await expect(openWeightFile(file)).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    }
  });
});

/**
 * A weight file with a number that is not finite is refused before anything is loaded, whatever its dtype; who wants to
 * look inside may load it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng } from '../../src/data/images/decode';
import { fromSamples } from '../../src/data/samples';
import { Classifier, classifierOf } from '../../src/model/classifier';
import type { Network } from '../../src/model/types';
import { evaluate } from '../../src/train/evaluate';
import { madeUpBatch, tiny } from './tiny';
import { flatPixels } from '../helpers/images';

let dir: string, model: Network;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'covidct-finite-weights-'));
  model = await tiny();
});

afterAll(() => {
  model.dispose();
  rmSync(dir, { recursive: true });
});

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

function writeFile(name: string, entries: Readonly<Record<string, Entry>>): string {
  let offset = 0;
  const header = Object.fromEntries(
    Object.entries(entries).map(([key, { dtype, shape, bytes }]) => [
      key,
      { dtype, shape, data_offsets: [offset, (offset += bytes.length)] },
    ]),
  );
  const text = Buffer.from(JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8)),
    length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(dir, name);
  writeFileSync(path, Buffer.concat([length, text, ...Object.values(entries).map(({ bytes }) => bytes)]));
  return path;
}

/** 16 numbers, zero but for the eleventh. */
const bias = (dtype: string, size: number, put: (bytes: Buffer, at: number) => void): Entry => {
  const bytes = Buffer.alloc(16 * size);
  put(bytes, 10 * size);
  return { dtype, shape: [16], bytes };
};

const logits = async (): Promise<number[]> => [...(await model.predict(madeUpBatch(2))).logits];

test.each([
  ['F32 NaN', bias('F32', 4, (bytes, at) => bytes.writeFloatLE(Number.NaN, at)), 'NaN'],
  ['F32 infinite', bias('F32', 4, (bytes, at) => bytes.writeFloatLE(-Infinity, at)), '-Infinity'],
  ['F64 infinite', bias('F64', 8, (bytes, at) => bytes.writeDoubleLE(Infinity, at)), 'Infinity'],
  [
    'F64 beyond float32',
    bias('F64', 8, (bytes, at) => bytes.writeDoubleLE(1e300, at)),
    '1e+300, more than float32 holds,',
  ],
  ['F16 NaN', bias('F16', 2, (bytes, at) => bytes.writeUInt16LE(0x7e00, at)), 'NaN'],
  ['BF16 infinite', bias('BF16', 2, (bytes, at) => bytes.writeUInt16LE(0x7f80, at)), 'Infinity'],
] as const)('%s: refused by tensor and index, the network as it was', async (name, entry, value) => {
  const path = writeFile(`${name}.safetensors`, {
    'features.1.weight': bias('F32', 4, () => {}),
    'features.0.bias': entry,
  });
  const before = await logits();
  const options = { allowMissing: true, weightsOnly: true };
  await expect(model.loadWeights(path, options)).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringContaining(`tensor 'features.0.bias' has ${value} at [10]`),
  });
  expect(await logits()).toEqual(before);
});

test('in the middle of a large tensor, by several threads, the first one is named; with allowNonFinite it loads and no answer comes of it', async () => {
  const path = join(dir, 'whole.safetensors');
  using victim = await tiny({ threads: 2 });
  await victim.saveWeights(path);
  const bytes = readFileSync(path),
    start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<
    string,
    { data_offsets: [number, number]; shape: number[] }
  >;
  const {
    data_offsets: [begin],
    shape,
  } = header['classifier.0.weight'] as { data_offsets: [number, number]; shape: number[] };
  expect(shape).toEqual([64, 1024]);
  for (const [row, column] of [
    [63, 5],
    [17, 1023],
    [40, 0],
  ] as const)
    bytes.writeFloatLE(Number.NaN, start + begin + 4 * (row * 1024 + column));
  writeFileSync(path, bytes);
  const before = (await victim.predict(madeUpBatch(1))).logits;
  await expect(victim.loadWeights(path)).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringMatching(/'classifier\.0\.weight' has NaN at \[17, 1023\].*allowNonFinite/s),
  });
  expect((await victim.predict(madeUpBatch(1))).logits).toEqual(before);

  await victim.loadWeights(path, { allowNonFinite: true });
  const png = await encodePng(flatPixels(90, 64));
  const data = fromSamples({
    name: 'one',
    classes: victim.classes,
    samples: [{ id: 'one.png', source: png, label: 0 }],
  });
  await expect(classifierOf(victim).predict(png)).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await expect(classifierOf(victim).explain(png)).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await expect(classifierOf(victim).explain(png, { class: 'COVID' })).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await expect(evaluate(classifierOf(victim), data)).rejects.toMatchObject({ code: 'ERR_DIVERGED' });

  await classifierOf(victim).save(join(dir, 'model'));
  await expect(Classifier.load(join(dir, 'model'), { threads: 1 })).rejects.toMatchObject({
    code: 'ERR_WEIGHTS',
    message: expect.stringContaining('classifier.0.weight'),
  });
  using inspected = await Classifier.load(join(dir, 'model'), { threads: 1, allowNonFinite: true });
  await expect(inspected.predict(png)).rejects.toMatchObject({ code: 'ERR_NATIVE' });
});

test('a logit of minus infinity, of which softmax makes 0 and 1, is no answer', async () => {
  using other = await tiny();
  const bytes = Buffer.alloc(8);
  bytes.writeFloatLE(-Infinity, 0);
  const path = writeFile('logit.safetensors', { 'classifier.6.bias': { dtype: 'F32', shape: [2], bytes } });
  await other.loadWeights(path, { allowMissing: true, weightsOnly: true, allowNonFinite: true });
  expect([...(await other.predict(madeUpBatch(1))).probabilities]).toEqual([0, 1]);
  const png = await encodePng(flatPixels(90, 64));
  await expect(classifierOf(other).predict(png)).rejects.toMatchObject({ code: 'ERR_NATIVE' });
  await expect(
    evaluate(
      classifierOf(other),
      fromSamples({ name: 'one', classes: other.classes, samples: [{ id: 'one.png', source: png, label: 1 }] }),
    ),
  ).rejects.toMatchObject({ code: 'ERR_DIVERGED' });
});

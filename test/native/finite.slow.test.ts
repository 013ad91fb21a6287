/**
 * What is not finite is not hidden: NaN or an infinite number in any tensor of a network makes its answers what
 * LibTorch's own layers (`convolution: 'libtorch'`, PyTorch's numbers bit for bit) make of them, by every way to an
 * answer.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetwork } from '../../src/model/open-network';
import type { Network } from '../../src/model/types';
import { openWeightFile } from '../../src/weights/open';
import type { NativeTensorSource } from '../../src/addon/types';
import type { ClassifierOptions } from '../../src/model/options';
import { batchOf } from '../parity/network/recipe';

const BATCH = batchOf([0, 1], 64);
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'covidct-finite-'));
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

const create = (architecture: string, options: Partial<ClassifierOptions> = {}): Promise<Network> =>
  createNetwork({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 2, dropout: 0, ...options });

/** Reads one tensor of a file, as loadWeights would if it were asked to. */
const readOne = (model: Network, file: string, source: NativeTensorSource): Promise<void> =>
  model.readTensors(file, [source], { allowNonFinite: true });

/** A network's file with one number of a tensor exchanged while `body` runs. */
async function withNumber(
  file: string,
  source: NativeTensorSource,
  value: number,
  body: () => Promise<void>,
): Promise<void> {
  const count = source.shape.reduce((product, side) => product * side, 1);
  const at = source.offset + 4 * Math.floor(count / 2),
    old = Buffer.alloc(4),
    other = Buffer.alloc(4);
  other.writeFloatLE(value);
  const handle = openSync(file, 'r+');
  try {
    readSync(handle, old, 0, 4, at);
    writeSync(handle, other, 0, 4, at);
    await body();
    writeSync(handle, old, 0, 4, at);
  } finally {
    closeSync(handle);
  }
}

const finite = (values: Float32Array): boolean => values.every(Number.isFinite);

/** Whether the answers are finite: of three predictions (the third has kept filters), of features in both ways. */
async function predictions(model: Network): Promise<boolean[]> {
  const found: boolean[] = [];
  for (let call = 0; call < 3; call += 1) found.push(finite((await model.predict(BATCH)).logits));
  found.push(finite((await model.predict({ features: await model.features(BATCH, { prediction: true }) })).logits));
  return found;
}

/** And by the kernels that training has too. */
async function others(model: Network): Promise<boolean[]> {
  const cam = await model.gradCam(BATCH, { layer: model.layers.default, classIndices: Int32Array.of(0, 1) });
  return [finite((await model.predict({ features: await model.features(BATCH) })).logits), finite(cam.logits)];
}

interface Seen {
  readonly tensor: string;
  readonly oracle: boolean;
  readonly ours: readonly boolean[];
  readonly trained: readonly boolean[];
}

/** One number exchanged in every float tensor (every `step`th), one after another. */
async function table(
  architecture: string,
  value: number,
  options: Partial<ClassifierOptions>,
  step = 1,
): Promise<Seen[]> {
  const file = join(dir, `${architecture}.safetensors`);
  using oracle = await create(architecture, { convolution: 'libtorch', precision: options.precision });
  using ours = await create(architecture, options);
  await ours.saveWeights(file);
  await oracle.loadWeights(file);
  const sources = (await openWeightFile(file)).tensors
    .filter(({ dtype }) => dtype === 'F32')
    .filter((_, i) => i % step === 0);
  const seen: Seen[] = [];
  for (const source of sources) {
    await withNumber(file, source, value, async () => {
      for (const model of [oracle, ours]) await readOne(model, file, source);
      seen.push({
        tensor: source.name,
        oracle: finite((await oracle.predict(BATCH)).logits),
        ours: await predictions(ours),
        trained: await others(ours),
      });
    });
    for (const model of [oracle, ours]) await readOne(model, file, source);
  }
  expect((await predictions(ours)).every(Boolean)).toBe(true); // everything is back in its place
  rmSync(file);
  return seen;
}

test.each([
  ['tiny', 'auto', 'float32', 24],
  ['tiny', 'winograd', 'float32', 24],
  ['tiny', 'auto', 'bf16', 24],
  ['resnet18', 'auto', 'float32', 102],
  ['resnet18', 'winograd', 'float32', 102],
  ['densenet121', 'auto', 'float32', 202],
  ['vgg11', 'auto', 'float32', 22],
  ['vgg11_bn', 'auto', 'float32', 54],
] as const)(
  '%s, %s, %s: NaN in any of %i tensors is NaN in every answer',
  async (architecture, convolution, precision, count) => {
    // DenseNet's 606: a third, in which weights, biases, means and variances of every block are.
    const seen = await table(
      architecture,
      Number.NaN,
      { convolution, precision },
      architecture === 'densenet121' ? 3 : 1,
    );
    expect(seen).toHaveLength(count);
    expect(seen.filter(({ oracle }) => oracle)).toEqual([]);
    expect(seen.filter(({ ours, trained }) => [...ours, ...trained].some(Boolean))).toEqual([]);
  },
  600_000,
);

test.each([Infinity, -Infinity, 1e38, -1e38, 1e30])(
  "tiny, %d in any tensor: predictions are finite where LibTorch's are, and nowhere else",
  async (value) => {
    for (const convolution of ['auto', 'winograd'] as const) {
      const seen = await table('tiny', value, { convolution });
      expect(seen.filter(({ oracle, ours }) => ours.some((each) => each !== oracle))).toEqual([]);
      // The kernels of training may overflow where a plain sum does not; they never make something finite.
      expect(seen.filter(({ oracle, trained }) => !oracle && trained.some(Boolean))).toEqual([]);
    }
  },
  120_000,
);

/** Checkpoints as trainings write them (make_files.py checkpoints), and files of other formats (foreign). */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { Classifier, networkOf } from '../../../src/model/classifier';
import { convertWeights } from '../../../src/weights/convert';
import { detectArchitecture } from '../../../src/weights/detect-architecture';
import { encodeHeader } from '../../../src/weights/safetensors';
import { openWeightFile } from '../../../src/weights/open';
import type { LoadReport } from '../../../src/weights/match';
import { batchOf } from '../network/recipe';
import { zip } from './hostile';

const FOLDER = join(__dirname, 'checkpoints');
const FOREIGN = join(__dirname, 'foreign');

interface Expected {
  readonly probabilities: number[][];
  readonly shards: Record<string, { shape: number[]; values: number[] }>;
}

let dir: string;
let expected: Expected;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-checkpoints-'));
  expected = JSON.parse(await readFile(join(FOLDER, 'expected.json'), 'utf8')) as Expected;
});
afterAll(() => rm(dir, { recursive: true }));

/** Loads a file into a new tiny network, which then has to answer what PyTorch answers with these weights. */
async function load(path: string, options: { entry?: string; prefix?: string } = {}): Promise<LoadReport> {
  using model = await Classifier.create({
    architecture: 'tiny',
    classes: ['NonCOVID', 'COVID'],
    device: 'cpu',
    threads: 1,
    seed: 7,
  });
  const report = await model.loadWeights(path, options);
  expect(report).toMatchObject({ unexpected: [], shapeMismatch: [], replacedHead: [] });
  const { probabilities } = await networkOf(model).predict(batchOf([0, 1, 2, 3]));
  expected.probabilities.flat().forEach((value, i) => expect(Math.abs(probabilities[i]! - value)).toBeLessThan(1e-5));
  return report;
}

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_WEIGHTS', message: expect.stringMatching(message) as unknown });

describe('load as they are, and say what was left aside', () => {
  test.each<[string, (string | RegExp)[]]>([
    [
      'imagenet-example.pth',
      [
        "the weights stand under 'state_dict'",
        "left out: 'best_acc1' (a tensor of one number)",
        /wrappers .* 21 names/,
      ],
    ],
    [
      'parallel.pth',
      [
        "left out: 'epoch' (a tensor of one number)",
        "left out: 'rng' (a tensor [5056])",
        "the prefix 'module.' was taken off 27 names",
      ],
    ],
    ['compiled.pth', ["the prefix '_orig_mod.' was taken off 27 names"]],
    [
      'parallel-compiled.pth',
      ["the prefix 'module.' was taken off 27 names", "the prefix '_orig_mod.' was taken off 27 names"],
    ],
    [
      'averaged.pth',
      ["the prefix 'module.' was taken off 27 names", "left out: 'n_averaged' (a count of averaged weights)"],
    ],
    [
      'lightning.pth',
      [
        "the prefix 'net.' was taken off 27 names",
        "left out, since not under 'net.': criterion.weight, train_acc.tp",
        "left out: 'callbacks' (a dictionary of 1)",
      ],
    ],
    [
      'objects.pth',
      [
        "left out: 'device' (a device)",
        "left out: 'dtype' (torch.float16)",
        "left out: 'set' (a set)",
        "left out: 'bytes' (bytes)",
        "left out: 'complex' (a complex number)",
        "left out: 'long' (a number)",
        "left out: 'quantized' (a quantized tensor)",
        "left out: 'sparse' (a sparse tensor)",
      ],
    ],
    ['objects-legacy.pth', ["left out: 'device' (a device)", "left out: 'complex_tensor' (a tensor [1])"]],
    ['objects-inside.pth', ["left out: 'device' (a device)", "left out: 'random_state' (a list)"]],
    ['protocol-3.pth', ["left out: 'frozen' (a set)"]],
    ['protocol-4.pth', ["left out: 'frozen' (a set)"]],
    ['protocol-5.pth', ["left out: 'bytearray' (bytes)"]],
    ['ema-only.pth', ["the weights stand under 'state_dict_ema'"]],
    [
      'ema.pth',
      [
        "the weights stand under 'model'",
        /'model_ema' .*the option entry 'model_ema' takes them/,
        "left out: 'args' (the arguments of a command)",
      ],
    ],
    [
      'deep.pth',
      [
        "the weights stand under 'checkpoint.model'",
        "left out: 'step' (a number)",
        "the prefix 'backbone.encoder.' was taken off 27 names",
      ],
    ],
    ['own-key.pth', ["the weights stand under 'my_weights'"]],
    ['parameters.pth', []],
  ])('%s', async (name, notes) => {
    const report = await load(join(FOLDER, name));
    for (const note of notes)
      expect(report.notes).toContainEqual(typeof note === 'string' ? note : expect.stringMatching(note));
    expect(detectArchitecture((await openWeightFile(join(FOLDER, name))).tensors)).toBe('tiny');
  });

  test.each([
    ['ema.pth', { entry: 'model_ema' }],
    ['two-encoders.pth', { prefix: 'encoder_q.' }],
    ['two-encoders.pth', { prefix: 'encoder_k' }],
    ['two-networks.pth', { entry: 'net' }],
  ])('%s with %j', async (name, options) => {
    await load(join(FOLDER, name), options);
    const out = join(dir, 'chosen.safetensors');
    await convertWeights(join(FOLDER, name), out, options);
    await load(out);
  });

  test('safetensors with the same prefixes, and others beside', async () => {
    const plain = join(dir, 'plain.safetensors');
    await convertWeights(join(FOLDER, 'parameters.pth'), plain);
    const { tensors } = await openWeightFile(plain);
    const data = (await readFile(plain)).subarray(Math.min(...tensors.map(({ offset }) => offset)));
    for (const prefix of ['module.', '_orig_mod.', 'module._orig_mod.', 'model.', 'net.module.encoder.']) {
      const file = join(dir, 'prefixed.safetensors');
      const named = tensors.map((tensor) => ({ ...tensor, name: `${prefix}${tensor.name}` }));
      await writeFile(
        file,
        Buffer.concat([
          encodeHeader([...named, { name: 'loss.weight', dtype: 'F32', shape: [1] }], {}),
          data,
          Buffer.alloc(4),
        ]),
      );
      const { notes } = await load(file);
      expect(notes.at(-1)).toBe(`left out, since not under '${prefix}': loss.weight`);
    }
  });
});

describe('what cannot be decided, or not be read, is an error that says so', () => {
  test.each<[string, RegExp, { entry?: string; prefix?: string }]>([
    ['two-networks.pth', /several, under 'net' and 'model'; name the one you mean by the option entry/, {}],
    [
      'two-encoders.pth',
      /several times, under 'encoder_q\.', 'encoder_k\.'; name the one you mean by the option prefix/,
      {},
    ],
    ['quantized.pth', /'w' is a quantized tensor, which is not read/, {}],
    ['ema.pth', /expected weights under 'ema'; there are some under 'model', 'model_ema'/, { entry: 'ema' }],
    ['lightning.pth', /expected names that begin with 'nets\.'; it has net\.features\.0\.weight/, { prefix: 'nets' }],
  ])('%s', async (name, message, options) => {
    await expect(load(join(FOLDER, name), options)).rejects.toEqual(refusal(message));
  });
});

describe('shards', () => {
  const index = join(FOLDER, 'model.safetensors.index.json');

  test('are read through their index, and become one file', async () => {
    const { format, tensors, notes } = await openWeightFile(index);
    expect(format).toBe('safetensors-index');
    expect(tensors.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(notes).toEqual(['2 shards were read through their index', "the prefix 'module.' was taken off 3 names"]);
    const out = join(dir, 'whole.safetensors');
    await convertWeights(index, out);
    const bytes = await readFile(out);
    const whole = await openWeightFile(out);
    const at = (name: string): number => whole.tensors.find((tensor) => tensor.name === name)?.offset ?? NaN;
    expect(Array.from({ length: 6 }, (_, i) => bytes.readFloatLE(at('a') + 4 * i))).toEqual(
      expected.shards['module.a']?.values,
    );
    expect(Number(bytes.readBigInt64LE(at('c')))).toBe(5);
  });

  test('a network loads from them, whole', async () => {
    const plain = join(dir, 'plain.safetensors');
    await convertWeights(join(FOLDER, 'parameters.pth'), plain);
    const { tensors } = await openWeightFile(plain);
    const bytes = await readFile(plain);
    const folder = join(dir, 'sharded');
    await mkdir(folder);
    const map: Record<string, string> = {};
    for (const [i, part] of [tensors.slice(0, 10), tensors.slice(10)].entries()) {
      const size = { F32: 4, I64: 8 } as Record<string, number>;
      const content = part.map(({ offset, shape, dtype }) =>
        bytes.subarray(offset, offset + shape.reduce((product, side) => product * side, size[dtype]!)),
      );
      await writeFile(join(folder, `${i}.safetensors`), Buffer.concat([encodeHeader(part, {}), ...content]));
      for (const { name } of part) map[name] = `${i}.safetensors`;
    }
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
    expect((await load(join(folder, 'model.safetensors.index.json'))).notes).toContain(
      '2 shards were read through their index',
    );
  });

  const map = {
    'module.a': 'model-00001-of-00002.safetensors',
    'module.b': 'model-00001-of-00002.safetensors',
    'module.c': 'model-00002-of-00002.safetensors',
  };
  test.each<[string, unknown, RegExp]>([
    [
      'a shard that is missing',
      { weight_map: { ...map, 'module.d': 'model-3.safetensors' } },
      /the shard model-3\.safetensors cannot be read: .*ENOENT/,
    ],
    [
      'a shard elsewhere',
      { weight_map: { ...map, 'module.d': '../secret.safetensors' } },
      /expected the name of a file beside the index/,
    ],
    [
      'a shard at an absolute path',
      { weight_map: { ...map, 'module.d': '/etc/passwd' } },
      /expected the name of a file beside the index/,
    ],
    [
      'a tensor that is in another shard',
      { weight_map: { ...map, 'module.b': 'model-00002-of-00002.safetensors' } },
      /'module\.b' is in model-00001-of-00002\.safetensors; it says model-00002/,
    ],
    [
      'a tensor that is nowhere',
      { weight_map: { ...map, 'module.d': 'model-00002-of-00002.safetensors' } },
      /'module\.d' is not in model-00002/,
    ],
    [
      'a tensor that it does not name',
      { weight_map: { 'module.a': map['module.a'], 'module.c': map['module.c'] } },
      /'module\.b' is in .*; it says nothing of it/,
    ],
    [
      'a tensor that is in two shards',
      { weight_map: { ...map, 'module.b': 'copy.safetensors' } },
      /'module\.[ab]' is in/,
    ],
    [
      'a shard that was not fetched',
      { weight_map: { ...map, 'module.d': 'pointer.safetensors' } },
      /the shard pointer\.safetensors cannot be read: .*Git LFS pointer/,
    ],
    ['no map', { metadata: {} }, /expected \{ "weight_map"/],
    ['an empty map', { weight_map: {} }, /is empty/],
    ['a map of numbers', { weight_map: { a: 1 } }, /weight_map\.a/],
    ['no JSON', '{"weight_map": {', /not an index of shards/],
  ])('%s', async (_, content, message) => {
    const folder = await mkdtemp(join(dir, 'shards-'));
    for (const file of ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'])
      await cp(join(FOLDER, file), join(folder, file));
    await cp(join(FOLDER, 'model-00001-of-00002.safetensors'), join(folder, 'copy.safetensors'));
    await writeFile(join(folder, 'pointer.safetensors'), LFS);
    await writeFile(join(folder, 'x.index.json'), typeof content === 'string' ? content : JSON.stringify(content));
    await expect(openWeightFile(join(folder, 'x.index.json'))).rejects.toEqual(refusal(message));
  });
});

const LFS =
  'version https://git-lfs.github.com/spec/v1\noid ' +
  'sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n';
const entry = (name: string): { name: string; content: Buffer } => ({ name, content: Buffer.from('x') });

describe('files of other formats are named for what they are', () => {
  test.each<[string, Buffer | string, RegExp]>([
    ['a Git LFS pointer', LFS, /Git LFS pointer.*git lfs pull/],
    ['a web page', '\n<!DOCTYPE html><html><head><title>Sign in</title>', /a web page: fetch the file itself/],
    ['an error in XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /a web page/],
    ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n\0\0\0', 'latin1'), /HDF5/],
    ['ONNX of PyTorch', Buffer.from('\x08\x08\x12\x07pytorch\x1a\x052.13.0:\x80\x01', 'latin1'), /an ONNX model/],
    ['a SavedModel', Buffer.from('\x08\x01\x12\x80\x80\x04', 'latin1'), /SavedModel/],
    ['TensorFlow Lite', Buffer.from('\x1c\0\0\0TFL3\0\0', 'latin1'), /TensorFlow Lite/],
    ['gzip', gzipSync('weights'), /packed with gzip: unpack it/],
    ['bzip2', 'BZh91AY&SY', /bzip2/],
    ['xz', Buffer.from('\xfd7zXZ\0\0', 'latin1'), /xz/],
    ['Zstandard', Buffer.from('\x28\xb5\x2f\xfd\x04', 'latin1'), /Zstandard/],
    ['GGUF', 'GGUF\x03\0\0\0', /GGUF/],
    ['a tar archive', Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar\0')]), /tar archive/],
    ['an image', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), /a PNG image/],
    ['zeros', Buffer.alloc(4096), /a file of zeros/],
    ['nothing', '', /an empty file/],
    ['JSON', '{"classes": ["a"]}', /JSON/],
    ['a text', 'epoch 1: loss 0.5\n', /it is a text/],
    [
      'a Keras model',
      zip([entry('metadata.json'), entry('config.json'), entry('model.weights.h5')]),
      /a model of Keras/,
    ],
    ['a SavedModel in a zip', zip([entry('m/saved_model.pb')]), /SavedModel of TensorFlow/],
    ['a checkpoint in a zip', zip([entry('runs/best.pth')]), /a zip archive around "runs\/best\.pth": unpack it/],
    [
      'rubbish',
      Buffer.from(deflateRawSync(Buffer.from('no format begins like this one'))),
      /not a whole safetensors file/,
    ],
  ])('%s', async (_, content, message) => {
    const file = join(dir, 'foreign.pth');
    await writeFile(file, content);
    await expect(openWeightFile(file)).rejects.toEqual(refusal(message));
  });

  test.each<[string, RegExp]>([
    ['arrays.npz', /arrays of NumPy \(\.npz\)/],
    ['array.npy', /an array of NumPy \(\.npy\)/],
    ['script.pt', /TorchScript/],
    ['exported.pt2', /torch\.export/],
  ])('%s, as its own library wrote it', async (name, message) => {
    await expect(openWeightFile(join(FOREIGN, name))).rejects.toEqual(refusal(message));
  });

  test('a folder, a device, nothing at all', async () => {
    await expect(openWeightFile(dir)).rejects.toEqual(refusal(/it is a folder/));
    await expect(openWeightFile(join(dir, 'none.pth'))).rejects.toEqual(refusal(/ENOENT/));
    if (existsSync('/dev/null'))
      await expect(openWeightFile('/dev/null')).rejects.toEqual(refusal(/a pipe or a device/));
  });
});

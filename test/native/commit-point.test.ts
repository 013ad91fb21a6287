/**
 * A model is its card, and the card's weights: whoever loads gets one of the models that were saved, never a mixture,
 * and never bytes that the card was not written for.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Classifier } from '../../src/index';
import { networkOf } from '../../src/model/classifier';
import { storeWeights } from '../../src/model/save';
import { weightsIn } from '../helpers/kept';

const OPTIONS = {
  architecture: 'tiny',
  classes: ['negative', 'positive'],
  device: 'cpu',
  threads: 1,
  imageSize: 32,
} as const;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-commit-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A model whose threshold tells which weights it belongs to: the seed, in hundredths. */
async function seeded(seed: number): Promise<Classifier> {
  const model = await Classifier.create({ ...OPTIONS, classes: [...OPTIONS.classes], seed });
  model.configure({ transform: model.transform, threshold: seed / 100 });
  return model;
}

/** The bytes of all tensors of a classifier. */
async function bytesOf(model: Classifier): Promise<string> {
  const { sha256 } = await storeWeights(networkOf(model), dir, { folder: 'compared', name: 'model' }, { origin: '' });
  return sha256;
}

test('a reader that loads while others save gets a saved pair, every time', async () => {
  const seeds = [1, 2, 3];
  const hashes = new Map<number, string>();
  for (const seed of seeds) {
    using model = await seeded(seed);
    await model.save(join(dir, 'model'));
    using loaded = await Classifier.load(join(dir, 'model'), { threads: 1 });
    hashes.set(seed, await bytesOf(loaded));
  }
  const writer = fork(join(__dirname, 'child', 'saver.cjs'), [join(dir, 'model'), ...seeds.map(String)]);
  await once(writer, 'message');
  const seen = new Set<number>();
  for (let round = 0; round < 60; round += 1) {
    using model = await Classifier.load(join(dir, 'model'), { threads: 1 });
    const seed = Math.round(model.threshold * 100);
    seen.add(seed);
    expect(await bytesOf(model)).toBe(hashes.get(seed));
  }
  writer.send('stop');
  await once(writer, 'exit');
  expect(seen.size).toBeGreaterThan(1);
  expect((await readdir(join(dir, 'model'))).filter((name) => name.endsWith('.safetensors'))).toHaveLength(1);
}, 60_000);

test('two savers at once leave one whole model', async () => {
  using first = await seeded(1);
  using second = await seeded(2);
  await Promise.all([first.save(join(dir, 'both')), second.save(join(dir, 'both')), first.save(join(dir, 'both'))]);
  using model = await Classifier.load(join(dir, 'both'), { threads: 1 });
  const own = model.threshold === 0.01 ? first : second;
  expect(await bytesOf(model)).toBe(await bytesOf(own));
  expect((await readdir(join(dir, 'both'))).sort()).toEqual(
    ['model.json', expect.stringMatching(/^model-[0-9a-f]{16}\.safetensors$/)].sort(),
  );
});

test('a flipped bit is refused, wherever it is; size alone does not see it', async () => {
  using model = await seeded(1);
  await model.save(dir);
  const file = await weightsIn(dir);
  const { length } = await readFile(file);
  const handle = await open(file, 'r+');
  try {
    for (let bit = 0; bit < 50; bit += 1) {
      const at = Math.floor((bit / 50) * length);
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, at);
      const flipped = Buffer.from([byte[0]! ^ (1 << (bit % 8))]);
      await handle.write(flipped, 0, 1, at);
      await expect(Classifier.load(dir, { threads: 1 })).rejects.toMatchObject({
        code: 'ERR_WEIGHTS',
        message: expect.stringMatching(/expected the weights that model\.json was written for, of SHA-256/) as string,
      });
      if (bit === 49) (await Classifier.load(dir, { threads: 1, verify: 'size' })).dispose();
      await handle.write(byte, 0, 1, at);
    }
  } finally {
    await handle.close();
  }
  (await Classifier.load(dir, { threads: 1 })).dispose();
  await writeFile(file, (await readFile(file)).subarray(0, length - 4));
  await expect(Classifier.load(dir, { verify: 'size' })).rejects.toThrow(`of ${length} bytes; got ${length - 4} bytes`);
});

test('a model folder of version 0.1.0 loads, and is replaced whole', async () => {
  using model = await seeded(1);
  const card = await model.save(dir);
  const { sha256, bytes, ...old } = card;
  void [sha256, bytes];
  await rename(join(dir, card.weights), join(dir, 'model.safetensors'));
  await writeFile(join(dir, 'model.json'), JSON.stringify({ ...old, weights: 'model.safetensors' }));
  using loaded = await Classifier.load(dir, { threads: 1 });
  expect(await bytesOf(loaded)).toBe(await bytesOf(model));
  await loaded.save(dir);
  expect(await readdir(dir)).not.toContain('model.safetensors');
});

test('what a killed saver has left is removed by the next; a file of another library stays', async () => {
  using model = await seeded(1);
  const left = [
    '.model.safetensors.1-0123abcd.tmp',
    '.model.json.1-0123abcd.tmp',
    'model-0123456789abcdef.safetensors',
  ];
  for (const name of [...left, 'model.safetensors', 'notes.txt']) await writeFile(join(dir, name), 'x');
  await model.save(dir);
  expect((await readdir(dir)).sort()).toEqual(
    ['model.json', expect.stringMatching(/^model-/), 'model.safetensors', 'notes.txt'].sort(),
  );
});

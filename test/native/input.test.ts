/** The network's input: the same bits however it is made; resizing beside the steps. */
import { makeBatch } from '../../src/data/batch';
import { loadBatches } from '../../src/data/loader';
import { makeDraw } from '../../src/data/random';
import { PixelStore } from '../../src/data/store';
import type { Dataset, Pixels } from '../../src/data/types';
import { createNetwork } from '../../src/model/open-network';
import { Resizer } from '../../src/model/resizer';
import { PIXEL_OP } from '../../src/addon/batch';
import type { NativeBatch } from '../../src/addon/batch';
import { coloredPhantom } from '../helpers/images';
import { SIZE, TRANSFORMS, open, raw } from './inputs';
import { makePixels } from '../helpers/images';

const images = Array.from({ length: 5 }, (_, index) => coloredPhantom(index, 50 + 9 * index));
const draws = () => images.map((_, sample) => makeDraw({ seed: 1, sample }));

describe.each(Object.entries(TRANSFORMS))('%s', (_name, transform) => {
  test.each([1, 3] as const)(
    '%i channels: the same in any memory format, on any number of threads, alone or in a batch',
    async (channels) => {
      const [one, two] = [await raw({ channels, threads: 1 }), await raw({ channels, threads: 2 })];
      const batch = makeBatch(images, null, transform, draws());
      const expected = await two.input(batch);
      expect(expected).toHaveLength(images.length * channels * SIZE * SIZE);
      expect(await one.input(batch)).toEqual(expected);
      expect(await two.input(batch, { channelsLast: true })).toEqual(expected);
      expect(await two.input(batch, { discard: true })).toHaveLength(0);
      const single = await Promise.all(
        images.map((image, i) => two.input(makeBatch([image], null, transform, [draws()[i]!]))),
      );
      expect(Float32Array.from(single.flatMap((each) => [...each]))).toEqual(expected);
    },
  );

  test('the numbers are (v / 255 - mean) / std in float32 of the bytes the operations leave', async () => {
    const handle = await raw();
    const seen = await handle.input(makeBatch(images, null, transform, draws()));
    const batch: NativeBatch = {
      ...makeBatch(images, null, transform, draws()),
      mean: new Float64Array(3),
      std: new Float64Array(3).fill(1),
    };
    const plain = await handle.input(batch);
    const { mean, std } = makeBatch(images, null, transform, draws());
    const plane = SIZE * SIZE;
    const expected = plain.map((value, i) => {
      const channel = Math.floor(i / plane) % 3;
      return Math.fround(
        Math.fround(Math.fround(Math.round(value * 255) / 255) - Math.fround(mean[channel]!)) /
          Math.fround(std[channel]!),
      );
    });
    expect(seen).toEqual(expected);
  });
});

test('a box that is cut first is the box of the whole image', async () => {
  const handle = await raw();
  const side = 6;
  const { data } = makePixels(side, side, (i) => i);
  const cut = (top: number, left: number, height: number, width: number): NativeBatch => ({
    images: [data],
    sizes: Int32Array.of(side, side),
    programs: Int32Array.of(PIXEL_OP.CROP, top, left, height, width),
    programOffsets: Int32Array.of(0, 1),
    height,
    width,
    mean: new Float64Array(3),
    std: new Float64Array(3).fill(1),
  });
  const at = (y: number, x: number, channel: number): number =>
    y < 0 || x < 0 || y >= side || x >= side ? 0 : data[(y * side + x) * 3 + channel]!;
  for (const [top, left, height, width] of [
    [0, 0, 6, 6],
    [2, 1, 3, 4],
    [5, 5, 1, 1],
    [0, 3, 6, 3],
    [-1, -2, 4, 9],
    [4, 0, 2, 6],
  ] as const) {
    const seen = [...(await handle.input(cut(top, left, height, width)))].map((value) => Math.round(value * 255));
    const expected = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: height * width }, (_, i) => at(top + Math.floor(i / width), left + (i % width), channel)),
    );
    expect(seen).toEqual(expected);
  }
});

test('sizes that the bytes do not bear out are refused before memory is asked for', async () => {
  const handle = await raw();
  const batch: NativeBatch = {
    images: [new Uint8Array(12), new Uint8Array(12)],
    sizes: Int32Array.of(2, 2, 16384, 16384),
    programs: Int32Array.of(PIXEL_OP.RESIZE, 2, 2, 0, 0),
    programOffsets: Int32Array.of(0, 0, 1),
    height: 2,
    width: 2,
    mean: new Float64Array(3),
    std: new Float64Array(3).fill(1),
  };
  const refused = (each: NativeBatch) => expect((async () => handle.input(each))()).rejects;
  await refused(batch).toMatchObject({
    code: 'ERR_BAD_BATCH',
    message: expect.stringContaining('has 12 bytes, expected height x width x 3 = 16384 x 16384 x 3'),
  });
  await refused({ ...batch, sizes: Int32Array.of(2, 2, -1, 2) }).toMatchObject({
    code: 'ERR_BAD_BATCH',
    message: expect.stringContaining('-1 x 2 pixels'),
  });
});

test('the arrays may be written to as soon as a call has returned, and memory is used again', async () => {
  const handle = await raw();
  const batch = makeBatch(images, null, TRANSFORMS['train']!, draws());
  const expected = await handle.input(batch);
  for (let round = 0; round < 20; round += 1) {
    const copies = images.map((image) => ({ ...image, data: Uint8Array.from(image.data) }));
    const work = Array.from({ length: 3 }, () => handle.input(makeBatch(copies, null, TRANSFORMS['train']!, draws())));
    for (const { data } of copies) data.fill(0);
    for (const seen of await Promise.all(work)) expect(seen).toEqual(expected);
  }
});

describe('resizing beside the steps', () => {
  const dataset: Dataset = {
    name: 'phantoms',
    classes: ['a', 'b'],
    samples: images.map((pixels, i) => ({
      id: String(i),
      label: i % 2,
      source: { name: String(i), resize: null, readPixels: () => Promise.resolve(pixels) },
    })),
  };

  test.each(['train', 'evaluation', 'aspect'])(
    '%s: the input is the same, bit for bit, in every epoch',
    async (name) => {
      const model = await createNetwork({ architecture: 'tiny', classes: ['a', 'b'], device: 'cpu' });
      open.push(model);
      const stores = [new PixelStore(), new PixelStore()];
      const walk = async (epoch: number, store: PixelStore, ahead: boolean): Promise<Float32Array[]> => {
        const inputs = [];
        for await (const { input } of loadBatches({
          dataset,
          transform: TRANSFORMS[name]!,
          store,
          resize: ahead ? model.resizePixels : undefined,
          batchSize: 2,
          epoch,
          shuffle: true,
        }))
          inputs.push(await model.input(input));
        return inputs;
      };
      for (const epoch of [1, 2])
        expect(await walk(epoch, stores[0]!, true)).toEqual(await walk(epoch, stores[1]!, false));
      expect(stores[0]!.stats.decodes).toBe(images.length);
    },
  );

  test('a network of one channel makes images gray first, so it resizes in the step', async () => {
    const model = await createNetwork({ architecture: 'tiny', classes: ['a', 'b'], device: 'cpu', channels: 1 });
    open.push(model);
    expect(model.resizePixels).toBeUndefined();
  });

  test('dispose rejects what is open and may be called twice; nothing begins afterward', async () => {
    const resizer = new Resizer();
    const work = images.map((image) => resizer.resize(image, { height: 2000, width: 2000 }));
    resizer.dispose();
    resizer.dispose();
    for (const { status, ...rest } of await Promise.allSettled(work))
      expect(status === 'fulfilled' || (rest as { reason: { code: string } }).reason.code === 'ERR_DISPOSED').toBe(
        true,
      );
    await expect(resizer.resize(images[0]!, { height: 2, width: 2 })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    const unused = new Resizer();
    unused.dispose();
    await expect(unused.resize(images[0]!, { height: 2, width: 2 })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('what would corrupt memory is refused', async () => {
    const resizer = new Resizer();
    open.push(resizer);
    for (const [pixels, size] of [
      [
        { data: new Uint8Array(10), height: 2, width: 2 },
        { height: 1, width: 1 },
      ],
      [
        { data: new Float32Array(12), height: 2, width: 2 },
        { height: 1, width: 1 },
      ],
      [
        { data: new Uint8Array(12), height: 2, width: 2 },
        { height: 0, width: 1 },
      ],
      [
        { data: new Uint8Array(12), height: 2, width: 2 },
        { height: 2 ** 20, width: 2 ** 20 },
      ],
      [
        { data: new Uint8Array(12), height: NaN, width: 2 },
        { height: 1, width: 1 },
      ],
    ] as const)
      await expect(resizer.resize(pixels as Pixels, size)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(BAD_BATCH|INVALID_OPTION)$/),
      });
    expect(
      await resizer.resize({ data: new Uint8Array(3).fill(9), height: 1, width: 1 }, { height: 2, width: 3 }),
    ).toEqual({ data: new Uint8Array(18).fill(9), height: 2, width: 3 });
  });
});

/** 16-bit images: what is refused for want of contrast, what `sixteenBit` makes of it, and where it is kept. */
import path from 'node:path';
import { decodeImage } from '../../../../src/data/images/decode';
import { datasetFingerprint } from '../../../../src/data/fingerprint';
import { PackedDataset } from '../../../../src/data/packed/packed';
import { fromSamples, splitDataset } from '../../../../src/data/samples';
import { PixelStore } from '../../../../src/data/store';
import { storedSixteenBit } from '../../../../src/data/packed/packed-resize';
import { BadImageError, DatasetError, InvalidOptionError } from '../../../../src/errors';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { grayPng } from '../../../helpers/images';
import { newFolder, removeFolders } from '../helpers';
import { rawPgm16, rawPng, rawTiff16 } from '../../../helpers/image-files';

afterEach(removeFolders);

const [width, height] = [16, 12];
const ramp = (most: number, least = 0): number[] =>
  Array.from({ length: width * height }, (_, i) => least + Math.round((i * (most - least)) / (width * height - 1)));
const TWELVE = { low: 0, high: 4095 };
const makers = [
  ['PNG', (samples: number[]) => rawPng({ width, height, bits: 16, samples })],
  ['TIFF', (samples: number[]) => rawTiff16({ width, height, samples })],
  ['PGM', (samples: number[]) => rawPgm16({ width, height, samples })],
] as const;

async function reason(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(BadImageError);
  return (error as BadImageError).reason;
}
const gray = async (source: Uint8Array, options = {}): Promise<number[]> =>
  [...(await decodeImage(source, options)).data].filter((_, i) => i % 3 === 0);

describe.each(makers)('%s', (_name, make) => {
  test('12 bits in 16 are refused with the option that reads them', async () => {
    expect(await reason(decodeImage(make(ramp(4095))))).toBe(
      'its 16-bit samples use the values 0 to 4095 of 0 to 65535, less than an eighth, ' +
        'so that it would come out without contrast; say which values are black and ' +
        'white, e.g. sixteenBit: { low: 0, high: 4095 } (--sixteen-bit 0:4095)',
    );
    expect(await reason(decodeImage(make(ramp(34_000, 32_000))))).toContain('use the values 32000 to 34000');
  });

  test('with the option black is 0, white 255, and the rest is cut off', async () => {
    expect(await gray(make(ramp(4095)), { sixteenBit: TWELVE })).toEqual(ramp(4095).map((value) => value >> 4));
    expect(
      await gray(make([0, 999, 1000, 1500, 2000, 2001, 65_535]), { sixteenBit: { low: 1000, high: 2000 } }),
    ).toEqual([0, 0, 0, 127, 255, 255, 255, ...Array<number>(width * height - 7).fill(0)]);
  });

  test('what uses an eighth or more keeps its high byte, and so does everything that is asked to', async () => {
    expect(await gray(make(ramp(65_535)))).toEqual(ramp(65_535).map((value) => value >> 8));
    expect(await gray(make(ramp(8192)))).toEqual(ramp(8192).map((value) => value >> 8));
    expect(await reason(decodeImage(make(ramp(8191))))).toContain('less than an eighth');
    expect(await gray(make(ramp(4095)), { sixteenBit: { low: 0, high: 65_535 } })).toEqual(
      ramp(4095).map((value) => value >> 8),
    );
  });
});

test('a PGM that names its white uses all of its range', async () => {
  const pgm = rawPgm16({ width, height, samples: ramp(4095), maxval: 4095 });
  expect(await gray(pgm)).toEqual(ramp(4095).map((value) => value >> 4));
  expect(await reason(decodeImage(rawPgm16({ width, height, samples: ramp(500), maxval: 4095 })))).toContain(
    'of 0 to 4095',
  );
});

test('signed 16 bits and floating point are refused by what they are', async () => {
  expect(await reason(decodeImage(rawTiff16({ width, height, samples: ramp(900, -1000), format: 2 })))).toContain(
    'its samples are short, whose black and white are not known',
  );
  expect(await reason(decodeImage(path.resolve(__dirname, '../../../parity/transforms/fixtures/float.tif')))).toContain(
    'its samples are float',
  );
});

test('8-bit images are left alone', async () => {
  const png = await grayPng(7);
  expect(await decodeImage(png, { sixteenBit: TWELVE })).toEqual(await decodeImage(png));
});

test.each([[{ low: 5, high: 5 }], [{ low: -1, high: 5 }], [{ low: 0, high: 65_536 }], [{ low: 0 }], ['0:4095']])(
  '%j is no sixteenBit',
  async (sixteenBit) => {
    await expect(decodeImage(await grayPng(7), { sixteenBit } as never)).rejects.toBeInstanceOf(InvalidOptionError);
  },
);

test('a store keeps what it scaled in two ways apart', async () => {
  const sample = { source: rawPng({ width, height, bits: 16, samples: ramp(4095) }) };
  const store = new PixelStore({ sixteenBit: TWELVE });
  const [own, other, again] = [
    await store.get(sample),
    await store.get(sample, { sixteenBit: { low: 0, high: 1023 } }),
    await store.get(sample),
  ];
  expect([own.data[30], other.data[30]]).toEqual([13, 53]);
  expect([again.data, own.key === other.key, again.key === own.key]).toEqual([own.data, false, true]);
  expect(store.stats.decodes).toBe(2);
  await expect(new PixelStore().get(sample)).rejects.toBeInstanceOf(BadImageError);
});

describe('packed', () => {
  const data = () =>
    splitDataset(
      fromSamples({
        classes: ['a', 'b'],
        samples: Array.from({ length: 8 }, (_, i) => ({
          source: rawPng({ width, height, bits: 16, samples: ramp(4095 - i) }),
          label: i % 2,
          id: `${i}`,
        })),
      }),
      { fractions: { train: 0.5, validation: 0.5 } },
    );

  test('a packed data set says how its pixels were scaled, has another fingerprint, and cannot be scaled otherwise', async () => {
    const folder = newFolder();
    await expect(preparePacked(data(), path.join(folder, 'none.pack'))).rejects.toBeInstanceOf(BadImageError);
    await preparePacked(data(), path.join(folder, 'twelve.pack'), { sixteenBit: TWELVE });
    await using packed = await PackedDataset.open(path.join(folder, 'twelve.pack'));
    expect(packed.sixteenBit).toEqual(TWELVE);
    expect(datasetFingerprint(packed.train)).not.toBe(datasetFingerprint(data().train));
    expect(storedSixteenBit([packed.train], undefined)).toEqual(TWELVE);
    expect(storedSixteenBit([data().train], undefined)).toBeUndefined();
    expect(() => storedSixteenBit([packed.train], { low: 0, high: 1023 })).toThrow(DatasetError);
    expect((await decodeImage(packed.train.samples[0]!.source)).data).toEqual(
      (await decodeImage(data().train.samples[0]!.source, { sixteenBit: TWELVE })).data,
    );
    await expect(
      preparePacked(packed, path.join(folder, 'other.pack'), { sixteenBit: { low: 0, high: 9 } }),
    ).rejects.toBeInstanceOf(DatasetError);
    await preparePacked(packed, path.join(folder, 'again.pack'));
    await using again = await PackedDataset.open(path.join(folder, 'again.pack'));
    expect(again.sixteenBit).toEqual(TWELVE);
  });
});

/** Nothing but an image of a format that is read reaches libvips, and no more of it than the limits allow. */
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { decodeImage, encodePng } from '../../../../src/data/images/decode';
import * as libvips from '../../../../src/data/images/libvips';
import { PixelStore } from '../../../../src/data/store';
import { MAX_PIXELS_ON_THE_WAY, transformProblem } from '../../../../src/data/transforms/limits';
import { aspectEval, tutorialEval, tutorialTrain } from '../../../../src/data/transforms/presets';
import { BadImageError } from '../../../../src/errors';
import { grayPng } from '../../../helpers/images';
import { newFolder, removeFolders, writeAt } from '../helpers';
import { rawPng } from '../../../helpers/image-files';

jest.mock('../../../../src/data/images/libvips', () => {
  const actual = jest.requireActual<typeof libvips>('../../../../src/data/images/libvips');
  return { ...actual, decodeWithLibvips: jest.fn(actual.decodeWithLibvips) };
});

beforeEach(() => jest.mocked(libvips.decodeWithLibvips).mockClear());
afterEach(removeFolders);

async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(BadImageError);
  return (error as BadImageError).reason;
}

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="30000" ' +
  `height="30000">${'<rect width="9" height="9"/>'.repeat(2000)}</svg>`;
const foreign: readonly (readonly [string, Buffer, string])[] = [
  ['an SVG', Buffer.from(svg), 'an SVG drawing'],
  ['an SVG in gzip', gzipSync(svg), 'gzip-compressed data'],
  ['a PDF', Buffer.from('%PDF-1.7\n'), 'a PDF document'],
  ['a Radiance HDR', Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n'), 'a Radiance HDR image'],
  ['a libvips image', Buffer.concat([Buffer.from([0x08, 0xf2, 0xa6, 0xb6]), Buffer.alloc(80)]), 'a libvips image'],
  ['a matrix in text', Buffer.from('30000 30000\n1 2 3\n'), 'text'],
  ['a MATLAB file', Buffer.from('MATLAB 5.0 MAT-file, made up'), 'a MATLAB file'],
  ['a HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), 'a HEIC image'],
];

test.each(foreign)('%s, of whatever name, is named and not given to libvips', async (_name, bytes, words) => {
  for (const source of [bytes, writeAt(newFolder(), 'slice.png', bytes)])
    expect(await refusal(decodeImage(source))).toContain(`it is ${words}`);
  expect(libvips.decodeWithLibvips).not.toHaveBeenCalled();
});

test('the loaders of other formats are blocked, the drawings of reports are not', async () => {
  await decodeImage(await grayPng(7));
  const vips = Buffer.concat([Buffer.from([0x08, 0xf2, 0xa6, 0xb6]), Buffer.alloc(80)]);
  await expect(sharp(writeAt(newFolder(), 'a.v', vips)).metadata()).rejects.toThrow(/unsupported/);
  expect(
    (await sharp(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')).metadata()).format,
  ).toBe('svg');
});

test('sides, area and bytes have limits, which are looked at before the pixels', async () => {
  const tall = rawPng({ width: 1, height: 3_000_000 });
  expect(tall.length).toBeLessThan(10_000);
  expect(await refusal(decodeImage(tall))).toBe('it has 1 x 3000000 pixels, and a side more than maxSide 16384');
  expect(await refusal(decodeImage(rawPng({ width: 8000, height: 8000, rows: 2 })))).toBe(
    'it has 8000 x 8000 pixels, more than maxPixels 50000000',
  );
  expect(await refusal(decodeImage(rawPng({ width: 16_384, height: 16_384, rows: 1 })))).toBe(
    'it has 16384 x 16384 pixels, more than maxPixels 50000000',
  );
  expect((await decodeImage(rawPng({ width: 1, height: 20_000 }), { maxSide: 20_000 })).height).toBe(20_000);
  const png = await grayPng(7, 20, 30);
  expect(await refusal(decodeImage(png, { maxSide: 29 }))).toContain('maxSide 29');
  expect((await decodeImage(png, { maxSide: 30 })).width).toBe(30);
  expect(await refusal(decodeImage(png, { maxFileBytes: png.length - 1 }))).toContain('more than maxFileBytes');
});

test('what a decoder says is told once, and as a sentence', async () => {
  const words = async (bytes: Buffer): Promise<string> => refusal(decodeImage(bytes));
  expect(await words(rawPng({ width: 0xffffffff, height: 0xffffffff, rows: 0 }))).toMatch(/header$/);
  const avif = await words(Buffer.from('\0\0\0\x1cftypavif\0\0\0\0avifmif1', 'latin1'));
  expect(avif.match(/bad seek/g)?.length ?? 0).toBeLessThan(3);
});

test('a decoding that takes longer than its time is ended', async () => {
  const slow = await encodePng({ data: new Uint8Array(6000 * 6000 * 3), width: 6000, height: 6000 });
  const timeout = jest.spyOn(sharp.prototype, 'timeout');
  await decodeImage(slow, { decodeTimeoutMs: 60_001 });
  expect(timeout).toHaveBeenCalledWith({ seconds: 61 });
  timeout.mockRestore();
});

test.each([
  ['tutorialEval', tutorialEval(), 1, 16_384, true],
  ['tutorialEval', tutorialEval(), 1, 3_000_000, true],
  ['tutorialEval', tutorialEval(), 3_000_000, 1, true],
  ['aspectEval', aspectEval(), 1, 16_384, false],
  ['aspectEval', aspectEval(), 16_384, 1, false],
  ['aspectEval', aspectEval(), 40, 16_384, true],
  ['tutorialTrain', tutorialTrain(), 16_384, 2, false],
  ['tutorialTrain', tutorialTrain(), 512, 512, true],
  ['aspectEval', aspectEval({ size: 2048 }), 16_384, 16_384, true],
] as const)('%s of %j: %d x %d goes through: %s', (_name, transform, width, height, fits) => {
  const problem = transformProblem(transform, { width, height });
  expect(problem === null).toBe(fits);
  if (problem !== null) expect(problem).toContain(`at most ${MAX_PIXELS_ON_THE_WAY} are allowed`);
});

test('the store resizes nothing that would grow beyond its limit, and tells whom it concerns', async () => {
  const store = new PixelStore({ onBadFile: 'skip', maxSide: 100_000 });
  const resize = jest.fn();
  const sample = { id: 'a', source: rawPng({ width: 1, height: 100_000 }), label: 0, origin: 'list.txt:3' };
  expect(await store.load(sample, 0, { ahead: { size: 256, resize } })).toBeNull();
  expect(store.skipped[0]!.reason).toContain('resize would make');
  expect(resize).not.toHaveBeenCalled();
  expect((await store.get(sample)).height).toBe(100_000); // without the resize it is an image as any
});

test('texts and profiles of a PNG, which unpack to gigabytes, are not unpacked', async () => {
  const png = await grayPng(7, 20, 30);
  const body = Buffer.concat([
    Buffer.from('zTXtk\0\0', 'latin1'),
    deflateSync(Buffer.alloc(7_000_000, 97), { level: 9 }),
  ]);
  const text = Buffer.alloc(body.length + 8);
  text.writeUInt32BE(body.length - 4, 0);
  body.copy(text, 4);
  text.writeUInt32BE(crc32(body), body.length + 4);
  const before = process.memoryUsage().rss;
  const decoded = await decodeImage(
    Buffer.concat([png.subarray(0, 33), ...Array<Buffer>(200).fill(text), png.subarray(33)]),
  );
  expect(decoded).toEqual(await decodeImage(png));
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
});

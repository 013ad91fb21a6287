/**
 * Decoding: what is refused and how it is said; the bytes of every kind of file are compared with PIL in test/parity.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeImage, encodePng, imageLibraryVersions, letterbox } from '../../../../src/data/images/decode';
import { BadImageError } from '../../../../src/errors';
import { grayPixels, grayPng, makePixels } from '../../../helpers/images';
import { newFolder, removeFolders, writeAt } from '../helpers';

const FIXTURES = path.resolve(__dirname, '../../../parity/transforms/fixtures');
afterEach(removeFolders);

async function refusal(work: Promise<unknown>): Promise<BadImageError> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(BadImageError);
  return error as BadImageError;
}

test('PNG keeps every byte, from a path and from a Buffer', async () => {
  const { data, ...size } = makePixels(5, 7, (index) => index * 37);
  const png = await encodePng({ data, ...size });
  const file = writeAt(newFolder(), 'a, b [c]%0.png', png);
  for (const source of [file, png, new Uint8Array(png)]) {
    const pixels = await decodeImage(source);
    expect([pixels.width, pixels.height, ArrayBuffer.isView(pixels.data)]).toEqual([7, 5, true]);
    expect([...pixels.data]).toEqual([...data]);
  }
});

test('the content decides, not the name: a JPEG called .png', async () => {
  const [inside, plain] = await Promise.all(
    ['jpeg-inside.png', 'rgb.jpg'].map((name) => decodeImage(path.join(FIXTURES, name))),
  );
  expect([...inside!.data]).toEqual([...plain!.data]);
});

test('an image of one pixel', async () => {
  expect([...(await decodeImage(await grayPng(7, 1, 1))).data]).toEqual([255, 255, 255]);
});

test.each(['truncated.jpg', 'truncated.png', 'float.tif'])(
  '%s is an error that names file, reason and line',
  async (name) => {
    const file = path.join(FIXTURES, name);
    const error = await refusal(decodeImage(file, { origin: 'list.txt:12' }));
    expect(error.code).toBe('ERR_BAD_IMAGE');
    expect(error.source).toBe(file);
    expect(error.message).toContain(`cannot decode ${file} (listed in list.txt:12): ${error.reason}.`);
    expect(error.message).toContain("onBadFile: 'skip'");
    expect(error.reason.length).toBeGreaterThan(5);
  },
);

test('other refusals: no file, a folder, nothing in it, text, a drawing', async () => {
  const root = newFolder();
  expect((await refusal(decodeImage(path.join(root, 'none.png')))).reason).toBe('no such file');
  expect((await refusal(decodeImage(root))).reason).toBe('it is not a file');
  expect((await refusal(decodeImage(writeAt(root, 'empty.png', '')))).reason).toBe('it is empty');
  expect((await refusal(decodeImage(writeAt(root, 'text.png', 'no image at all')))).reason).toMatch(
    /^it is text; read are PNG, JPEG/,
  );
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
  expect((await refusal(decodeImage(Buffer.from(svg)))).reason).toMatch(/^it is an SVG drawing/);
  expect((await refusal(decodeImage(Buffer.from('xx')))).source).toBe('(2 bytes in memory)');
});

test('limits on pixels and on bytes', async () => {
  const png = await grayPng(7, 20, 30);
  expect((await refusal(decodeImage(png, { maxPixels: 599 }))).reason).toBe(
    'it has 30 x 20 pixels, more than maxPixels 599',
  );
  expect((await decodeImage(png, { maxPixels: 600 })).width).toBe(30);
  const file = writeAt(newFolder(), 'a.png', png);
  expect((await refusal(decodeImage(file, { maxFileBytes: 10 }))).reason).toContain('more than maxFileBytes 10');
});

test('a fired signal, and one that fires on the way', async () => {
  const png = readFileSync(path.join(FIXTURES, 'wide.png'));
  await expect(decodeImage(png, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  const controller = new AbortController();
  const work = decodeImage(path.join(FIXTURES, 'wide.png'), { signal: controller.signal });
  controller.abort();
  await expect(work).rejects.toMatchObject({ name: 'AbortError' });
});

test('letterbox fits without distortion and fills the rest', async () => {
  const { data, width, height } = await letterbox(grayPixels(100, 10, 20), 20, 0);
  expect([width, height]).toEqual([20, 20]);
  const rowIsBlack = Array.from({ length: 20 }, (_, row) => data[(row * 20 + 10) * 3] === 0);
  expect(rowIsBlack).toEqual([
    ...Array<boolean>(5).fill(true),
    ...Array<boolean>(10).fill(false),
    ...Array<boolean>(5).fill(true),
  ]);
});

test('library versions', () => {
  expect(imageLibraryVersions()).toMatchObject({
    sharp: expect.stringMatching(/^\d+\.\d+/),
    vips: expect.stringMatching(/^8\./),
  });
});

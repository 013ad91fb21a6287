/** What a file is, by its first bytes: every format that is read, and everything else under its own name. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { contentOf, FIRST_BYTES, imageFormatOf, whyNotRead } from '../../../../src/data/images/format';

const FIXTURES = path.resolve(__dirname, '../../../parity/transforms/fixtures');
const bytes = (text: string, at = 0): Buffer => Buffer.concat([Buffer.alloc(at), Buffer.from(text, 'latin1')]);
const iso = (major: string, ...more: string[]): Buffer => {
  const brands = bytes(`ftyp${major}\0\0\0\0${more.join('')}`);
  return Buffer.concat([Buffer.from([0, 0, 0, brands.length + 4]), brands, Buffer.from('meta')]);
};

test('every fixture is what it is, whatever its name', () => {
  const formats = { jpg: 'jpeg', tif: 'tiff', png: 'png', webp: 'webp', gif: 'gif' } as const;
  const files = readdirSync(FIXTURES).filter((name) => !name.endsWith('.json'));
  expect(files.length).toBeGreaterThan(40);
  for (const name of files) {
    const expected = name === 'jpeg-inside.png' ? 'jpeg' : formats[name.split('.').at(-1) as 'jpg'];
    if (expected !== undefined)
      expect([name, imageFormatOf(readFileSync(path.join(FIXTURES, name)))]).toEqual([name, expected]);
  }
});

test.each([
  ['bmp', bytes('BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0')],
  ['bmp', bytes('BM\x46\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0')],
  ['pnm', bytes('P5\n8 8\n255\n')],
  ['pnm', bytes('P1# a comment')],
  ['pnm', bytes('P7\nWIDTH 8')],
  ['tiff', bytes('MM\0*\0\0\0\x08')],
  ['tiff', bytes('II+\0\x08\0\0\0')],
  ['tiff', bytes('MM\0+\0\x08\0\0')],
  ['avif', iso('avif', 'mif1')],
  ['avif', iso('avis', 'avif')],
  ['avif', iso('mif1', 'miaf', 'avif')],
] as const)('%s', (format, first) => expect(imageFormatOf(first)).toBe(format));

test.each([
  ['DICOM', bytes('DICM', 128)],
  ['DICOM', bytes('\x08\0\x05\0CS')],
  ['NIfTI', bytes('n+1\0', 344)],
  ['NIfTI', bytes('\x5c\x01\0\0')],
  ['NRRD', bytes('NRRD0004')],
  ['FITS', bytes('SIMPLE  =    T')],
  ['MATLAB', bytes('MATLAB 5.0 MAT-file')],
  ['HDF5', bytes('\x89HDF\r\n\x1a\n')],
  ['NumPy', bytes('\x93NUMPY\x01\0')],
  ['JPEG XL', bytes('\xff\x0a\xfa')],
  ['JPEG XL', bytes('\0\0\0\x0cJXL \r\n\x87\n')],
  ['JPEG 2000', bytes('\0\0\0\x0cjP  \r\n\x87\n')],
  ['JPEG 2000', bytes('\xff\x4f\xff\x51')],
  ['JPEG-LS', bytes('\xff\xd8\xff\xf7')],
  ['Radiance', bytes('#?RADIANCE\n')],
  ['OpenEXR', bytes('\x76\x2f\x31\x01')],
  ['PFM', bytes('Pf\n2 2')],
  ['PDF', bytes('%PDF-1.7')],
  ['PostScript', bytes('%!PS-Adobe')],
  ['zip', bytes('PK\x03\x04')],
  ['gzip', bytes('\x1f\x8b\x08')],
  ['7z', bytes('7z\xbc\xaf\x27\x1c')],
  ['tar', bytes('ustar', 257)],
  ['AppleDouble', bytes('\0\x05\x16\x07')],
  ['Git LFS', bytes('version https://git-lfs.github.com/spec/v1')],
  ['SVG', bytes('<svg xmlns="x">')],
  ['SVG', bytes('\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg>')],
  ['SVG', bytes('\xff\xfe<\0s\0v\0g\0>\0')],
  ['HTML', bytes('\n<!DOCTYPE html><html><svg>')],
  ['XML', bytes('<?xml version="1.0"?><a/>')],
  ['JSON', bytes('{"a": 1}')],
  ['text', bytes('no image at all')],
  ['text', bytes('BM is what this begins with')],
  ['text', bytes('P5x')],
  ['zeros', Buffer.alloc(64)],
  ['HEIC', iso('heic', 'mif1', 'heic')],
  ['HEIC', iso('mif1', 'heic')],
  ['"isom"', iso('isom', 'mp42')],
  ['no known format (it begins with de ad be ef 00 01)', bytes('\xde\xad\xbe\xef\0\x01')],
] as const)('%s is named and not read', (name, first) => {
  expect(contentOf(first).format).toBeNull();
  expect(whyNotRead(first)).toContain(name);
  expect(whyNotRead(first)).toContain('read are PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PBM, PGM, PPM, PAM');
});

test('chance inside an image does not make it something else, and no beginning makes it throw', () => {
  const png = readFileSync(path.join(FIXTURES, 'wide.png'));
  png.write('DICM', 128, 'latin1');
  png.write('ustar', 257, 'latin1');
  expect(imageFormatOf(png)).toBe('png');
  let state = 7;
  const draw = (): number => (state = (state * 48271) % 2147483647);
  for (let round = 0; round < 3000; round += 1) {
    const first = Buffer.from(png.subarray(0, draw() % FIRST_BYTES));
    for (let change = 0; change < 3 && first.length > 0; change += 1)
      first[draw() % Math.min(first.length, 20)] = draw() % 256;
    expect(typeof whyNotRead(first)).toBe('string');
  }
});

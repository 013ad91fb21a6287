/**
 * Detects the format of a file by its first bytes: a supported image format, or another known one. This is the only
 * place that decides it; names, extensions and media types are ignored, and no decoder sees a file before.
 */
import { bytesSchema } from '../../options/atoms';
import { checkArgument } from '../../options/check';

const firstSchema = bytesSchema('expected the first bytes of a file');

/** The supported image formats. */
export const IMAGE_FORMATS = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif', 'bmp', 'pnm'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Number of first bytes that {@link contentOf} needs. */
export const FIRST_BYTES = 1024;

/** The format of a file. */
export interface Content {
  /** A supported image format, or null. */
  readonly format: ImageFormat | null;
  /** Name for messages, with its article: `a PNG image`, `an SVG drawing`, `text`; null when it is unknown. */
  readonly name: string | null;
}

/** An offset and the bytes expected there, as a Latin-1 string. */
type Signature = readonly [at: number, bytes: string];

const READ: readonly (readonly [ImageFormat, string, ...Signature[]])[] = [
  ['png', 'a PNG image', [0, '\x89PNG\r\n\x1a\n']],
  ['jpeg', 'a JPEG image', [0, '\xff\xd8\xff']],
  ['webp', 'a WebP image', [0, 'RIFF'], [8, 'WEBP']],
  ['gif', 'a GIF image', [0, 'GIF87a']],
  ['gif', 'a GIF image', [0, 'GIF89a']],
  ['tiff', 'a TIFF image', [0, 'II*\0']],
  ['tiff', 'a TIFF image', [0, 'MM\0*']],
  ['tiff', 'a BigTIFF image', [0, 'II+\0\x08\0\0\0']],
  ['tiff', 'a BigTIFF image', [0, 'MM\0+\0\x08\0\0']],
];

/**
 * Known formats that are not supported. Signatures at offset 0 are checked before the image formats, because some share
 * first bytes with one; signatures at later offsets are checked last, because they may match by chance.
 */
const OTHERS: readonly (readonly [string, ...Signature[]])[] = [
  ['a DICOM file', [128, 'DICM']],
  ['a DICOM file without its preamble', [0, '\x08\0\x05\0']],
  ['a DICOM file without its preamble', [0, '\x08\0\0\0\x04\0\0\0']],
  ['a DICOM file without its preamble', [0, '\x02\0\0\0UL\x04\0']],
  ['a NIfTI file', [344, 'n+1\0']],
  ['a NIfTI file', [344, 'ni1\0']],
  ['a NIfTI file', [4, 'n+2\0']],
  ['an Analyze or NIfTI header', [0, '\x5c\x01\0\0']],
  ['an Analyze or NIfTI header', [0, '\0\0\x01\x5c']],
  ['an NRRD file', [0, 'NRRD000']],
  ['a MetaImage file', [0, 'ObjectType =']],
  ['a FITS file', [0, 'SIMPLE  =']],
  ['a MATLAB file', [0, 'MATLAB 5.0 MAT-file']],
  ['an HDF5 file', [0, '\x89HDF\r\n\x1a\n']],
  ['a NetCDF file', [0, 'CDF\x01']],
  ['a NumPy array', [0, '\x93NUMPY']],
  ['a JPEG XL image', [0, '\xff\x0a']],
  ['a JPEG XL image', [0, '\0\0\0\x0cJXL \r\n\x87\n']],
  ['a JPEG 2000 image', [0, '\0\0\0\x0cjP  \r\n\x87\n']],
  ['a JPEG 2000 image', [0, '\xff\x4f\xff\x51']],
  ['a JPEG-LS image', [0, '\xff\xd8\xff\xf7']],
  ['a Radiance HDR image', [0, '#?RADIANCE']],
  ['a Radiance HDR image', [0, '#?RGBE']],
  ['an OpenEXR image', [0, '\x76\x2f\x31\x01']],
  ['a PFM image, whose black and white are not known', [0, 'PF\n']],
  ['a PFM image, whose black and white are not known', [0, 'Pf\n']],
  ['a Canon raw photograph', [0, 'II*\0\x10\0\0\0CR']],
  ['a Photoshop image', [0, '8BPS']],
  ['a GIMP image', [0, 'gimp xcf']],
  ['a Windows icon', [0, '\0\0\x01\0']],
  ['an Apple icon', [0, 'icns']],
  ['a QOI image', [0, 'qoif']],
  ['a DDS texture', [0, 'DDS ']],
  ['a DjVu document', [0, 'AT&TFORM']],
  ['a libvips image', [0, '\x08\xf2\xa6\xb6']],
  ['a libvips image', [0, '\xb6\xa6\xf2\x08']],
  ['a PDF document', [0, '%PDF']],
  ['a PostScript document', [0, '%!PS']],
  ['a PostScript document', [0, '\xc5\xd0\xd3\xc6']],
  ['a zip archive', [0, 'PK\x03\x04']],
  ['a zip archive', [0, 'PK\x05\x06']],
  ['gzip-compressed data (.svgz, .nii.gz, .tar.gz or the like)', [0, '\x1f\x8b']],
  ['a 7z archive', [0, '7z\xbc\xaf\x27\x1c']],
  ['a RAR archive', [0, 'Rar!\x1a\x07']],
  ['xz-compressed data', [0, '\xfd7zXZ\0']],
  ['zstd-compressed data', [0, '\x28\xb5\x2f\xfd']],
  ['bzip2-compressed data', [0, 'BZh']],
  ['a tar archive', [257, 'ustar']],
  ['an old Office document', [0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1']],
  ['a WAVE sound', [0, 'RIFF'], [8, 'WAVE']],
  ['an AVI video', [0, 'RIFF'], [8, 'AVI ']],
  ['a Matroska or WebM video', [0, '\x1a\x45\xdf\xa3']],
  ['the resource fork of a file of a Mac (AppleDouble)', [0, '\0\x05\x16\x07']],
  [
    'a Git LFS pointer, whose image was not fetched (git lfs pull fetches it)',
    [0, 'version https://git-lfs.github.com/'],
  ],
];

/**
 * Brands of the first image of an ISO media file that libheif's AV1 decoder reads, and those of HEVC, which it
 * lacks.
 */
const AVIF_BRANDS = ['avif', 'avis'];
const HEIC_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs'];
const HEIF_BRANDS = ['mif1', 'mif2', 'mif3', 'msf1', 'miaf', '1pic'];

/** Sizes of the header after the file header, one for each version of BMP. */
const BMP_HEADERS = new Set([12, 40, 52, 56, 64, 108, 124]);

const fits = (text: string, signatures: readonly Signature[]): boolean =>
  signatures.every(([at, bytes]) => text.startsWith(bytes, at));

/**
 * Detects the format of an ISO media file by its `ftyp` box: size, type, major brand, version, compatible brands.
 */
function isoContent(text: string): Content {
  const size = Buffer.from(text.slice(0, 4), 'latin1').readUInt32BE();
  const major = text.slice(8, 12);
  const brands = [major];
  for (let at = 16; at + 4 <= Math.min(size, text.length); at += 4) brands.push(text.slice(at, at + 4));
  const isHeif = HEIF_BRANDS.includes(major);
  if (AVIF_BRANDS.includes(major) || (isHeif && brands.some((brand) => AVIF_BRANDS.includes(brand)))) {
    return { format: 'avif', name: 'an AVIF image' };
  }
  if (HEIC_BRANDS.includes(major) || isHeif)
    return { format: null, name: 'a HEIC image, for which there is no decoder here' };
  return { format: null, name: `an ISO media file (video, or a raw photograph) of the brand ${JSON.stringify(major)}` };
}

/** Whether the bytes could be text in UTF-8 or Latin-1: no control characters except white space, mostly ASCII. */
function isText(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/.test(text)) return false;
  return text.replace(/[^\x80-\xff]/g, '').length <= 0.4 * text.length;
}

function textContent(text: string): string | null {
  const wide = text.startsWith('\xff\xfe') || text.startsWith('\xfe\xff');
  const plain = (wide ? text.slice(2).replaceAll('\0', '') : text.replace(/^\xef\xbb\xbf/, '')).trimStart();
  if (!isText(plain)) return null;
  if (/^<!DOCTYPE html|^<html|^<head|^<body/i.test(plain)) return 'a web page (HTML): a download that went wrong?';
  if (plain.startsWith('<') && /<svg[\s>]/i.test(plain)) return 'an SVG drawing, which has no pixels of its own';
  if (plain.startsWith('<')) return 'XML';
  if (/^[[{]/.test(plain)) return 'JSON or other text';
  return plain === '' ? 'white space' : 'text';
}

/**
 * Detects the format of a file by its first bytes.
 *
 * @param first the first {@link FIRST_BYTES} bytes, or all of a shorter file
 * @example contentOf(await readFile('scan.png')).format // 'png', whatever the name
 */
export function contentOf(first: Uint8Array): Content {
  const text = Buffer.from(first.buffer, first.byteOffset, Math.min(first.byteLength, FIRST_BYTES)).toString('latin1');
  const other = OTHERS.find(([, ...signatures]) => fits(text, signatures));
  if (other?.[1]?.[0] === 0) return { format: null, name: other[0] };
  const read = READ.find(([, , ...signatures]) => fits(text, signatures));
  if (read !== undefined) return { format: read[0], name: read[1] };
  if (text.startsWith('ftyp', 4)) return isoContent(text);
  if (text.startsWith('BM') && BMP_HEADERS.has(first[14]!) && text.startsWith('\0\0\0', 15))
    return { format: 'bmp', name: 'a BMP image' };
  if (/^P[1-7][\s#]/.test(text))
    return { format: 'pnm', name: text.startsWith('P7') ? 'a PAM image' : 'a PBM, PGM or PPM image' };
  if (other !== undefined) return { format: null, name: other[0] };
  if (text.length >= 16 && /^\0+$/.test(text))
    return { format: null, name: 'nothing but zeros, as a file that was never written to its end' };
  return { format: null, name: text === '' ? 'empty' : textContent(text) };
}

/**
 * Detects the format of an image by its first bytes; null for an unsupported one.
 *
 * @param first the first {@link FIRST_BYTES} bytes, or all of a shorter file
 */
export function imageFormatOf(first: Uint8Array): ImageFormat | null {
  return contentOf(checkArgument(firstSchema, first, 'imageFormatOf', 'first')).format;
}

const READ_NAMES = 'PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP, PBM, PGM, PPM, PAM';

/** Explains why a file is not supported: what it is, and which formats are. */
export function whyNotRead(first: Uint8Array): string {
  const { name } = contentOf(first);
  const beginning = Buffer.from(first.subarray(0, 8))
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
  return `it is ${name ?? `of no known format (it begins with ${beginning})`}; read are ${READ_NAMES}`;
}

/** Recognizes files that are mistaken for weights, and says what they are and what to do. */
import { CovidCtError } from '../errors';

const EXPORT =
  'load it where it was made, and write the weights with safetensors or torch.save(model.state_dict(), path)';
const AGAIN = 'fetch the file itself again, in a browser by its download button, or with its raw address';
const UNPACK = 'unpack it first';

/** A file format: how to recognize it by its first bytes, what it is called, and what to do. */
interface Kind {
  readonly is: (start: Buffer, text: string, name: string) => boolean;
  readonly what: string;
  readonly todo: string;
}

const begins =
  (bytes: string) =>
  (start: Buffer): boolean =>
    start.subarray(0, bytes.length).equals(Buffer.from(bytes, 'latin1'));

/**
 * Whether a file begins like an ONNX protocol buffer: the field `ir_version` as a varint, then a length-delimited
 * field.
 */
function isOnnx(start: Buffer, _text: string, name: string): boolean {
  if (start[0] !== 0x08 || start[1]! < 3 || start[1]! > 32) return false;
  return (
    [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42].includes(start[2]!) &&
    (start.readUInt32LE(4) !== 0 || /\.onnx$/i.test(name))
  );
}

const KINDS: readonly Kind[] = [
  { is: (start) => start.length === 0, what: 'an empty file', todo: 'fetch or write it again' },
  {
    is: (_, text) => text.startsWith('version https://git-lfs.github.com/'),
    what: 'a Git LFS pointer, which stands for a file that has not been fetched',
    todo: 'run `git lfs pull` in its repository, or fetch the file itself',
  },
  { is: (_, text) => /^\s*<(!doctype html|html|head|body|\?xml|!--)/i.test(text), what: 'a web page', todo: AGAIN },
  { is: begins('\x89HDF\r\n\x1a\n'), what: 'an HDF5 file (.h5), as Keras writes it', todo: EXPORT },
  { is: begins('\x93NUMPY'), what: 'an array of NumPy (.npy)', todo: EXPORT },
  { is: begins('\x1f\x8b'), what: 'packed with gzip', todo: UNPACK },
  { is: begins('BZh'), what: 'packed with bzip2', todo: UNPACK },
  { is: begins('\xfd7zXZ\0'), what: 'packed with xz', todo: UNPACK },
  { is: begins('\x28\xb5\x2f\xfd'), what: 'packed with Zstandard', todo: UNPACK },
  { is: begins("7z\xbc\xaf'\x1c"), what: 'a 7z archive', todo: UNPACK },
  { is: begins('Rar!'), what: 'a RAR archive', todo: UNPACK },
  {
    is: (start) => start.toString('latin1', 257, 262) === 'ustar',
    what: 'a tar archive',
    todo: `${UNPACK}; what PyTorch before 0.1.2 wrote so must be saved again`,
  },
  { is: begins('GGUF'), what: 'a GGUF file, of a language model', todo: EXPORT },
  { is: (start) => start.toString('latin1', 4, 8) === 'TFL3', what: 'a TensorFlow Lite model', todo: EXPORT },
  { is: begins('\x08\x01\x12'), what: 'a SavedModel of TensorFlow (.pb)', todo: EXPORT },
  { is: isOnnx, what: 'an ONNX model', todo: EXPORT },
  { is: begins('\x89PNG'), what: 'a PNG image', todo: 'give the file of the weights' },
  { is: begins('\xff\xd8\xff'), what: 'a JPEG image', todo: 'give the file of the weights' },
  { is: begins('%PDF'), what: 'a PDF document', todo: 'give the file of the weights' },
  {
    is: (start) => start.length >= 64 && start.every((byte) => byte === 0),
    what: 'a file of zeros, as a broken download leaves it',
    todo: 'fetch it again',
  },
  {
    is: (_, text) => /^\s*[[{]/.test(text) && isText(text),
    what: 'JSON',
    todo: 'give the file of the weights; an index of shards is read where it has a weight_map',
  },
  { is: (_, text) => isText(text), what: 'a text', todo: 'give the file of the weights' },
];

/** Whether a text consists of printable characters and white space. */
function isText(text: string): boolean {
  return (
    text.length > 0 &&
    [...text].every((character) => character >= ' ' || '\t\r\n\f'.includes(character)) &&
    !text.includes('\ufffd')
  );
}

/** Recognizes a zip archive that torch.save did not write by its entries' names; null when they are not known. */
export function foreignZip(names: readonly string[]): { readonly what: string; readonly todo: string } | null {
  const has = (test: RegExp): boolean => names.some((name) => test.test(name));
  if (has(/(^|\/)constants\.pkl$/) || has(/(^|\/)code\/.*\.py$/))
    return { what: 'TorchScript, which holds code', todo: 'save model.state_dict() in Python instead' };
  if (has(/(^|\/)archive_format$/) || has(/^[^/]+\/models\/[^/]+\.json$/))
    return { what: 'a program of torch.export (.pt2)', todo: 'save model.state_dict() in Python instead' };
  if (has(/\.weights\.h5$/) || has(/^model\.weights/)) return { what: 'a model of Keras (.keras)', todo: EXPORT };
  if (has(/(^|\/)saved_model\.pb$/)) return { what: 'a SavedModel of TensorFlow', todo: EXPORT };
  if (names.length > 0 && names.every((name) => name.endsWith('.npy')))
    return { what: 'arrays of NumPy (.npz)', todo: EXPORT };
  const inside = names.find((name) => /\.(pth|pt|ckpt|bin|safetensors)$/i.test(name));
  if (inside !== undefined)
    return { what: `a zip archive around ${JSON.stringify(inside.slice(0, 120))}`, todo: UNPACK };
  return null;
}

/**
 * Returns the error for a file that is not weights; null when its first bytes are not those of a known format.
 *
 * @param start the first 512 bytes of the file, or all of a shorter one
 */
export function foreignFile(path: string, start: Buffer): CovidCtError | null {
  const text = start
    .toString('utf8')
    .replace(/\ufffd{1,3}$/, '')
    .replace(/^\ufeff/, '');
  const kind = KINDS.find(({ is }) => is(start, text, path));
  return kind === undefined ? null : foreign(path, kind);
}

/** Creates the error that says what a file is and what to do. */
export function foreign(path: string, { what, todo }: { readonly what: string; readonly todo: string }): CovidCtError {
  return new CovidCtError(
    'ERR_WEIGHTS',
    `${path}: expected weights (safetensors, or what torch.save writes); it is ${what}: ${todo}`,
  );
}

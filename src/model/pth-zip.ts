/** The zip container of torch.save (PyTorch 1.6 and newer): a pickle, and each storage as a stored entry. */
import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { AbortedError, CovidCtError, messageOf } from '../errors';
import type { NativeTensorSource } from '../native/types';
import { readPickle } from './pickle';
import type { StorageRef } from './pickle-values';
import { readStateDict, storageBytes } from './state-dict';
import type { StoragePlace } from './state-dict';

/** A state dict's pickle has some 100 KB; a larger one is a bomb. */
const MAX_PICKLE_BYTES = 64 * 1024 ** 2;
const MAX_ENTRIES = 100_000;

function damaged(path: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', `${path} is not a whole .pth file: ${what}`, { cause });
}

async function entriesOf(path: string, zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  if (zip.entryCount > MAX_ENTRIES) throw damaged(path, `its directory claims ${zip.entryCount} entries`);
  for await (const entry of zip.eachEntry()) {
    if (entries.has(entry.fileName)) throw damaged(path, `it has the entry '${entry.fileName}' twice`);
    entries.set(entry.fileName, entry);
  }
  return entries;
}

/** A small entry's bytes, unpacked and checked. */
async function contentOf(path: string, zip: ZipFile, entry: Entry): Promise<Buffer> {
  if (entry.uncompressedSize > MAX_PICKLE_BYTES) throw damaged(path, `'${entry.fileName}' would unpack to ${entry.uncompressedSize} bytes; a state dict's needs less than ${MAX_PICKLE_BYTES}`);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of await zip.openReadStreamPromise(entry)) {
    bytes += (part as Buffer).length;
    if (bytes > entry.uncompressedSize) throw damaged(path, `'${entry.fileName}' unpacks to more than it says`);
    parts.push(part as Buffer);
  }
  const content = Buffer.concat(parts);
  if (crc32(content) !== entry.crc32) throw damaged(path, `the checksum of '${entry.fileName}' does not match`);
  return content;
}

/** Where an entry's bytes lie; they must be there as they are, not packed. */
async function placeOf(path: string, zip: ZipFile, entry: Entry): Promise<StoragePlace> {
  if (entry.compressionMethod !== 0 || entry.compressedSize !== entry.uncompressedSize) throw damaged(path, `'${entry.fileName}' is compressed; torch.save stores tensors as they are`);
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  if (fileDataStart + entry.uncompressedSize > zip.fileSize) throw damaged(path, `'${entry.fileName}' reaches beyond the end of the file`);
  return { offset: fileDataStart, bytes: entry.uncompressedSize };
}

/** Reads the storage through once: a bit that has flipped must not become a wrong tensor. */
async function checkSum(path: string, entry: Entry, place: StoragePlace, signal: AbortSignal | undefined): Promise<void> {
  let sum = 0;
  if (place.bytes > 0) {
    const stream = createReadStream(path, { start: place.offset, end: place.offset + place.bytes - 1, highWaterMark: 4 * 1024 ** 2, signal });
    for await (const part of stream) sum = crc32(part as Buffer, sum);
  }
  if (sum !== entry.crc32) throw damaged(path, `the checksum of '${entry.fileName}' does not match; fetch or copy the file again`);
}

function checkOverlap(path: string, places: readonly StoragePlace[]): void {
  const sorted = places.filter(({ bytes }) => bytes > 0).sort((a, b) => a.offset - b.offset);
  for (const [i, place] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && before.offset + before.bytes > place.offset) throw damaged(path, 'two of its entries lie over one another');
  }
}

async function read(path: string, zip: ZipFile, signal: AbortSignal | undefined): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  const entries = await entriesOf(path, zip);
  const names = [...entries.keys()];
  if (names.some((name) => name.endsWith('/constants.pkl'))) throw new CovidCtError('ERR_WEIGHTS', `${path} is TorchScript, which holds code; save model.state_dict() in Python instead`);
  const pickle = names.find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  if (pickle === undefined) throw damaged(path, `it is a zip archive without a data.pkl (it has ${names.slice(0, 3).join(', ') || 'nothing'})`);
  const root = pickle.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${root}byteorder`);
  if (byteOrder !== undefined && (await contentOf(path, zip, byteOrder)).toString('latin1').trim() !== 'little') throw damaged(path, 'it was written on a big-endian machine, which is not supported');
  const { value } = readPickle(await contentOf(path, zip, entries.get(pickle) as Entry));
  const places = new Map<string, StoragePlace & { readonly entry: Entry }>();
  const find = async (storage: StorageRef): Promise<StoragePlace> => {
    const known = places.get(storage.key);
    if (known !== undefined) return known;
    const entry = entries.get(`${root}data/${storage.key}`);
    if (entry === undefined) throw damaged(path, `the storage '${storage.key}' is missing`);
    const place = await placeOf(path, zip, entry);
    if (place.bytes !== storageBytes(storage)) throw damaged(path, `the storage '${storage.key}' has ${place.bytes} bytes, expected ${storageBytes(storage)}`);
    places.set(storage.key, { ...place, entry });
    return place;
  };
  const result = await readStateDict(path, value, find);
  checkOverlap(path, [...places.values()]);
  for (const { entry, ...place } of places.values()) await checkSum(path, entry, place, signal);
  return result;
}

/**
 * Reads the names, shapes and places of the tensors in a zip .pth, and checks every byte of them against its checksum.
 *
 * @throws CovidCtError ERR_WEIGHTS; AbortedError
 */
export async function readPthZip(path: string, signal?: AbortSignal): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  let zip: ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(path, { autoClose: false });
    return await read(path, zip, signal);
  } catch (error) {
    if (signal?.aborted) throw new AbortedError();
    if (error instanceof CovidCtError) throw error.message.startsWith(path) ? error : new CovidCtError('ERR_WEIGHTS', `${path}: ${error.message}`, { cause: error });
    throw damaged(path, messageOf(error), error);
  } finally {
    zip?.close();
  }
}

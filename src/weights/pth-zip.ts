/** Reads the zip format of torch.save (PyTorch 1.6 and newer): a pickle, and each storage as an uncompressed entry. */
import { CovidCtError, messageOf } from '../errors';
import { readZip } from '../files/zip';
import type { ZipArchive, ZipEntry } from '../files/zip';
import type { NativeTensorSource } from '../addon/types';
import { foreign, foreignZip } from './foreign-file';
import { readPickle } from './pickle';
import type { StorageRef } from './pickle-values';
import { readStateDict, storageBytes } from './state-dict';
import type { StoragePlace } from './state-dict';

/** Maximum size of the pickle; that of a state dict has about 100 KB, and a huge one would exhaust the memory. */
const MAX_PICKLE_BYTES = 64 * 1024 ** 2;
const MAX_BYTE_ORDER_BYTES = 64;
const MAX_ENTRIES = 100_000;

function damaged(path: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', `${path} is not a whole .pth file: ${what}`, { cause });
}

/** Returns the place of a storage's bytes in the file; they must be uncompressed. */
async function placeOf(zip: ZipArchive, entry: ZipEntry, storage: StorageRef): Promise<StoragePlace> {
  if (entry.method !== 0 || entry.isEncrypted)
    throw zip.damaged(entry, 'is compressed; torch.save stores tensors as they are');
  const place = await zip.place(entry);
  if (place.bytes !== storageBytes(storage))
    throw zip.damaged(
      entry,
      `has ${place.bytes} bytes, expected ${storageBytes(storage)} of the storage '${storage.key}'`,
    );
  return place;
}

async function read(
  path: string,
  zip: ZipArchive,
  entry?: string,
): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  const entries = new Map(zip.entries.map((entry) => [entry.name, entry]));
  const names = [...entries.keys()];
  const other = foreignZip(names);
  if (other !== null) throw foreign(path, other);
  const pickle = zip.entries.find(({ name }) => name.endsWith('/data.pkl') || name === 'data.pkl');
  if (pickle === undefined)
    throw damaged(path, `it is a zip archive without a data.pkl (it has ${names.slice(0, 3).join(', ') || 'nothing'})`);
  const root = pickle.name.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${root}byteorder`);
  if (
    byteOrder !== undefined &&
    (await zip.content(byteOrder, MAX_BYTE_ORDER_BYTES)).toString('latin1').trim() !== 'little'
  ) {
    throw damaged(path, 'it was written on a big-endian machine, which is not supported');
  }
  const { value } = readPickle(await zip.content(pickle, MAX_PICKLE_BYTES));
  const places = new Map<ZipEntry, StoragePlace>();
  const find = async (storage: StorageRef): Promise<StoragePlace> => {
    const stored = entries.get(`${root}data/${storage.key}`);
    if (stored === undefined) throw damaged(path, `the storage '${storage.key}' is missing`);
    const place = places.get(stored) ?? (await placeOf(zip, stored, storage));
    places.set(stored, place);
    return place;
  };
  const result = await readStateDict(path, value, find, entry);
  // The checksum of every storage is verified, so that a flipped bit does not become a wrong tensor.
  for (const stored of places.keys()) await zip.verifyStored(stored);
  return result;
}

/**
 * Reads the names, shapes and offsets of the tensors in a zip .pth file, and verifies their checksums.
 *
 * @throws CovidCtError ERR_WEIGHTS naming the file and, if known, the entry; AbortedError when the signal fires
 */
export async function readPthZip(
  path: string,
  { entry, signal }: { readonly entry?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  const rules = {
    maxEntries: MAX_ENTRIES,
    damaged: (what: string, cause?: unknown) => damaged(path, what, cause),
    signal,
  };
  return readZip(path, rules, async (zip) => {
    try {
      return await read(path, zip, entry);
    } catch (error) {
      if (!(error instanceof CovidCtError)) throw damaged(path, messageOf(error), error);
      throw error.message.startsWith(path) || error.code === 'ERR_ABORTED'
        ? error
        : new CovidCtError('ERR_WEIGHTS', `${path}: ${error.message}`, { cause: error });
    }
  });
}

/** Reads the legacy format of torch.save (before PyTorch 1.6): five pickles, then count and bytes of each storage. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import type { NativeTensorSource } from '../addon/types';
import { readPickle } from './pickle';
import type { StorageRef } from './pickle-values';
import { readStateDict, storageBytes } from './state-dict';
import type { StoragePlace } from './state-dict';

/** The magic number 0x1950a86a20f9469cfc6c, with which every such file begins. */
const MAGIC = '119547037146038801333356';
const PROTOCOL = 1001;
const FIRST_READ_BYTES = 4 * 1024 ** 2;
/** Maximum size of the pickles; those of a state dict have about 100 KB. */
const MAX_PICKLE_BYTES = 64 * 1024 ** 2;

function damaged(path: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', `${path} is not a whole .pth file: ${what}`, { cause });
}

async function readAt(path: string, file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  if (bytesRead < bytes) throw damaged(path, `it ends at byte ${offset + bytesRead}; it is truncated`);
  return buffer;
}

interface Head {
  readonly value: unknown;
  readonly storages: ReadonlyMap<string, StorageRef>;
  readonly keys: readonly string[];
  /** Offset of the first storage. */
  readonly end: number;
}

function parseHead(path: string, bytes: Buffer): Head {
  const magic = readPickle(bytes);
  if (String(magic.value) !== MAGIC)
    throw damaged(path, "it is a pickle, but not torch.save's: save model.state_dict() with torch.save");
  const protocol = readPickle(bytes, magic.end);
  if (protocol.value !== PROTOCOL) throw damaged(path, `its format is ${String(protocol.value)}, expected ${PROTOCOL}`);
  const system = readPickle(bytes, protocol.end);
  if (system.value instanceof Map && system.value.get('little_endian') === false)
    throw damaged(path, 'it was written on a big-endian machine, which is not supported');
  const object = readPickle(bytes, system.end);
  const keys = readPickle(bytes, object.end);
  if (!Array.isArray(keys.value) || !keys.value.every((key) => typeof key === 'string'))
    throw damaged(path, 'its list of storages is not a list of texts');
  if (new Set(keys.value).size !== keys.value.length) throw damaged(path, 'its list of storages names one twice');
  return { value: object.value, storages: object.storages, keys: keys.value, end: keys.end };
}

/** Reads the pickles at the start of the file; their length is unknown, so it reads more bytes until they are whole. */
async function readHead(path: string, file: FileHandle, fileBytes: number): Promise<Head> {
  for (let bytes = FIRST_READ_BYTES; ; bytes *= 4) {
    const size = Math.min(bytes, fileBytes, MAX_PICKLE_BYTES);
    try {
      return parseHead(path, await readAt(path, file, 0, size));
    } catch (error) {
      if (size === fileBytes || size === MAX_PICKLE_BYTES || !/cut off/.test(messageOf(error))) throw error;
    }
  }
}

async function readPlaces(
  path: string,
  file: FileHandle,
  fileBytes: number,
  { storages, keys, end }: Head,
): Promise<Map<string, StoragePlace>> {
  const places = new Map<string, StoragePlace>();
  let at = end;
  for (const key of keys) {
    const storage = storages.get(key);
    if (storage === undefined) throw damaged(path, `the storage '${key}' is listed, but no tensor uses it`);
    const count = Number((await readAt(path, file, at, 8)).readBigInt64LE());
    if (count !== storage.count)
      throw damaged(path, `the storage '${key}' has ${count} elements, expected ${storage.count}`);
    const bytes = storageBytes(storage);
    if (bytes > fileBytes - at - 8)
      throw damaged(path, `the storage '${key}' reaches beyond the end of the file; it is truncated`);
    places.set(key, { offset: at + 8, bytes });
    at += 8 + bytes;
  }
  const missing = [...storages.keys()].find((key) => !places.has(key));
  if (missing !== undefined) throw damaged(path, `the storage '${missing}' is missing`);
  if (at !== fileBytes) throw damaged(path, `${fileBytes - at} bytes follow the last storage`);
  return places;
}

/**
 * Reads the names, shapes and offsets of the tensors in a legacy .pth file. The format has no checksum, so only lengths
 * are checked.
 *
 * @throws CovidCtError ERR_WEIGHTS for a file that cannot be read; AbortedError when the signal fires
 */
export async function readPthLegacy(
  path: string,
  { entry, signal }: { readonly entry?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  throwIfAborted(signal);
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new CovidCtError('ERR_WEIGHTS', `cannot open the weights: ${messageOf(error)}`, { cause: error });
  });
  try {
    const { size } = await file.stat();
    const head = await readHead(path, file, size);
    const places = await readPlaces(path, file, size, head);
    return await readStateDict(path, head.value, ({ key }) => places.get(key)!, entry);
  } catch (error) {
    if (error instanceof CovidCtError && error.code === 'ERR_WEIGHTS' && error.message.startsWith(path)) throw error;
    throw new CovidCtError('ERR_WEIGHTS', `${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

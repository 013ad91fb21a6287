/**
 * Reads and writes the safetensors format: 8 bytes with the header's length, a JSON header, and the raw tensors.
 * Format: https://github.com/huggingface/safetensors. Only the header passes through JavaScript; the addon reads and
 * writes the tensors' bytes itself.
 */
import { open } from 'node:fs/promises';
import { CovidCtError, messageOf } from '../errors';
import { change } from '../files/operations';
import { replaceFile } from '../files/write';
import type { NativeTensor, NativeTensorSource } from '../addon/types';

/** Bytes per element of each dtype. */
const BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
};

/** Maximum size of a header; a DenseNet's has 100 KB, and parsing a huge one would exhaust the memory. */
const MAX_HEADER_BYTES = 16 * 1024 ** 2;

/** The header of a safetensors file. */
export interface SafetensorsHeader {
  readonly tensors: readonly NativeTensorSource[];
  readonly metadata: Readonly<Record<string, string>>;
}

interface RawEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Returns the bytes per element of a safetensors dtype; NaN for an unknown one. */
export function elementBytes(dtype: string): number {
  return BYTES[dtype] ?? NaN;
}

function damaged(path: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', `${path} is not a whole safetensors file: ${what}`, { cause });
}

function bytesOf(dtype: string, shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, BYTES[dtype] ?? NaN);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string');
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Checks that an entry of the header is well-formed and that its size matches its dtype and shape. */
function checkEntry(path: string, name: string, value: unknown): RawEntry {
  const entry = value as Partial<RawEntry> | null;
  const offsets = entry?.data_offsets;
  if (
    typeof entry?.dtype !== 'string' ||
    !Array.isArray(entry.shape) ||
    !entry.shape.every(isWhole) ||
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every(isWhole)
  ) {
    throw damaged(path, `the entry of tensor '${name}' is not { dtype, shape, data_offsets }`);
  }
  if (!Object.hasOwn(BYTES, entry.dtype)) throw damaged(path, `tensor '${name}' has the unknown dtype ${entry.dtype}`);
  const [begin, end] = offsets;
  if (end - begin !== bytesOf(entry.dtype, entry.shape)) {
    throw damaged(
      path,
      `tensor '${name}' of ${entry.dtype} [${entry.shape.join(', ')}] ` +
        `has ${end - begin} bytes, expected ${bytesOf(entry.dtype, entry.shape)}`,
    );
  }
  return entry as RawEntry;
}

/** Checks that the ranges cover the data without gaps or overlaps, as the format requires. */
function checkRanges(path: string, entries: readonly (readonly [string, RawEntry])[], dataBytes: number): void {
  let at = 0;
  for (const [
    name,
    {
      data_offsets: [begin, end],
    },
  ] of [...entries].sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  )) {
    if (begin !== at)
      throw damaged(
        path,
        `the bytes of tensor '${name}' ${begin < at ? 'overlap those of another' : 'leave a gap before them'}`,
      );
    at = end;
  }
  if (at !== dataBytes)
    throw damaged(
      path,
      `its tensors take ${at} bytes, ${dataBytes} are there${at > dataBytes ? '; it is truncated' : ''}`,
    );
}

/** Finds a duplicate key in an object, which JSON.parse does not report; `text` must be valid JSON. */
function doubleKey(text: string): string | null {
  const open: Set<string>[] = [];
  let last = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}:]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token !== ':') last = token;
    else {
      const key = JSON.parse(last) as string;
      const keys = open.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
  }
  return null;
}

function parseHeader(path: string, text: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(text);
    if (typeof header === 'object' && header !== null && !Array.isArray(header))
      return header as Record<string, unknown>;
  } catch (error) {
    throw damaged(path, `its header is not JSON (${messageOf(error)})`, error);
  }
  throw damaged(path, 'its header is not a JSON object');
}

async function readHeaderText(path: string): Promise<{ text: string; dataStart: number; fileBytes: number }> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new CovidCtError('ERR_WEIGHTS', `cannot open the weights: ${messageOf(error)}`, { cause: error });
  });
  try {
    const { size } = await file.stat();
    const prefix = Buffer.alloc(8);
    if ((await file.read(prefix, 0, 8, 0)).bytesRead < 8) throw damaged(path, 'it has fewer than 8 bytes');
    const length = Number(prefix.readBigUInt64LE());
    if (length > MAX_HEADER_BYTES || length > size - 8)
      throw damaged(path, `its header declares ${length} bytes, the file has ${size}`);
    const header = Buffer.alloc(length);
    if ((await file.read(header, 0, length, 8)).bytesRead < length) throw damaged(path, 'its header is cut off');
    return { text: header.toString('utf8'), dataStart: 8 + length, fileBytes: size };
  } catch (error) {
    throw error instanceof CovidCtError
      ? error
      : new CovidCtError('ERR_WEIGHTS', `cannot read the weights ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

/**
 * Reads and checks the header of a safetensors file.
 *
 * @returns every tensor with its absolute offset in the file
 * @throws CovidCtError ERR_WEIGHTS for a file that is missing, truncated, overlapping, or not safetensors
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const { text, dataStart, fileBytes } = await readHeaderText(path);
  const { __metadata__: metadata = {}, ...rest } = parseHeader(path, text);
  const twice = doubleKey(text);
  if (twice !== null) throw damaged(path, `its header has the key '${twice}' twice`);
  const entries = Object.entries(rest).map(([name, value]) => [name, checkEntry(path, name, value)] as const);
  checkRanges(path, entries, fileBytes - dataStart);
  if (!isTextRecord(metadata)) throw damaged(path, 'its __metadata__ is not an object of strings');
  return {
    tensors: entries.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin],
        },
      ]) => ({ name, dtype, shape, offset: dataStart + begin }),
    ),
    metadata,
  };
}

/** Encodes the header, padded so that the data starts at a multiple of 8 bytes. */
export function encodeHeader(
  tensors: readonly Pick<NativeTensor, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  let at = 0;
  // The object has no prototype, because a tensor may have the name of one of its properties.
  const header = Object.assign(Object.create(null) as Record<string, unknown>, {
    __metadata__: { format: 'pt', ...metadata },
  });
  for (const { name, dtype, shape } of tensors) {
    const end = at + bytesOf(dtype, shape);
    header[name] = { dtype, shape, data_offsets: [at, end] };
    at = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded]);
}

/** Converts the addon's message about a full disk to an ENOSPC error, so that it gets the same advice as any other. */
export function toSystemError(error: unknown): never {
  if (!/No space left on device/.test(messageOf(error))) throw error;
  throw Object.assign(new Error('ENOSPC: no space left on device, write', { cause: error }), {
    code: 'ENOSPC',
    syscall: 'write',
  });
}

/**
 * Writes safetensors to a temporary file and flushes it.
 *
 * @param writeData writes the tensors' bytes in the given order, from `offset` on
 */
export async function fillSafetensors(
  path: string,
  tensors: readonly Pick<NativeTensor, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, string>>,
  writeData: (path: string, offset: number) => Promise<void>,
): Promise<void> {
  const header = encodeHeader(tensors, metadata);
  const file = await change('create', path, () => open(path, 'w'));
  try {
    await change('write', path, async () => {
      await file.writeFile(header);
      await writeData(path, header.length).catch(toSystemError);
    });
    await change('sync', path, () => file.sync());
  } finally {
    await file.close();
  }
}

/**
 * Writes a safetensors file atomically.
 *
 * @param writeData as in {@link fillSafetensors}
 * @throws CovidCtError ERR_RUN_FOLDER when it cannot be written; an existing file is then untouched
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NativeTensor[],
  metadata: Readonly<Record<string, string>>,
  writeData: (path: string, offset: number) => Promise<void>,
): Promise<void> {
  await replaceFile(path, (temporary) => fillSafetensors(temporary, tensors, metadata, writeData), {
    action: 'write the weights',
  });
}

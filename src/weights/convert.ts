/**
 * Converts any readable weight file to safetensors without LibTorch: it copies bytes and does not change numbers.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import { readExactly } from '../files/read-exactly';
import { change } from '../files/operations';
import { fileError, replaceFile } from '../files/write';
import type { NativeTensorSource } from '../addon/types';
import { metadataSchema, pathSchema } from '../options/atoms';
import { checkArgument, checkOptions, signalOptionsSchema } from '../options/check';
import { PRETRAINING_KEY, detectPretraining } from './pretrained';
import { under } from './names';
import { elementBytes, encodeHeader } from './safetensors';
import { openWeightFile } from './open';
import type { OpenWeightFileOptions } from './open';
import type { WeightSource } from './types';

const CHUNK_BYTES = 8 * 1024 ** 2;
/** A strided tensor is made contiguous in memory; no tensor of a network is larger than this. */
const MAX_STRIDED_BYTES = 4 * 1024 ** 3;

const optionsSchema = signalOptionsSchema.extend({
  entry: z.string().optional(),
  prefix: z.string().optional(),
  metadata: metadataSchema.optional(),
});

async function readBytes(file: FileHandle, path: string, offset: number, buffer: Buffer): Promise<void> {
  await readExactly(file, buffer, offset).catch((error: unknown) => {
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path} cannot be read: ${messageOf(error)}; it has changed or is truncated`,
      { cause: error },
    );
  });
}

/** Reads a strided tensor as contiguous bytes in row-major order. */
async function gather(
  file: FileHandle,
  path: string,
  { name, dtype, shape, offset, strides = [] }: NativeTensorSource,
): Promise<Buffer> {
  const size = elementBytes(dtype);
  const count = shape.reduce((product, side) => product * side, 1);
  const span = shape.reduce((sum, side, i) => sum + (side - 1) * strides[i]!, 1);
  if (count * size > MAX_STRIDED_BYTES || span * size > MAX_STRIDED_BYTES)
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: tensor '${name}' of ${count} elements over ${span} is too large to be made contiguous`,
    );
  const raw = Buffer.alloc(span * size);
  await readBytes(file, path, offset, raw);
  const gathered = Buffer.alloc(count * size);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = 0; i < count; i += 1) {
    raw.copy(gathered, i * size, at * size, (at + 1) * size);
    for (let d = shape.length - 1; d >= 0; d -= 1) {
      index[d] = index[d]! + 1;
      at += strides[d]!;
      if (index[d]! < shape[d]!) break;
      at -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return gathered;
}

async function copyTensor(
  from: FileHandle,
  path: string,
  to: { readonly handle: FileHandle; readonly path: string },
  source: NativeTensorSource,
  signal: AbortSignal | undefined,
): Promise<number> {
  const bytes = source.shape.reduce((product, side) => product * side, elementBytes(source.dtype));
  const write = (data: Uint8Array): Promise<void> => change('write', to.path, () => to.handle.writeFile(data));
  if (source.strides !== undefined) {
    if (bytes > 0) await write(await gather(from, path, source));
    return bytes;
  }
  for (let done = 0; done < bytes; done += CHUNK_BYTES) {
    throwIfAborted(signal);
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, bytes - done));
    await readBytes(from, path, source.offset + done, chunk);
    await write(chunk);
  }
  return bytes;
}

/** Opens each source file once; the tensors of shards come from several. */
class Sources {
  readonly #files = new Map<string, FileHandle>();

  async of(path: string): Promise<FileHandle> {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file = await open(path, 'r').catch((error: unknown) => {
      throw fileError('open it', path, error, 'ERR_WEIGHTS');
    });
    this.#files.set(path, file);
    return file;
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }
}

/**
 * Writes tensors of weight files to one safetensors file atomically. Strided tensors become contiguous, and tensors
 * that share a storage are written separately.
 *
 * @param from the file that contains the tensors, unless a tensor names another file
 * @returns the tensors with their offsets in the new file
 * @throws CovidCtError ERR_WEIGHTS for bytes that cannot be read, ERR_RUN_FOLDER when the file cannot be written;
 *   AbortedError when the signal fires
 */
export async function writeTogether(
  from: string,
  tensors: readonly WeightSource[],
  to: string,
  options: { readonly metadata?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ bytes: number; placed: NativeTensorSource[] }> {
  const sources = new Sources();
  const write = async (temporary: string): Promise<{ bytes: number; placed: NativeTensorSource[] }> => {
    const target = await change('create', temporary, () => open(temporary, 'w'));
    const header = encodeHeader(tensors, options.metadata ?? {});
    let bytes = 0;
    const placed: NativeTensorSource[] = [];
    try {
      await change('write', temporary, () => target.writeFile(header));
      for (const { file, strides, ...tensor } of tensors) {
        placed.push({ ...tensor, offset: header.length + bytes });
        const path = file ?? from;
        bytes += await copyTensor(
          await sources.of(path),
          path,
          { handle: target, path: temporary },
          { ...tensor, ...(strides && { strides }) },
          options.signal,
        );
      }
      await change('sync', temporary, () => target.sync());
    } finally {
      await target.close();
    }
    return { bytes, placed };
  };
  try {
    return await replaceFile(to, write, { action: 'write the weights', tidy: true });
  } finally {
    await sources.close();
  }
}

/** Options of {@link convertWeights}. */
export interface ConvertWeightsOptions extends OpenWeightFileOptions {
  /** Keep only the tensors whose names begin with this prefix, and strip it; all tensors by default. */
  readonly prefix?: string | undefined;
  /** Additional entries for the new file's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Converts a weight file to safetensors atomically. Names and dtypes are kept, strided tensors become contiguous,
 * tensors that share a storage are written separately, and shards become one file. The normalization and image size of
 * the pretraining are written to the metadata where they are known.
 *
 * @param from a safetensors file, an index of shards, or a file written by torch.save
 * @param to the new file; an existing one is replaced
 * @throws CovidCtError ERR_WEIGHTS when `from` cannot be read, ERR_RUN_FOLDER when `to` cannot be written; AbortedError
 *   when the signal fires
 * @example
 * ```ts
 * import { convertWeights } from 'covidct-torch/weights';
 *
 * const { tensors, notes } = await convertWeights('checkpoint.pth', 'weights.safetensors');
 * console.log(tensors, notes);
 * ```
 */
export async function convertWeights(
  from: string,
  to: string,
  options: ConvertWeightsOptions = {},
): Promise<{ tensors: number; bytes: number; notes: readonly string[] }> {
  checkArgument(pathSchema, from, 'convertWeights', 'from');
  checkArgument(pathSchema, to, 'convertWeights', 'to');
  const { signal, entry, prefix, metadata: given } = checkOptions(optionsSchema, options, 'convertWeights');
  const { tensors: all, metadata, notes } = await openWeightFile(from, { signal, entry });
  const more: string[] = [];
  const tensors = prefix === undefined ? all : under(from, prefix, all, more);
  const pretraining = detectPretraining(from, metadata);
  const known: Record<string, string> = pretraining.assumed ? {} : { [PRETRAINING_KEY]: JSON.stringify(pretraining) };
  const { bytes } = await writeTogether(from, tensors, to, {
    metadata: { ...metadata, ...known, ...given },
    signal,
  });
  return { tensors: tensors.length, bytes, notes: [...notes, ...more] };
}

/** Opens a weight file of any supported format: safetensors, also sharded, or torch.save's zip or legacy format. */
import { open, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CovidCtError, messageOf } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions, signalOptionsSchema } from '../options/check';
import { foreignFile } from './foreign-file';
import { stripWrappers } from './names';
import { readPthLegacy } from './pth-legacy';
import { readPthZip } from './pth-zip';
import { readSafetensorsHeader } from './safetensors';
import type { SafetensorsHeader } from './safetensors';
import { mayBeIndex, readShards } from './shards';
import type { WeightFile, WeightSource } from './types';

/** Options of {@link openWeightFile}. */
export interface OpenWeightFileOptions {
  /**
   * Path of keys to the state dict in a checkpoint, joined by dots: `model_ema`, `checkpoint.model`; detected by
   * default.
   */
  readonly entry?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const optionsSchema = signalOptionsSchema.extend({ entry: z.string().optional() });

/** Enough bytes to recognize every known format. */
const FIRST_BYTES = 512;

async function firstBytes(path: string): Promise<Buffer> {
  // stat comes before open because opening a pipe blocks until it has a writer.
  const info = await stat(path).catch((error: unknown) => {
    throw new CovidCtError('ERR_WEIGHTS', `cannot open the weights: ${messageOf(error)}`, { cause: error });
  });
  if (info.isDirectory())
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: expected a file of weights; it is a folder: give the .safetensors, .index.json or .pth in it`,
    );
  if (!info.isFile())
    throw new CovidCtError('ERR_WEIGHTS', `${path}: expected a file of weights; it is a pipe or a device`);
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new CovidCtError('ERR_WEIGHTS', `cannot open the weights: ${messageOf(error)}`, { cause: error });
  });
  try {
    const buffer = Buffer.alloc(FIRST_BYTES);
    const { bytesRead } = await file.read(buffer, 0, FIRST_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw new CovidCtError('ERR_WEIGHTS', `cannot read the weights ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

type Contents = Pick<WeightFile, 'format' | 'metadata' | 'notes'> & { readonly tensors: readonly WeightSource[] };

/** Detects the format by the first bytes; the error for a file of another format names that format. */
async function contentsOf(path: string, { entry, signal }: OpenWeightFileOptions): Promise<Contents> {
  const start = await firstBytes(path);
  if (start.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1')))
    return { format: 'pth-zip', metadata: {}, ...(await readPthZip(path, { entry, signal })) };
  if (start[0] === 0x80 && (start[1] ?? 255) <= 5)
    return { format: 'pth-legacy', metadata: {}, ...(await readPthLegacy(path, { entry, signal })) };
  if (entry !== undefined)
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: expected what torch.save writes, since only that has entries like '${entry}'`,
    );
  if (mayBeIndex(path, start)) {
    const read = async (shard: string): Promise<SafetensorsHeader> => readSafetensors(shard, await firstBytes(shard));
    return { format: 'safetensors-index', ...(await readShards(path, read, signal)) };
  }
  return { format: 'safetensors', notes: [], ...(await readSafetensors(path, start)) };
}

function readSafetensors(path: string, start: Buffer): Promise<SafetensorsHeader> {
  // Safetensors begins with the header's length and a brace; no other format does.
  const isSafetensors = start.length > 8 && start[8] === 0x7b && start.readUInt32LE(4) === 0;
  const foreign = isSafetensors ? null : foreignFile(path, start);
  return foreign === null ? readSafetensorsHeader(path) : Promise.reject(foreign);
}

/**
 * Opens a weight file. The format is detected by its content, never by its name; no code in it is executed.
 *
 * @param path a weight file, or the index of sharded weights
 * @returns names, dtypes, shapes and offsets of the tensors, without prefixes of wrappers (`module.`, `_orig_mod.`)
 * @throws CovidCtError ERR_WEIGHTS for a file that is damaged, of another format, contains no state dict or several, or
 *   asks for code to be run; AbortedError when the signal fires
 * @example
 * ```ts
 * import { openWeightFile } from 'covidct-torch/weights';
 *
 * const { tensors } = await openWeightFile('weights.safetensors');
 * for (const { name, shape } of tensors) console.log(name, shape);
 * ```
 */
export async function openWeightFile(path: string, options: OpenWeightFileOptions = {}): Promise<WeightFile> {
  checkArgument(pathSchema, path, 'openWeightFile', 'path');
  const { tensors, notes, ...rest } = await contentsOf(path, checkOptions(optionsSchema, options, 'openWeightFile'));
  const all = [...notes];
  return { path, ...rest, tensors: stripWrappers(tensors, all), notes: all };
}

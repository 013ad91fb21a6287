/**
 * Reads sharded weights: several safetensors files and an index that names the file of each tensor.
 */
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import type { SafetensorsHeader } from './safetensors';
import type { WeightSource } from './types';

/** Maximum size of an index; that of a thousand shards has a few megabytes. */
const MAX_INDEX_BYTES = 64 * 1024 ** 2;
const MAX_SHARDS = 10_000;
const indexSchema = z.looseObject({ metadata: z.unknown().optional(), weight_map: z.record(z.string(), z.string()) });

/**
 * Whether the first bytes of a file look like an index of shards; {@link readShards} checks all of it.
 */
export function mayBeIndex(path: string, start: Buffer): boolean {
  return (
    /^\ufeff?\s*\{/.test(start.toString('utf8')) &&
    (/\.index\.json$/i.test(path) || start.includes('"weight_map"') || start.includes('"metadata"'))
  );
}

function wrong(path: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', `${path} is not an index of shards: ${what}`, { cause });
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > MAX_INDEX_BYTES) throw wrong(path, `it has ${size} bytes, expected at most ${MAX_INDEX_BYTES}`);
    const json: unknown = JSON.parse((await file.readFile('utf8')).replace(/^\ufeff/, ''));
    const result = indexSchema.safeParse(json);
    if (result.success) return new Map(Object.entries(result.data.weight_map));
    const [issue] = result.error.issues;
    throw wrong(path, `expected { "weight_map": { name: file } }; ${issue?.path.join('.')}: ${issue?.message}`);
  } catch (error) {
    throw error instanceof CovidCtError ? error : wrong(path, messageOf(error), error);
  } finally {
    await file.close();
  }
}

/** Returns the path of a shard, which must be in the folder of its index. */
function shardPath(path: string, name: string, file: string): string {
  if (file === '' || file === '.' || file === '..' || /[/\\\0]/.test(file)) {
    throw wrong(
      path,
      `tensor '${name}' is in ${JSON.stringify(file.slice(0, 120))}; expected the name of a file beside the index`,
    );
  }
  return join(dirname(path), file);
}

/**
 * Reads the names, shapes and offsets of the tensors of all shards.
 *
 * @param path the index, e.g. `model.safetensors.index.json`; its shards are in the same folder
 * @param readShard reads the header of a safetensors file
 * @throws CovidCtError ERR_WEIGHTS for a shard that is missing, damaged or in another folder, or a tensor that is in
 *   two shards, in none, or in another than the index says; AbortedError when the signal fires
 */
export async function readShards(
  path: string,
  readShard: (path: string) => Promise<SafetensorsHeader>,
  signal?: AbortSignal,
): Promise<{ tensors: WeightSource[]; notes: string[]; metadata: Readonly<Record<string, string>> }> {
  const index = await readIndex(path);
  const files = new Map([...index].map(([name, file]) => [file, shardPath(path, name, file)]));
  if (files.size === 0) throw wrong(path, 'its weight_map is empty');
  if (files.size > MAX_SHARDS) throw wrong(path, `it names ${files.size} shards, more than ${MAX_SHARDS}`);
  const found = new Map<string, WeightSource>();
  const metadata: Record<string, string> = {};
  for (const [file, shard] of files) {
    throwIfAborted(signal);
    const header = await readShard(shard).catch((error: unknown) => {
      throw new CovidCtError('ERR_WEIGHTS', `${path}: the shard ${file} cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    });
    Object.assign(metadata, header.metadata);
    for (const tensor of header.tensors) {
      if (found.has(tensor.name)) throw wrong(path, `tensor '${tensor.name}' is in two shards, ${file} is the second`);
      if (index.get(tensor.name) !== file)
        throw wrong(
          path,
          `tensor '${tensor.name}' is in ${file}; it says ${index.get(tensor.name) ?? 'nothing of it'}`,
        );
      found.set(tensor.name, { ...tensor, file: shard });
    }
  }
  const absent = [...index.keys()].find((name) => !found.has(name));
  if (absent !== undefined) throw wrong(path, `tensor '${absent}' is not in ${index.get(absent)}, where it says`);
  return { tensors: [...found.values()], notes: [`${files.size} shards were read through their index`], metadata };
}

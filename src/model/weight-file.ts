/** Opens a weight file, whatever its format: safetensors, or torch.save's zip or legacy container. */
import { open } from 'node:fs/promises';
import { CovidCtError, messageOf } from '../errors';
import type { NativeTensorSource } from '../native/types';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions, signalOptionsSchema } from '../options/check';
import { readPthLegacy } from './pth-legacy';
import { readPthZip } from './pth-zip';
import { readSafetensorsHeader } from './safetensors';

/** What a weight file holds; no tensor has been read yet. */
export interface WeightFile {
  readonly path: string;
  readonly format: 'safetensors' | 'pth-zip' | 'pth-legacy';
  /** In the file's order, each with its place in the file. */
  readonly tensors: readonly NativeTensorSource[];
  /** Of a safetensors file; empty for others. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was done to find the tensors, in words: where they stood, prefixes taken off, what was left out. */
  readonly notes: readonly string[];
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new CovidCtError('ERR_WEIGHTS', `cannot open the weights: ${messageOf(error)}`, { cause: error });
  });
  try {
    const buffer = Buffer.alloc(8);
    const { bytesRead } = await file.read(buffer, 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw new CovidCtError('ERR_WEIGHTS', `cannot read the weights ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

/**
 * Opens a weight file. The format is decided by its content, never by its name; nothing in it is executed.
 *
 * @returns names, dtypes, shapes and places of the tensors
 * @throws CovidCtError ERR_WEIGHTS for a file that is damaged, holds no state dict, or asks for code to be run; AbortedError
 */
export async function openWeightFile(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<WeightFile> {
  checkArgument(pathSchema, path, 'openWeightFile', 'path');
  const { signal } = checkOptions(signalOptionsSchema, options, 'openWeightFile');
  const start = await firstBytes(path);
  if (start.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'))) return { path, format: 'pth-zip', metadata: {}, ...(await readPthZip(path, signal)) };
  if (start[0] === 0x80 && (start[1] as number) <= 5) return { path, format: 'pth-legacy', metadata: {}, ...(await readPthLegacy(path, signal)) };
  return { path, format: 'safetensors', notes: [], ...(await readSafetensorsHeader(path)) };
}

/** Loads the tensors of a weight file into a network. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError } from '../files/write';
import type { NativeTensor, NativeTensorSource } from '../addon/types';
import { writeTogether } from './convert';
import { callAddon } from '../addon/call';
import { openWeightFile } from './open';
import type { OpenWeightFileOptions } from './open';
import type { WeightSource } from './types';
import { matchWeights, assertMatch } from './match';
import type { MatchOptions, LoadReport } from './match';

/** The network to load into. */
export interface Reader {
  readonly architecture: string;
  readonly tensors: readonly NativeTensor[];
  readTensors(path: string, sources: readonly NativeTensorSource[]): Promise<void>;
}

/**
 * Merges the shards into one temporary file and loads that, so that the network has either all of the new weights or
 * all of its own.
 */
async function readShards(
  network: Reader,
  path: string,
  plan: readonly WeightSource[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-shards-')).catch((error: unknown) => {
    throw fileError('put the shards together', tmpdir(), error);
  });
  try {
    const whole = join(dir, 'model.safetensors');
    const { placed } = await writeTogether(path, plan, whole, { signal });
    await callAddon(() => network.readTensors(whole, placed));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Loads a weight file into the network.
 *
 * @returns the report of what was loaded and left out, and the file's metadata
 * @throws CovidCtError ERR_WEIGHTS when the file is damaged, of another format or does not match; the network is then
 *   unchanged; AbortedError when the signal fires
 */
export async function readWeights(
  network: Reader,
  path: string,
  { entry, signal, ...fit }: MatchOptions & OpenWeightFileOptions,
): Promise<{ report: LoadReport; metadata: Readonly<Record<string, string>> }> {
  const { tensors, metadata, notes } = await openWeightFile(path, { entry, signal });
  const { plan, report } = matchWeights(path, network.tensors, tensors, fit);
  assertMatch(path, network.architecture, report, tensors, fit);
  if (plan.some(({ file }) => file !== undefined)) await readShards(network, path, plan, signal);
  else await callAddon(() => network.readTensors(path, plan));
  return { report: { ...report, notes: [...notes, ...report.notes] }, metadata };
}

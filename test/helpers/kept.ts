/** Which weights a run or a model folder keeps: their names carry a hash of their content. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCard, weightsOfCard } from '../../src/model/card';

/** Names in `weights/` without the hashes, e.g. `best`, sorted. */
export async function keptWeights(run: string): Promise<string[]> {
  return (await readdir(join(run, 'weights'))).map((name) => name.replace(/-[0-9a-f]{16}\.safetensors$/, '')).sort();
}

/** Absolute path of the weights that the folder's card names. */
export async function weightsIn(folder: string, which: 'best' | 'last' = 'best'): Promise<string> {
  const { card, dir } = await readCard(folder);
  return join(dir, weightsOfCard(dir, card, which).weights);
}

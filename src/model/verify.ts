/** Looks whether weights are those that a card was written for. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CovidCtError } from '../errors';
import { contentOf } from '../files/content';
import { fileError } from '../files/write';
import type { WeightsOfCard } from './card';

/** How weights are compared with their card: all bytes, or name and size alone. */
export type Verification = 'content' | 'size';

function replaced(path: string, expected: string, got: string): CovidCtError {
  return new CovidCtError(
    'ERR_WEIGHTS',
    `${path}: expected the weights that model.json was written for, ${expected}; got ${got}; ` +
      'the file is damaged or was replaced: copy the model again, or train it again',
  );
}

/**
 * @param dir folder of the card
 * @param how `content` reads the whole file; a card of version 0.1.0 knows neither size nor hash, and nothing is done
 * @throws CovidCtError ERR_WEIGHTS naming both where they differ; AbortedError
 */
export async function verifyWeights(
  dir: string,
  { weights, sha256, bytes }: WeightsOfCard,
  how: Verification,
  signal?: AbortSignal,
): Promise<void> {
  const path = join(dir, weights);
  const fail = (error: unknown): never => {
    throw fileError('read the weights', path, error, 'ERR_WEIGHTS');
  };
  if (bytes !== undefined) {
    const { size } = await stat(path).catch(fail);
    if (size !== bytes) throw replaced(path, `of ${bytes} bytes`, `${size} bytes`);
  }
  if (sha256 === undefined || how === 'size') return;
  const content = await contentOf(path, signal).catch(fail);
  if (content.sha256 !== sha256) throw replaced(path, `of SHA-256 ${sha256}`, content.sha256);
}

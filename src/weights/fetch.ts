/** Downloads pretrained weights into the per-user cache and checks them against the published part of the SHA-256. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CovidCtError } from '../errors';
import { download, DownloadError, sha256Of } from '../files/download';
import { cacheFolder } from '../files/cache-folder';
import { withLock } from '../files/lock';
import { assertTrustedFolder, makeTrustedFolder } from '../files/trusted-folder';
import { callbackSchema, isObject, nameSchema, pathSchema, faultless } from '../options/atoms';
import { checkArgument, checkOptions, signalSchema } from '../options/check';
import { findPretrainedWeights, requirePretrainedWeights } from './pretrained';
import type { PretrainedWeights } from './pretrained';

const knownSchema = faultless<PretrainedWeights>((value) =>
  isObject(value) && typeof value['file'] === 'string'
    ? null
    : { path: [], message: 'expected weights of pretrainedWeights()' },
);

const optionsSchema = z.strictObject({
  /** Folder for the file; `covidct-torch/weights` in the user's cache by default. */
  dir: z.string().min(1).optional(),
  /** Another URL of the same file. */
  url: z.url().optional(),
  /** Aborts the download; a partial file is kept, and the next call resumes it. */
  signal: signalSchema,
  /** Called during the download; the total is undefined when the server does not report it. */
  onProgress: callbackSchema<(receivedBytes: number, totalBytes: number | undefined) => void>().optional(),
});

/** Options of {@link fetchWeights}. */
export type FetchWeightsOptions = Readonly<z.input<typeof optionsSchema>>;

/** Returns the folder in which fetched checkpoints are kept. */
export function weightsFolder(): string {
  return join(cacheFolder(), 'weights');
}

/** Returns the path of a checkpoint in the cache, and whether the file is there. */
export function cachedWeights(
  known: PretrainedWeights,
  dir: string = weightsFolder(),
): { readonly path: string; readonly present: boolean } {
  checkArgument(knownSchema, known, 'cachedWeights', 'known');
  const path = join(checkArgument(pathSchema, dir, 'cachedWeights', 'dir'), known.file);
  return { path, present: existsSync(path) };
}

/**
 * Downloads a pretrained checkpoint unless it is in the cache. An interrupted download is resumed; a file that was put
 * into the cache by hand is checked and used.
 *
 * @param name a name of {@link pretrainedWeights}
 * @returns the file's path, its SHA-256, and whether this call downloaded it
 * @throws CovidCtError ERR_WEIGHTS for an unknown name or a cached file with another SHA-256; ERR_DOWNLOAD, saying
 *   where to put the file by hand; ERR_CACHE when other users can write to the cache; ERR_LOCK; AbortedError
 * @example
 * ```ts
 * import { Classifier } from 'covidct-torch';
 * import { fetchWeights } from 'covidct-torch/weights';
 *
 * const { path, fetched } = await fetchWeights('resnet50-imagenet');
 * using model = await Classifier.create({ architecture: 'resnet50', classes: ['NonCOVID', 'COVID'] });
 * await model.loadWeights(path, { replaceHead: true });
 * console.log(fetched);
 * ```
 */
export async function fetchWeights(
  name: string,
  options: FetchWeightsOptions = {},
): Promise<{ path: string; sha256: string; fetched: boolean }> {
  const { dir, url, signal, onProgress } = checkOptions(optionsSchema, options, 'fetchWeights');
  const known = requirePretrainedWeights(checkArgument(nameSchema, name, 'fetchWeights', 'name'));
  const { path } = cachedWeights(known, dir);
  if (dir === undefined) makeTrustedFolder(weightsFolder());
  return await withLock(
    path,
    async (held) => {
      const fetched = !existsSync(path);
      if (fetched) await fetchFile(known, url ?? known.url, path, { signal: held.signal, onProgress });
      const sha256 = await sha256Of(path);
      if (sha256.startsWith(known.sha256Prefix)) return { path, sha256, fetched };
      throw new CovidCtError(
        'ERR_WEIGHTS',
        `${path}: expected a file whose SHA-256 begins with ${known.sha256Prefix}; ` +
          `it is ${sha256}; remove it and fetch it again`,
      );
    },
    { signal },
  );
}

async function fetchFile(
  known: PretrainedWeights,
  url: string,
  file: string,
  options: Pick<FetchWeightsOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  try {
    await download({ url, file, sha256: known.sha256Prefix, signal: options.signal, onProgress: options.onProgress });
  } catch (error) {
    if (!(error instanceof DownloadError) || error.reached) throw error;
    throw new CovidCtError(
      'ERR_DOWNLOAD',
      `${error.message}. Where this machine cannot reach it, ` +
        `fetch ${known.url} elsewhere, put it at ${file}, and run this again`,
      { cause: error },
    );
  }
}

/**
 * Returns the path of the weights that a name means, without downloading anything.
 *
 * @param what `imagenet` (the architecture's), a name of {@link pretrainedWeights}, or the path of a file
 * @throws CovidCtError ERR_WEIGHTS when pretrained weights are not in the cache, saying how to get them; ERR_CACHE when
 *   other users could have written them
 * @example
 * ```ts
 * import { locateWeights } from 'covidct-torch/weights';
 *
 * console.log(locateWeights('imagenet', 'resnet50')); // a path in the cache; downloads nothing
 * ```
 */
export function locateWeights(what: string, architecture: string): string {
  checkArgument(pathSchema, what, 'locateWeights', 'what');
  checkArgument(nameSchema, architecture, 'locateWeights', 'architecture');
  const known = existsSync(what)
    ? undefined
    : what === 'imagenet'
      ? requirePretrainedWeights(what, architecture)
      : findPretrainedWeights(what);
  if (known === undefined) return what;
  const { path, present } = cachedWeights(known);
  if (present) {
    assertTrustedFolder(path);
    return path;
  }
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${known.name}: expected the weights at ${path}; run: covidct weights ` +
      `fetch ${known.name} (${known.sizeMiB.toFixed(0)} MiB), or put ${known.file} there by hand`,
  );
}

/** Writes model folders: weights named by their content, and then the card that makes them the model. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stemOfContentName, writeNamedByContent } from '../files/content';
import { withLock } from '../files/lock';
import { fileError, finishedName, makeFolder, removeWhole } from '../files/write';
import { pathSchema } from '../options/atoms';
import { checkArgument } from '../options/check';
import { CARD_FILE, makeCard, readCard, writeCard } from './card';
import type { ModelCard, WeightsOfCard } from './card';
import type { Network } from './types';

/** What weight files of this library end in. */
export const WEIGHTS_EXTENSION = '.safetensors';

/** Name of the weights of a saved model of version 0.1.0. */
const OLD_WEIGHTS = 'model.safetensors';

/** The lock that savers hold, so that one does not remove what another is about to name in its card. */
const SAVE_LOCK = '.save';

/**
 * Writes the network's weights under a name that tells their content.
 *
 * @param dir folder of the card
 * @param stem the folder in it and the name without hash and extension, e.g. `weights` and `best`
 * @returns what a card says of them
 * @throws CovidCtError ERR_RUN_FOLDER
 */
export async function storeWeights(
  network: Pick<Network, 'saveWeights'>,
  dir: string,
  stem: { readonly folder: string; readonly name: string },
  metadata: Readonly<Record<string, string>> = {},
): Promise<Required<WeightsOfCard>> {
  const { name, sha256, bytes } = await writeNamedByContent(
    { dir: join(dir, stem.folder), stem: stem.name, extension: WEIGHTS_EXTENSION },
    (temporary) => network.saveWeights(temporary, metadata),
    { action: 'write the weights' },
  );
  return { weights: stem.folder === '' ? name : `${stem.folder}/${name}`, sha256, bytes };
}

/** What a card says of a network, whichever weights it holds. */
export function factsOfNetwork(
  network: Network,
): Pick<ModelCard, 'architecture' | 'classes' | 'dropout' | 'channels' | 'precision' | 'pretraining' | 'versions'> {
  const { architecture, classes, dropout, channels, precision, belongings, versions } = network;
  const pretraining = belongings.pretraining ?? undefined;
  return { architecture, classes, dropout, channels, precision, pretraining, versions };
}

/** Whether a name in a folder is one that {@link saveModel} gives. */
export function isOfSavedModel(name: string): boolean {
  const own = finishedName(name) ?? name;
  return (
    own === CARD_FILE ||
    own === OLD_WEIGHTS ||
    name === `${SAVE_LOCK}.lock` ||
    stemOfContentName(own, WEIGHTS_EXTENSION) === 'model'
  );
}

/** Writes `model-<hash>.safetensors` and `model.json`; see {@link Classifier.save}. */
export async function saveModel(network: Network, dir: string): Promise<ModelCard> {
  checkArgument(pathSchema, dir, 'Classifier.save', 'dir');
  const { transform, threshold, origin, sixteenBit } = network.belongings;
  await makeFolder(dir).catch((error: unknown) => {
    throw fileError('make the folder', dir, error);
  });
  return await withLock(join(dir, SAVE_LOCK), async (held) => {
    const before = await readCard(dir).catch(() => null); // none, or a damaged one: it is replaced
    const stored = await storeWeights(network, dir, { folder: '', name: 'model' });
    const own = { transform, threshold, sixteenBit: sixteenBit ?? undefined, origin };
    const card = makeCard({ ...factsOfNetwork(network), ...own, ...stored });
    held.assertHeld();
    await writeCard(dir, card);
    await removeOthers(dir, card, before?.card.weights);
    return card;
  });
}

/** Removes the weights that the card before named, and what savers that were killed have left. */
async function removeOthers(dir: string, { weights }: ModelCard, before: string | undefined): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  const keep = new Set([CARD_FILE, weights, `${SAVE_LOCK}.lock`]);
  // A file of that name may be another library's, unless a card of ours named it.
  if (before !== OLD_WEIGHTS) keep.add(OLD_WEIGHTS);
  for (const name of names.filter((each) => isOfSavedModel(each) && !keep.has(each)))
    // The model is saved already; what cannot be removed now is removed by the next save.
    await removeWhole(join(dir, name)).catch(() => undefined);
}

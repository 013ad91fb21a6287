/** Writes a model folder. */
import { join } from 'node:path';
import { pathSchema } from '../options/atoms';
import { checkArgument } from '../options/check';
import { makeCard, writeCard } from './card';
import type { ModelCard } from './card';
import type { Network } from './types';

/** Writes `model.safetensors` and `model.json`; see {@link Classifier.save}. */
export async function saveModel(network: Network, dir: string): Promise<ModelCard> {
  checkArgument(pathSchema, dir, 'Classifier.save', 'dir');
  const { architecture, classes, dropout, channels, precision, versions } = network;
  const { transform, threshold, origin, pretraining, sixteenBit } = network.belongings;
  const card = makeCard({
    architecture,
    classes,
    dropout,
    channels,
    precision,
    pretraining: pretraining ?? undefined,
    transform,
    threshold,
    sixteenBit: sixteenBit ?? undefined,
    weights: 'model.safetensors',
    origin,
    versions,
  });
  await network.saveWeights(join(dir, card.weights));
  await writeCard(dir, card);
  return card;
}

/** Opens networks: with random weights, or with those of a model folder. */
import { join } from 'node:path';
import type { z } from 'zod';
import { callAddon } from '../addon/call';
import { loadNative } from '../addon/load';
import { GRAY_NORMALIZATION, tutorialEval } from '../data/transforms/presets';
import { CovidCtError, InvalidOptionError } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { belongingsOfCard, belongingsOfLast, DEFAULT_THRESHOLD } from './belongings';
import { readCard, weightsOfCard } from './card';
import type { ModelCard } from './card';
import { makeNetwork, readInto } from './network';
import { classifierOptionsSchema, loadOptionsSchema } from './options';
import type { ClassifierOptions, LoadOptions } from './options';
import type { Network } from './types';
import { verifyWeights } from './verify';

/**
 * Makes a network.
 *
 * @param random false: no initial weights are drawn, since all of them will be read from a file
 * @throws InvalidOptionError and what {@link NativeClassifier.ready} rejects with
 */
export async function createNetwork(options: ClassifierOptions, random = true): Promise<Network> {
  const { architecture, classes, device, threads, seed, dropout, imageSize, channels, convolution, precision } =
    checkOptions(classifierOptionsSchema, options, 'Classifier.create');
  const addon = loadNative();
  if (!addon.architectures().includes(architecture)) {
    throw new InvalidOptionError(
      `Classifier.create: expected an architecture of ${addon.architectures().join(', ')}; got '${architecture}'`,
      [{ path: 'architecture', message: 'unknown architecture' }],
    );
  }
  return await callAddon(async () => {
    const handle = new addon.Classifier({
      architecture,
      classes: classes.length,
      device,
      threads,
      seed,
      ...(dropout === undefined ? {} : { dropout }),
      channels,
      convolution,
      precision,
      random,
    });
    const facts = await handle.ready().catch((error: unknown) => {
      handle.dispose();
      throw error;
    });
    const normalization = channels === 1 ? GRAY_NORMALIZATION : 'imagenet';
    return makeNetwork(
      handle,
      facts,
      {
        architecture,
        classes: Object.freeze([...classes]),
        channels,
        // A network without a dropout layer keeps the number for the next one that is made of its settings.
        dropout: facts.nodes.find(({ op }) => op === 'dropout')?.p ?? dropout ?? 0.5,
        precision,
        convolution,
      },
      imageSize,
      {
        transform: tutorialEval({ size: imageSize, normalization }),
        threshold: DEFAULT_THRESHOLD,
        sixteenBit: null,
        origin: `random (seed ${seed})`,
        pretraining: null,
      },
    );
  });
}

/** How often a folder is read anew whose weights went away while they were read, since its owner keeps better ones. */
const ATTEMPTS = 100;

/**
 * Loads a model folder or the run folder of a training, also while another process writes it: what is loaded is one
 * card with its own weights.
 *
 * @throws CovidCtError ERR_MODEL for a folder that is not a model, ERR_WEIGHTS for weights that do not fit it or are
 *   not those that the card names
 */
export async function loadNetwork(path: string, options: LoadOptions = {}): Promise<Network> {
  return (await loadModel(path, options, 'Classifier.load')).network;
}

/** A network and the card that it was loaded by. */
export interface LoadedModel {
  readonly network: Network;
  readonly card: ModelCard;
}

/** The same with the card; `where` is the function to name in messages. */
export async function loadModel(path: string, options: LoadOptions, where: string): Promise<LoadedModel> {
  const checked = checkOptions(loadOptionsSchema, options, where);
  checkArgument(pathSchema, path, where, 'path');
  for (let attempt = 1; ; attempt += 1) {
    const { card, dir } = await readCard(path);
    try {
      return { network: await loadCard(card, dir, checked), card };
    } catch (error) {
      if (attempt === ATTEMPTS || !(await wasReplaced(path, card))) {
        // What the card says wrongly is the model's fault, not that of an option of this call.
        throw error instanceof InvalidOptionError
          ? new CovidCtError('ERR_MODEL', `${path}: ${error.message}`, { cause: error })
          : error;
      }
    }
  }
}

/** Whether the folder's card has become another one: the weights of the first may be gone. */
async function wasReplaced(path: string, before: ModelCard): Promise<boolean> {
  const now = await readCard(path).catch(() => null);
  return now !== null && JSON.stringify(now.card) !== JSON.stringify(before);
}

async function loadCard(card: ModelCard, dir: string, options: z.output<typeof loadOptionsSchema>): Promise<Network> {
  const { which, allowNonFinite, verify, ...given } = options;
  const { architecture, dropout, channels } = card;
  const weights = weightsOfCard(dir, card, which);
  const stop = new AbortController();
  // Beside the making of the network, which keeps another thread busy.
  const verified = verifyWeights(dir, weights, verify, stop.signal);
  verified.catch(() => undefined); // thrown below
  let network: Network | undefined;
  try {
    network = await createNetwork({ architecture, classes: [...card.classes], dropout, channels, ...given }, false);
    network.configure(card);
    const { metadata } = await readInto(network, join(dir, weights.weights), {}, allowNonFinite).catch(
      async (error: unknown) => {
        await verified; // that the file is damaged says more than what its damage led to
        throw error;
      },
    );
    await verified;
    network.belongings = which === 'last' ? belongingsOfLast(card, metadata) : belongingsOfCard(card);
    return network;
  } catch (error) {
    network?.dispose();
    throw error;
  } finally {
    stop.abort();
  }
}

/** Opens networks: with random weights, or with those of a model folder. */
import { callAddon } from '../addon/call';
import { loadNative } from '../addon/load';
import { GRAY_NORMALIZATION, tutorialEval } from '../data/transforms/presets';
import { CovidCtError, InvalidOptionError } from '../errors';
import { pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { belongingsOfCard, belongingsOfLast, DEFAULT_THRESHOLD } from './belongings';
import { readCard, weightsFileOf } from './card';
import { makeNetwork, readInto } from './network';
import { classifierOptionsSchema, loadOptionsSchema } from './options';
import type { ClassifierOptions, LoadOptions } from './options';
import type { Network } from './types';

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

/**
 * Loads a model folder or the run folder of a training.
 *
 * @throws CovidCtError ERR_MODEL for a folder that is not a model, ERR_WEIGHTS for weights that do not fit it
 */
export async function loadNetwork(path: string, options: LoadOptions = {}): Promise<Network> {
  const { which, allowNonFinite, ...given } = checkOptions(loadOptionsSchema, options, 'Classifier.load');
  const { card, dir } = await readCard(checkArgument(pathSchema, path, 'Classifier.load', 'path'));
  const { architecture, dropout, channels } = card;
  let network: Network | undefined;
  try {
    network = await createNetwork({ architecture, classes: [...card.classes], dropout, channels, ...given }, false);
    network.configure(card);
    const { metadata } = await readInto(network, weightsFileOf(dir, card, which), {}, allowNonFinite);
    network.belongings = which === 'last' ? belongingsOfLast(card, metadata) : belongingsOfCard(card);
    return network;
  } catch (error) {
    network?.dispose();
    // What the card says wrongly is the model's fault, not that of an option of this call.
    throw error instanceof InvalidOptionError
      ? new CovidCtError('ERR_MODEL', `${path}: ${error.message}`, { cause: error })
      : error;
  }
}

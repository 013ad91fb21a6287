/** Predicts and explains images: decode, forward, plain data. */
import { makeBatch } from '../data/batch';
import { toSources } from '../data/images/source';
import type { ImageInput } from '../data/images/source';
import { inputRegion } from '../data/transforms/program';
import { InvalidOptionError } from '../errors';
import { checkOptions } from '../options/check';
import { inChunks } from './chunks';
import { explainOptionsSchema, predictOptionsSchema } from './options';
import type { ExplainOptions, PredictOptions } from './options';
import { withOutOfMemoryAdvice } from './out-of-memory';
import { toExplanation, toPrediction } from './prediction';
import type { Explanation, Prediction } from './prediction';
import type { Network } from './types';

/** Classifies images; see {@link Classifier.predict}. */
export async function predictImages(
  network: Network,
  sources: ImageInput | readonly ImageInput[],
  options: PredictOptions = {},
): Promise<Prediction[]> {
  const { batchSize: size, signal, ...images } = checkOptions(predictOptionsSchema, options, 'predict');
  const { transform, threshold, sixteenBit = null } = network.belongings;
  return await inChunks(
    toSources(sources, 'predict'),
    { size, signal, transform, images, ownSixteenBit: sixteenBit },
    async (chunk, pixels) => {
      const outputs = await withOutOfMemoryAdvice('a prediction', { batchSize: chunk.length }, () =>
        network.predict(makeBatch(pixels, null, transform)),
      );
      return chunk.map((source, row) => toPrediction(source, outputs, row, network.classes, threshold));
    },
  );
}

/** Computes Grad-CAM of images; see {@link Classifier.explain}. */
export async function explainImages(
  network: Network,
  sources: ImageInput | readonly ImageInput[],
  options: ExplainOptions = {},
): Promise<Explanation[]> {
  const {
    batchSize: size,
    signal,
    layer = network.layers.default,
    class: name,
    ...images
  } = checkOptions(explainOptionsSchema, options, 'explain');
  const { classes } = network;
  const wanted = name === undefined ? null : classIndex(classes, name);
  const { transform, threshold, sixteenBit = null } = network.belongings;
  return await inChunks(
    toSources(sources, 'explain'),
    { size, signal, transform, images, ownSixteenBit: sixteenBit },
    async (chunk, pixels) => {
      const advised = <T>(work: () => Promise<T>): Promise<T> =>
        withOutOfMemoryAdvice('an explanation', { batchSize: chunk.length }, work);
      const batch = makeBatch(pixels, null, transform);
      const classIndices = new Int32Array(chunk.length).fill(wanted ?? 0);
      if (wanted === null) {
        // The class that is predicted depends on the operating point: it need not be the most probable one.
        const outputs = await advised(() => network.predict(batch));
        chunk.forEach((source, row) => {
          classIndices[row] = toPrediction(source, outputs, row, classes, threshold).labelIndex;
        });
      }
      const cam = await advised(() => network.gradCam(batch, { layer, classIndices }));
      return chunk.map((source, row) => {
        const image = pixels[row]!;
        const region = inputRegion(transform, image);
        const explained = classIndices[row]!;
        return toExplanation({ source, cam, row, explained, layer, classes, threshold, region, pixels: image });
      });
    },
  );
}

function classIndex(classes: readonly string[], name: string): number {
  const index = classes.indexOf(name);
  if (index < 0)
    throw new InvalidOptionError(`expected a class of ${classes.join(', ')}; got '${name}'`, [
      { path: 'class', message: 'unknown class' },
    ]);
  return index;
}

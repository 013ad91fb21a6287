/** Draws Grad-CAM: over a single image, and as the four montages of an evaluation. */
import type { Dataset, ImageSource, Pixels } from '../data/types';
import { DatasetError } from '../errors';
import type { Evaluation, ScoredSample } from '../metrics/types';
import type { Explanation } from '../model/prediction';
import type { Classifier } from '../model/classifier';
import { checkArgument, checkOptions } from '../options/check';
import type { ImageOptions } from '../data/images/options';
import { evaluationPicturesSchema, heatOptionsSchema } from './options';
import type { EvaluationPictures, HeatOptions } from './options';
import { selectOutcomes } from '../train/outcomes';
import type { OutcomeGroup } from '../train/outcomes';
import { encodeImage, heatOverlay, montage } from './overlay';
import { explanationSchema } from './schema';
import type { GradCamGroup, GradCamKind } from './types';

/** One of the four montages: a PNG file with its size, or null when no image is of this kind. */
export interface GradCamMontage extends Omit<GradCamGroup, 'png'> {
  readonly picture: { readonly png: Uint8Array; readonly width: number; readonly height: number } | null;
}

/** What `gradCamMontages` needs beside the evaluation. */
export interface GradCamMontagesOptions extends EvaluationPictures {
  /** Explains with the weights that were evaluated. */
  readonly model: Pick<Classifier, 'explain' | 'layers'>;
  /** The split that was evaluated. */
  readonly dataset: Dataset;
  /** Limits on images and the scale of 16-bit ones, as the evaluation had them; the run's own by default. */
  readonly images?: Partial<ImageOptions>;
  readonly signal?: AbortSignal;
  /** Called after each montage with the number of images drawn. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The image with an explanation over it, in the image's own size: the map is divided by its maximum, laid where the
 * network looked, and hides the image in proportion to its heat. Write it as PNG with {@link encodeImage}.
 *
 * @param explanation one result of `Classifier.explain`
 * @param options `alpha`: how much the hottest place hides, in [0, 1], default 0.6; `colormap`: `inferno` (default),
 *   `viridis` or `jet`
 * @returns RGB, uint8; a map of zeros leaves the image as it is
 * @throws CovidCtError ERR_BAD_BATCH when lengths do not fit; InvalidOptionError
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { Classifier } from 'covidct-torch';
 * import { drawExplanation, encodeImage } from 'covidct-torch/report';
 *
 * using model = await Classifier.load('runs/first');
 * for (const explanation of await model.explain('slice.png')) {
 *   const pixels = await drawExplanation(explanation, { alpha: 0.5, colormap: 'viridis' });
 *   await writeFile('overlay.png', await encodeImage(pixels));
 * }
 * ```
 */
export async function drawExplanation(
  explanation: Pick<Explanation, 'pixels' | 'map' | 'height' | 'width' | 'region'>,
  options: HeatOptions = {},
): Promise<Pixels> {
  const { pixels, map, height, width, region } = checkArgument(
    explanationSchema,
    explanation,
    'drawExplanation',
    'explanation',
  );
  const heat = checkOptions(heatOptionsSchema, options, 'drawExplanation');
  return heatOverlay({ pixels, map, mapHeight: height, mapWidth: width, region, ...heat });
}

/**
 * Montages of true and false positives and negatives with a score above 0.9, as far as there are any; where fewer than
 * three of a kind have such a score, the most confident ones.
 *
 * @returns four of them, or none for an evaluation that has not two classes
 * @throws DatasetError when the evaluation is not of this data set; as `Classifier.explain`; InvalidOptionError
 */
export async function gradCamMontages(
  evaluation: Evaluation,
  { model, dataset, images, signal, onProgress, ...options }: GradCamMontagesOptions,
): Promise<GradCamMontage[]> {
  const { gradCam, heat, montage: layout, layer } = checkOptions(evaluationPicturesSchema, options, 'gradCamMontages');
  if (evaluation.classes.length !== 2) return [];
  const groups = selectOutcomes(evaluation, { threshold: gradCam.threshold, perKind: gradCam.count });
  const total = groups.reduce((sum, { samples }) => sum + samples.length, 0);
  const montages: GradCamMontage[] = [];
  let done = 0;
  for (const group of groups) {
    const explanations = await model.explain(sourcesOf(dataset, group.samples), {
      class: evaluation.classes[group.predicted],
      layer,
      ...images,
      signal,
    });
    const tiles = await Promise.all(
      explanations.map(async (explanation, index) => ({
        pixels: await drawExplanation(explanation, heat),
        caption: captionOf(evaluation, group.samples[index]!),
      })),
    );
    const sheet = tiles.length === 0 ? null : await montage(tiles, layout);
    montages.push({
      ...wordsOf(group, gradCam.threshold),
      picture: sheet === null ? null : { png: await encodeImage(sheet), width: sheet.width, height: sheet.height },
    });
    onProgress?.((done += tiles.length), total);
  }
  return montages;
}

/** `true-positive`: how a kind of prediction is spelled in file names and tags. */
export function dashed(kind: GradCamKind): string {
  return kind.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`);
}

/** Where the images of some scored samples lie. Throws DatasetError when one is not of this data set. */
export function sourcesOf(dataset: Dataset, samples: readonly ScoredSample[]): ImageSource[] {
  const sources = new Map(dataset.samples.map(({ id, source }) => [id, source]));
  return samples.map(({ id }) => {
    const source = sources.get(id);
    if (source === undefined)
      throw new DatasetError(`${dataset.name}: expected the data set that was evaluated; it has no sample "${id}"`);
    return source;
  });
}

function captionOf({ classes }: Evaluation, { id, predicted, probabilities }: ScoredSample): string {
  return `${id.split('/').at(-1)}\n${classes[predicted]} ${probabilities[predicted]!.toFixed(3)}`;
}

/** The counts of a group; one whose threshold was let go says what was asked for. */
function wordsOf(
  { kind, samples, count, threshold, note }: OutcomeGroup,
  asked: number,
): Omit<GradCamMontage, 'picture'> {
  const counts = { kind, count, threshold, shown: samples.length };
  if (note === null) return counts;
  return {
    ...counts,
    letGo: {
      threshold: asked,
      above: samples.filter(({ probabilities, predicted }) => probabilities[predicted]! > asked).length,
    },
  };
}

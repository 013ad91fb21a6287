/** Draws Grad-CAM overlays: of single images, and as the four montages of a report. */
import { chooseCalls } from '../index';
import type { CallKind, Classifier, Dataset, Evaluation, Explanation, ImageSource, Pixels } from '../index';
import { encodeImage, heatOverlay, montage } from '../report/overlay';

/** One of the four montages, and the facts the report states about it. */
export interface GradCamMontage {
  readonly kind: CallKind;
  readonly picture: { readonly png: Uint8Array; readonly width: number; readonly height: number } | null;
  readonly count: number;
  readonly threshold: number;
  readonly shown: number;
  readonly note: string | null;
}

/** The image with the evidence over it, in the image's own size. */
export function overlayOf(explanation: Explanation): Promise<Pixels> {
  const { pixels, map, height, width, region } = explanation;
  return heatOverlay({ pixels, map, mapHeight: height, mapWidth: width, region });
}

/**
 * Montages of true and false positives and negatives with a score above 0.9, as far as there are any.
 *
 * @returns four of them, or none for a model that has not two classes
 */
export async function gradCamMontages(model: Classifier, dataset: Dataset, evaluation: Evaluation, signal: AbortSignal): Promise<GradCamMontage[]> {
  if (evaluation.classes.length !== 2) return [];
  const sources = new Map<string, ImageSource>(dataset.samples.map(({ id, source }) => [id, source]));
  const montages: GradCamMontage[] = [];
  for (const { kind, predicted, samples, count, threshold, note } of chooseCalls(evaluation)) {
    const explanations = await model.explain(samples.map(({ id }) => sources.get(id) as ImageSource), { class: evaluation.classes[predicted], signal });
    const tiles = await Promise.all(explanations.map(async (explanation, index) => {
      const sample = samples[index] as Evaluation['samples'][number];
      return { pixels: await overlayOf(explanation), caption: `${sample.id.split('/').at(-1)}\n${evaluation.classes[predicted]} ${(sample.probabilities[predicted] as number).toFixed(3)}` };
    }));
    const sheet = tiles.length === 0 ? null : await montage(tiles);
    const picture = sheet === null ? null : { png: await encodeImage(sheet), width: sheet.width, height: sheet.height };
    montages.push({ kind, picture, count, threshold, shown: tiles.length, note });
  }
  return montages;
}

/** File name of a montage: `grad-cam-true-positive.png`. */
export function montageFile(kind: CallKind): string {
  return `grad-cam-${kind.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}.png`;
}

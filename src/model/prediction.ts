/** What a classifier returns: predictions and explanations as plain data. */
import { CovidCtError } from '../errors';
import { pathOfSource } from '../data/images/decode';
import type { Rectangle } from '../data/transforms/step';
import type { ImageSource, Pixels } from '../data/types';
import type { NativeGradCam, NativeOutputs } from '../addon/types';
import { INTENDED_USE } from '../intended-use';

/** The prediction for one image. */
export interface Prediction {
  /** The path as it was given, that of a `file:` URL; null for bytes, Blobs, streams and pixels. */
  readonly path: string | null;
  /** Name of the class: by the threshold where there are two, otherwise the most probable. */
  readonly label: string;
  readonly labelIndex: number;
  /** softmax by class name; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** What this may be used for. */
  readonly intendedUse: string;
}

/** Where in an image the evidence for a class lies. */
export interface Explanation extends Prediction {
  /** The class that was explained. */
  readonly explained: string;
  readonly layer: string;
  /** Grad-CAM, >= 0, not normalized, height × width, rows first. All zero when nothing speaks for the class. */
  readonly map: Float32Array;
  readonly height: number;
  readonly width: number;
  /** The part of the original image that the map covers, in its pixels. */
  readonly region: Rectangle;
  /** The original image. */
  readonly pixels: Pixels;
}

function scoresOf(probabilities: Float32Array, row: number, classes: number): number[] {
  return Array.from(probabilities.subarray(row * classes, (row + 1) * classes));
}

function decide(probabilities: readonly number[], threshold: number): number {
  if (probabilities.length === 2) return probabilities[1]! >= threshold ? 1 : 0;
  return probabilities.indexOf(Math.max(...probabilities));
}

/**
 * Reads row `row` of the outputs. Throws CovidCtError ERR_NATIVE where a logit is not finite: softmax may make 0 and 1
 * of it.
 */
export function toPrediction(
  source: ImageSource,
  outputs: Pick<NativeOutputs, 'logits' | 'probabilities'>,
  row: number,
  classes: readonly string[],
  threshold: number,
): Prediction {
  const probabilities = scoresOf(outputs.probabilities, row, classes.length);
  if (![...probabilities, ...scoresOf(outputs.logits, row, classes.length)].every(Number.isFinite)) {
    throw new CovidCtError(
      'ERR_NATIVE',
      `${typeof source === 'string' ? source : 'an image'}: the network's output ` +
        'is not a number: its weights hold NaN or infinite values; load other weights',
    );
  }
  const labelIndex = decide(probabilities, threshold);
  return {
    path: pathOfSource(source),
    label: classes[labelIndex]!,
    labelIndex,
    probabilities: Object.fromEntries(classes.map((name, index) => [name, probabilities[index]!])),
    intendedUse: INTENDED_USE,
  };
}

interface ExplanationFacts {
  readonly source: ImageSource;
  readonly cam: NativeGradCam;
  readonly row: number;
  /** Index of the class that was explained. */
  readonly explained: number;
  readonly layer: string;
  readonly classes: readonly string[];
  readonly threshold: number;
  readonly region: Rectangle;
  readonly pixels: Pixels;
}

/** Reads row `row` of a Grad-CAM. */
export function toExplanation(facts: ExplanationFacts): Explanation {
  const { source, cam, row, explained, layer, classes, threshold, region, pixels } = facts;
  const prediction = toPrediction(source, cam, row, classes, threshold);
  const size = cam.height * cam.width;
  const map = cam.maps.slice(row * size, (row + 1) * size);
  if (!map.every(Number.isFinite)) {
    const name = prediction.path ?? 'an image';
    throw new CovidCtError(
      'ERR_NATIVE',
      `${name}: the gradient at ${layer} is not a number: the ` +
        `network's weights are far too large for one; load other weights`,
    );
  }
  return {
    ...prediction,
    explained: classes[explained]!,
    layer,
    map,
    height: cam.height,
    width: cam.width,
    region,
    pixels,
  };
}

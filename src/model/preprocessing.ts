/** What a prediction needs beside the weights, checked. */
import { inputRegion } from '../data/transforms/program';
import { parseTransform } from '../data/transforms/transform';
import type { Transform } from '../data/types';
import type { SixteenBit } from '../data/images/options';

/** What a prediction needs beside the weights. */
export interface Preprocessing {
  /** How an image becomes the network's input; must not draw at random. */
  readonly transform: Transform;
  /** Two classes: a probability of class 1 at or above it is predicted as class 1. In [0, 1]. */
  readonly threshold: number;
  /** Values of 16-bit images that become 0 and 255; left out or null: all 16 bits count. */
  readonly sixteenBit?: SixteenBit | null | undefined;
}

/** The same with its transform parsed. Throws InvalidOptionError for a transform that draws at random. */
export function checkPreprocessing({ transform, threshold, sixteenBit = null }: Preprocessing): Preprocessing {
  const checked = parseTransform(transform);
  inputRegion(checked, { height: 1, width: 1 }); // refuses a transform that draws
  return { transform: checked, threshold, sixteenBit };
}

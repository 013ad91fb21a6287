/**
 * What belongs to weights and comes and goes with them: how images are prepared for them, the operating point, where
 * they come from. It is one object, replaced as a whole when weights are loaded, so that nothing of others stays
 * behind.
 */
import { z } from 'zod';
import { GRAY_NORMALIZATION, tutorialEval } from '../data/transforms/presets';
import { inputSize } from '../data/transforms/transform';
import type { Transform } from '../data/types';
import { transformSchema } from '../data/transforms/transform';
import { sixteenBitSchema } from '../data/images/options';
import type { SixteenBit } from '../data/images/options';
import { classNamesSchema } from './options';
import { PRETRAINING_KEY, pretrainingOf, detectPretraining, trainedFor } from '../weights/pretrained';
import type { Pretraining } from '../weights/pretrained';
import { checkPreprocessing } from './preprocessing';
import type { Preprocessing } from './preprocessing';
import type { ModelCard } from './card';
import type { LoadReport } from '../weights/match';

/** The operating point of weights that say nothing of theirs. */
export const DEFAULT_THRESHOLD = 0.5;

/** Everything but the numbers that a prediction with these weights needs. */
export interface Belongings extends Preprocessing {
  // A calibration of the probabilities belongs here as well: it is of these weights, as the threshold is.
  /** Where the weights come from, in words. */
  readonly origin: string;
  /** What the weights it began with were trained for; null for random ones. */
  readonly pretraining: Pretraining | null;
}

/** The metadata key under which a weight file keeps how predictions with it are made. */
const PREDICTION_KEY = 'covidct.prediction';

const predictionSchema = z.object({
  classes: classNamesSchema,
  channels: z.union([z.literal(1), z.literal(3)]),
  transform: transformSchema,
  threshold: z.number().min(0).max(1).nullable(),
  sixteenBit: sixteenBitSchema.nullable().default(null),
});

/** How predictions with a weight file are made; its threshold is null where none was chosen for these weights. */
interface StoredPrediction {
  readonly classes: readonly string[];
  readonly channels: 1 | 3;
  readonly transform: Transform;
  readonly threshold: number | null;
  readonly sixteenBit: SixteenBit | null;
}

/**
 * Metadata for a weight file, from which {@link belongingsOf} makes the same again.
 *
 * @param origin where the weights come from, in words
 */
export function weightsMetadata({
  origin,
  ...prediction
}: StoredPrediction & { readonly origin: string }): Record<string, string> {
  const { classes, channels, transform, threshold, sixteenBit } = prediction;
  return {
    [PRETRAINING_KEY]: JSON.stringify(trainedFor(origin, transform)),
    [PREDICTION_KEY]: JSON.stringify({ classes, channels, transform, threshold, sixteenBit }),
  };
}

/** What a weight file says of its predictions; null where it says nothing, or nothing that can be understood. */
function storedPrediction(metadata: Readonly<Record<string, string>>): StoredPrediction | null {
  const text = metadata[PREDICTION_KEY];
  if (text === undefined) return null;
  try {
    const { transform, ...rest } = predictionSchema.parse(JSON.parse(text));
    // Refuses a transform that draws.
    return { ...rest, transform: checkPreprocessing({ transform, threshold: DEFAULT_THRESHOLD }).transform };
  } catch {
    return null;
  }
}

/** What belongs to the weights that a card names. */
export function belongingsOfCard(card: ModelCard): Belongings {
  const { origin, pretraining = null } = card;
  return { ...checkPreprocessing(card), origin, pretraining };
}

/** What belongs to the last weights of a run: what they say themselves, and the card of the best where they do not. */
export function belongingsOfLast(card: ModelCard, metadata: Readonly<Record<string, string>>): Belongings {
  const best = belongingsOfCard(card);
  const stored = storedPrediction(metadata);
  if (stored === null) return best;
  const { transform, threshold, sixteenBit } = stored;
  return {
    ...best,
    transform,
    sixteenBit,
    threshold: threshold ?? DEFAULT_THRESHOLD,
    origin: pretrainingOf(metadata)?.name ?? best.origin,
  };
}

/** The network that weights were loaded into. */
export interface Holder {
  readonly classes: readonly string[];
  readonly channels: 1 | 3;
  /** As it was asked for when the network was made. */
  readonly imageSize: number | undefined;
  /** What belonged to the weights before. */
  readonly before: Belongings;
}

function transformFor(stored: StoredPrediction | null, pretraining: Pretraining, holder: Holder): Transform {
  const { channels, imageSize, before } = holder;
  if (stored !== null && stored.channels === channels) {
    const { height, width } = inputSize(stored.transform);
    if (imageSize === undefined || (height === imageSize && width === imageSize)) return stored.transform;
  }
  const size = imageSize ?? pretraining.imageSize ?? inputSize(before.transform).height;
  const own = {
    mean: [...pretraining.mean] as [number, number, number],
    std: [...pretraining.std] as [number, number, number],
  };
  return tutorialEval({ size, normalization: channels === 1 ? GRAY_NORMALIZATION : own });
}

/** The file's threshold where it is of these classes and of this head; told where it is not the one before. */
function thresholdFor(stored: StoredPrediction | null, holder: Holder, report: LoadReport, notes: string[]): number {
  const isOwn = stored !== null && JSON.stringify(stored.classes) === JSON.stringify(holder.classes);
  const found = isOwn && report.replacedHead.length === 0 ? stored.threshold : null;
  const threshold = found ?? DEFAULT_THRESHOLD;
  if (holder.classes.length === 2 && threshold !== holder.before.threshold) {
    const why = found === null ? 'the file has none for these classes' : 'as the file says';
    notes.push(`the threshold is ${threshold} now, ${why}; it was ${holder.before.threshold}`);
  }
  return threshold;
}

/**
 * What belongs to the weights of a file.
 *
 * @returns it, and in words what has changed by it
 */
export function belongingsOf(
  path: string,
  { report, metadata }: { readonly report: LoadReport; readonly metadata: Readonly<Record<string, string>> },
  holder: Holder,
): { belongings: Belongings; notes: string[] } {
  const notes: string[] = [];
  const stored = storedPrediction(metadata);
  const pretraining = detectPretraining(path, metadata);
  const transform = transformFor(stored, pretraining, holder);
  const threshold = thresholdFor(stored, holder, report, notes);
  const sixteenBit = stored?.sixteenBit ?? null;
  if (JSON.stringify(sixteenBit) !== JSON.stringify(holder.before.sixteenBit ?? null)) {
    notes.push(
      '16-bit images are ' +
        `scaled ${sixteenBit === null ? 'by all 16 bits' : `from ${sixteenBit.low} to ${sixteenBit.high}`} now`,
    );
  }
  return { belongings: { transform, threshold, sixteenBit, origin: path, pretraining }, notes };
}

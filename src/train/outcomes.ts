/** Selects which images of an evaluation are worth explaining: some of each outcome, right and wrong. */
import { shuffle } from '../data/random';
import { z } from 'zod';
import type { Evaluation, ScoredSample } from '../metrics/types';
import { checkArgument, checkOptions } from '../options/check';
import { seedSchema } from '../options/atoms';
import { scoredSchema } from '../metrics/evaluation-schema';

/** The four outcomes of a prediction of two classes; class 1 is positive. */
export const OUTCOMES = ['truePositive', 'falsePositive', 'trueNegative', 'falseNegative'] as const;
/** One of the four outcomes of a prediction of two classes. */
export type Outcome = (typeof OUTCOMES)[number];

/** The images selected for one outcome. */
export interface OutcomeGroup {
  readonly kind: Outcome;
  /** Index of the class that was predicted for them. */
  readonly predicted: number;
  /** Selected at random among the eligible images, the most confident first. */
  readonly samples: readonly ScoredSample[];
  /** Number of eligible images. */
  readonly count: number;
  /** Probability of the predicted class that makes an image eligible; 0 where too few exceed the one asked for. */
  readonly threshold: number;
  /** Says in words why every image of the outcome is eligible; null where the threshold applies. */
  readonly note: string | null;
}

const optionsSchema = z.strictObject({
  threshold: z.number().min(0).max(1).default(0.9),
  perKind: z.int().min(0).max(1_000_000).default(10),
  seed: seedSchema.default(0),
});

/** Fewer confident predictions than this do not show how the model works. */
const TOO_FEW = 3;

/**
 * Selects up to `perKind` images of each outcome whose probability of the predicted class is above `threshold`.
 * Where fewer than three are, and the outcome has more images, the most confident of all are taken and `note` says so.
 *
 * @param evaluation of two classes
 * @param options `threshold` in [0, 1] (default 0.9), `perKind` (default 10), `seed` of the selection (default 0)
 * @returns one group for each outcome: true positive, false positive, true negative, false negative
 * @throws InvalidOptionError
 *
 * @example
 * ```ts
 * import { RunFolder } from 'covidct-torch';
 * import { selectOutcomes } from 'covidct-torch/report';
 *
 * const { test } = await (await RunFolder.open('runs/first')).metrics();
 * if (test !== undefined) {
 *   const [truePositives, falsePositives] = selectOutcomes(test, { threshold: 0.9, perKind: 5 });
 *   console.log(truePositives?.count, falsePositives?.samples.map(({ path }) => path));
 * }
 * ```
 */
export function selectOutcomes(
  evaluation: Pick<Evaluation, 'samples' | 'classes'>,
  options: { readonly threshold?: number; readonly perKind?: number; readonly seed?: number } = {},
): OutcomeGroup[] {
  checkArgument(scoredSchema, evaluation, 'selectOutcomes', 'evaluation');
  const { threshold, perKind, seed } = checkOptions(optionsSchema, options, 'selectOutcomes');
  return OUTCOMES.map((kind, index) => {
    const predicted = kind === 'truePositive' || kind === 'falsePositive' ? 1 : 0;
    const label = kind.startsWith('true') ? predicted : 1 - predicted;
    const all = evaluation.samples
      .filter((sample) => sample.label === label && sample.predicted === predicted)
      .sort((a, b) => confidenceOf(b) - confidenceOf(a));
    const confident = all.filter((sample) => confidenceOf(sample) > threshold);
    if (confident.length < TOO_FEW && confident.length < all.length) {
      const note = noteOnTooFew(kind, confident.length, all.length, threshold);
      return { kind, predicted, samples: all.slice(0, perKind), count: all.length, threshold: 0, note };
    }
    const selected = new Set(shuffle(confident.length, seed, index).slice(0, perKind));
    const samples = confident.filter((_, position) => selected.has(position));
    return { kind, predicted, samples, count: confident.length, threshold, note: null };
  });
}

function noteOnTooFew(kind: Outcome, confident: number, all: number, threshold: number): string {
  const outcome = kind.replace(/[A-Z]/, (letter) => ` ${letter.toLowerCase()}`);
  const found = confident === 0 ? 'None' : `Only ${confident}`;
  return (
    `${found} of ${all} ${outcome} predictions ${confident === 1 ? 'has' : 'have'} a score above ${threshold}; ` +
    'the most confident are shown.'
  );
}

/** Returns the probability of the predicted class. */
function confidenceOf(sample: Pick<ScoredSample, 'probabilities' | 'predicted'>): number {
  return sample.probabilities[sample.predicted]!;
}

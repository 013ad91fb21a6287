/** Chooses which images of an evaluation are worth explaining: some of each kind of right and wrong call. */
import { shuffle } from '../data/random';
import { z } from 'zod';
import type { Evaluation, ScoredSample } from '../metrics/types';
import { checkArgument, checkOptions } from '../options/check';
import { seedSchema } from '../data/options';
import { scoredSchema } from '../metrics/evaluation-schema';

/** The four kinds of call of a two-class model; class 1 is positive. */
export const OUTCOMES = ['truePositive', 'falsePositive', 'trueNegative', 'falseNegative'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The images chosen of one kind. */
export interface OutcomeGroup {
  readonly kind: Outcome;
  /** Index of the class the model called them. */
  readonly predicted: number;
  /** Chosen at random among the eligible, the surest first. */
  readonly samples: readonly ScoredSample[];
  /** How many were eligible. */
  readonly count: number;
  /** What the probability of the called class had to exceed; 0 where too few exceeded the one asked for. */
  readonly threshold: number;
  /** Why the threshold was let go, in words; null where it was kept. */
  readonly note: string | null;
}

const optionsSchema = z.strictObject({
  threshold: z.number().min(0).max(1).default(0.9),
  perKind: z.int().min(0).max(1_000_000).default(10),
  seed: seedSchema.default(0),
});

/** Fewer than this many sure calls are no picture of how the model works. */
const TOO_FEW = 3;

/**
 * Chooses up to `perKind` images of each kind of call whose probability of the called class is above `threshold`.
 * Where fewer than three are, and more calls of that kind exist, the surest of all are taken instead and `note` says so.
 *
 * @param evaluation of two classes
 * @param options `threshold` in [0, 1] (default 0.9), `perKind` (default 10), `seed` of the choice (default 0)
 */
export function selectOutcomes(
  evaluation: Pick<Evaluation, 'samples' | 'classes'>,
  options: { readonly threshold?: number; readonly perKind?: number; readonly seed?: number } = {},
): OutcomeGroup[] {
  checkArgument(scoredSchema, evaluation, 'chooseCalls', 'evaluation');
  const { threshold, perKind, seed } = checkOptions(optionsSchema, options, 'chooseCalls');
  return OUTCOMES.map((kind, index) => {
    const predicted = kind === 'truePositive' || kind === 'falsePositive' ? 1 : 0;
    const label = kind.startsWith('true') ? predicted : 1 - predicted;
    const all = evaluation.samples
      .filter((sample) => sample.label === label && sample.predicted === predicted)
      .sort((a, b) => scoreOf(b) - scoreOf(a));
    const sure = all.filter((sample) => scoreOf(sample) > threshold);
    if (sure.length < TOO_FEW && sure.length < all.length) {
      const found = sure.length === 0 ? 'none' : `only ${sure.length}`;
      return {
        kind,
        predicted,
        samples: all.slice(0, perKind),
        count: all.length,
        threshold: 0,
        note: `Of ${all.length} calls of the kind ${inWords(kind)}, ${found} ${sure.length === 1 ? 'has' : 'have'} a score above ${threshold}; the surest are shown.`,
      };
    }
    const chosen = new Set(shuffle(sure.length, seed, index).slice(0, perKind));
    return {
      kind,
      predicted,
      samples: sure.filter((_, position) => chosen.has(position)),
      count: sure.length,
      threshold,
      note: null,
    };
  });
}

function inWords(kind: Outcome): string {
  return kind.replace(/[A-Z]/, (letter) => ` ${letter.toLowerCase()}`);
}

/** Probability of the class the sample was called. */
function scoreOf(sample: Pick<ScoredSample, 'probabilities' | 'predicted'>): number {
  return sample.probabilities[sample.predicted]!;
}

/** Rounds of one measurement become its row. */
import { isOurs } from './backends';
import type { Backend } from './backends';
import { ratioOf, relativeDifference, spreadOf } from './statistics';
import type { BackendName, BackendResult, Mode, ResultRow } from './types';

/** Logits and losses further from the reference's than this share of the largest are not of the same computation. */
export const MOST_DIFFERENCE = { train: 1e-2, predict: 1e-3, cold: 1e-3 } as const;

/** What the rounds of one contender gave. */
export interface Measured {
  readonly contender: Backend;
  readonly milliseconds: number[];
  readonly peakBytes: number[];
  /** The outputs of the first round. */
  numbers: readonly number[] | null;
  problem: string | null;
}

/** What is needed beside the rounds. */
export interface Circumstances {
  readonly architecture: string;
  readonly mode: Mode;
  readonly batchSize: number;
  readonly imageSize: number;
  /** Multiplications for one image; null where nobody counted. */
  readonly flopsOfImage: number | null;
  /** Fastest matrix product; null where there is no PyTorch. */
  readonly gigaflopsPerSecond: number | null;
}

/** The row of a measurement. */
export function resultOf(
  measured: readonly Measured[],
  { architecture, mode, batchSize, imageSize, flopsOfImage, gigaflopsPerSecond }: Circumstances,
): ResultRow {
  const reference =
    measured.find(({ contender, numbers }) => contender.name === 'pytorch' && numbers !== null) ??
    measured.find(({ contender, numbers }) => contender.name === 'ours-libtorch' && numbers !== null);
  const pytorch = measured.find(({ contender }) => contender.name === 'pytorch');
  const contenders = measured.map((each): BackendResult => {
    const time = spreadOf(each.milliseconds);
    const rate =
      time === null || flopsOfImage === null || mode === 'cold' ? null : (flopsOfImage * batchSize) / time.median / 1e6;
    const difference =
      each === reference || each.numbers === null || reference === undefined
        ? null
        : relativeDifference(each.numbers, reference.numbers!);
    return {
      contender: each.contender.name,
      title: each.contender.title,
      milliseconds: each.milliseconds,
      time,
      timeToPyTorch: pytorch === undefined ? null : ratioOf(each.milliseconds, pytorch.milliseconds),
      peakBytes: spreadOf(each.peakBytes),
      peakToPyTorch: pytorch === undefined ? null : ratioOf(each.peakBytes, pytorch.peakBytes),
      gigaflopsPerSecond: rate,
      shareOfMatrixProduct: rate === null || gigaflopsPerSecond === null ? null : rate / gigaflopsPerSecond,
      difference,
      agrees: difference === null || difference <= MOST_DIFFERENCE[mode],
      problem: each.problem,
    };
  });
  const best = bestPeer(contenders);
  const ours = contenders.find(({ contender }) => contender === 'ours');
  return {
    type: 'result',
    architecture,
    mode,
    batchSize,
    imageSize,
    reference: reference?.contender.name ?? null,
    contenders,
    bestPeer: best?.contender ?? null,
    toBestPeer: best === null || ours === undefined ? null : ratioOf(ours.milliseconds, best.milliseconds),
  };
}

/** The fastest by its median that is not ours, computes the same and has run in every round. */
function bestPeer(
  contenders: readonly BackendResult[],
): { contender: BackendName; milliseconds: readonly number[] } | null {
  const peers = contenders.filter(
    ({ contender, time, agrees, problem }) => !isOurs(contender) && time !== null && agrees && problem === null,
  );
  return peers.reduce<(typeof peers)[number] | null>(
    (best, each) =>
      best === null || (each.time as { median: number }).median < (best.time as { median: number }).median
        ? each
        : best,
    null,
  );
}

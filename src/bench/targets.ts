/** What the measurements are meant to show, as data; and whether they do. */
import { titleOf } from './backends';
import { ratioOf } from './statistics';
import type { BackendName, BackendResult, Mode, ResultRow, Spread, TargetRow } from './types';

interface Target {
  readonly quantity: 'time' | 'memory';
  readonly mode: Mode;
  readonly batchSize: number;
  readonly against: 'pytorch' | 'best peer';
  readonly limit: number;
}

/** Targets for VGG19-BN at 224 pixels, the network that this package is built for. */
export const VGG19_BN_TARGETS: readonly Target[] = [
  { quantity: 'time', mode: 'train', batchSize: 8, against: 'pytorch', limit: 0.5 },
  { quantity: 'time', mode: 'predict', batchSize: 1, against: 'best peer', limit: 0.6 },
  { quantity: 'time', mode: 'predict', batchSize: 8, against: 'best peer', limit: 0.45 },
  { quantity: 'memory', mode: 'train', batchSize: 8, against: 'pytorch', limit: 0.9 },
  { quantity: 'time', mode: 'cold', batchSize: 1, against: 'pytorch', limit: 0.5 },
  { quantity: 'time', mode: 'cold', batchSize: 1, against: 'best peer', limit: 0.5 },
];

/** Targets for the others: no slower than PyTorch. Two equal times differ by as much in a short measurement. */
const NO_SLOWER = 1.05;

function quantityText({ quantity, mode, batchSize }: Omit<Target, 'against' | 'limit'>): string {
  if (mode === 'cold') return 'cold start to first prediction';
  return (
    `${quantity === 'memory' ? 'peak memory, ' : ''}${mode === 'train' ? 'training step' : 'prediction'}, ` +
    `batch ${batchSize}`
  );
}

/** Peak of ours as a share of a peer's, which need not be PyTorch. */
function peakRatio(ours: BackendResult, peer: BackendResult): Spread | null {
  return ours.peakBytes === null || peer.peakBytes === null
    ? null
    : ratioOf([ours.peakBytes.median], [peer.peakBytes.median]);
}

function ratioIn(row: ResultRow, { quantity, against }: Target): { ratio: Spread | null; name: BackendName | null } {
  const name = against === 'pytorch' ? 'pytorch' : row.bestPeer;
  const [ours, peer] = [
    row.contenders.find((each) => each.contender === 'ours'),
    row.contenders.find((each) => each.contender === name),
  ];
  if (ours === undefined || peer === undefined || !ours.agrees)
    return { ratio: null, name: peer === undefined ? null : name };
  if (quantity === 'memory') return { ratio: against === 'pytorch' ? ours.peakToPyTorch : peakRatio(ours, peer), name };
  return { ratio: against === 'pytorch' ? ours.timeToPyTorch : row.toBestPeer, name };
}

function judge(row: ResultRow, target: Target): TargetRow {
  const { ratio, name } = ratioIn(row, target);
  const against =
    name === null ? null : target.against === 'best peer' ? `the best peer (${titleOf(name)})` : titleOf(name);
  return {
    type: 'target',
    architecture: row.architecture,
    text: quantityText(target),
    against,
    limit: target.limit,
    ratio,
    met: ratio === null ? null : ratio.median <= target.limit,
  };
}

/**
 * Judges the measurements of one architecture.
 *
 * @param what what was asked for: nothing else is judged
 */
export function judgeTargets(rows: readonly ResultRow[], what: readonly ('memory' | Mode)[]): TargetRow[] {
  return rows.flatMap((row) => {
    const stands = row.architecture === 'vgg19_bn' && row.imageSize === 224;
    const targets = stands
      ? VGG19_BN_TARGETS.filter(({ mode, batchSize }) => mode === row.mode && batchSize === row.batchSize)
      : (['time', 'memory'] as const)
          .map((quantity): Target => ({
            quantity,
            mode: row.mode,
            batchSize: row.batchSize,
            against: 'pytorch',
            limit: NO_SLOWER,
          }))
          .filter(({ quantity, mode }) => quantity === 'time' || mode === 'train');
    return targets
      .filter(({ quantity, mode }) => what.includes(quantity === 'memory' ? 'memory' : mode))
      .map((target) => judge(row, target));
  });
}

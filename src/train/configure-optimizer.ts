/**
 * What the network's optimizer is configured with: kind, options, groups and clipping, as the addon takes them once.
 */
import type { Network } from '../model/types';
import type { NativeOptimizerGroup, NativeOptimizerOptions } from '../addon/optimizers';
import { ownSettings } from './optimizers';
import type { ResolvedTrainOptions } from './options';
import { inventoryOf, selectAll } from './parameter-selection';

/**
 * Resolves the groups' names; each parameter belongs to the first group that matches it.
 *
 * @throws InvalidOptionError when a match matches nothing
 */
export function optimizerOptions(network: Network, options: ResolvedTrainOptions): NativeOptimizerOptions {
  const { optimizer, learningRate, weightDecay, maxGradientNorm } = options;
  const groups = groupsOf(network, options);
  return {
    kind: optimizer,
    learningRate,
    weightDecay,
    ...ownSettings(optimizer, options),
    ...(groups.length === 0 ? {} : { groups }),
    ...(maxGradientNorm === undefined ? {} : { maxGradientNorm }),
  } as NativeOptimizerOptions;
}

function groupsOf(
  network: Network,
  { groups = [], learningRate, weightDecay }: ResolvedTrainOptions,
): NativeOptimizerGroup[] {
  if (groups.length === 0) return [];
  const inventory = inventoryOf(network);
  const taken = new Set<string>();
  return groups.map((group, index) => {
    const matched = selectAll([group.match].flat(), inventory, `groups[${index}].match`);
    const names = [...matched].filter((name) => !taken.has(name));
    names.forEach((name) => taken.add(name));
    return {
      names,
      learningRate: group.learningRate ?? learningRate * (group.learningRateScale ?? 1),
      weightDecay: group.weightDecay ?? weightDecay,
    };
  });
}

/** The optimizer's options at a learning rate: kind, groups and clipping. */
import type { Network } from '../model/types';
import type { NativeOptimizerGroup, NativeOptimizerOptions } from '../addon/types';
import type { ResolvedTrainOptions } from './options';
import { inventoryOf, selectAll } from './parameter-selection';

/**
 * Resolves the groups' names; each parameter belongs to the first group that matches it.
 *
 * @returns the options of an optimizer step at a learning rate; the rates of all groups are scaled alike
 * @throws InvalidOptionError when a match matches nothing, or the network cannot name its parts
 */
export function makeOptimizer(
  network: Network,
  options: ResolvedTrainOptions,
): (learningRate: number) => NativeOptimizerOptions {
  const groups = groupsOf(network, options);
  const { optimizer, weightDecay, momentum, dampening, nesterov, betas, epsilon, maxGradientNorm } = options;
  return (learningRate) => {
    const scale = learningRate / options.learningRate;
    const common = {
      learningRate,
      weightDecay,
      ...(groups.length === 0
        ? {}
        : { groups: groups.map((group) => ({ ...group, learningRate: group.learningRate * scale })) }),
      ...(maxGradientNorm === undefined ? {} : { maxGradientNorm }),
    };
    if (optimizer === 'sgd') return { ...common, momentum, dampening, nesterov };
    return { ...common, kind: optimizer, beta1: betas[0], beta2: betas[1], epsilon };
  };
}

function groupsOf(
  network: Network,
  { groups = [], learningRate, weightDecay }: ResolvedTrainOptions,
): NativeOptimizerGroup[] {
  if (groups.length === 0) return [];
  const inventory = inventoryOf(network, 'groups');
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

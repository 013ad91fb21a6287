/** Which parameters are trained in which epoch, and the network told of it. */
import type { TrainEvent } from '../log/types';
import type { Network } from '../model/types';
import type { FreezeOptions } from './fine-tuning-options';
import { inventoryOf, selectAll, stagesOf } from './parameter-selection';
import { refused } from './refused';
import type { Inventory } from './parameter-selection';

/** What is trained from the beginning of an epoch on. */
export interface TrainablePhase {
  readonly epoch: number;
  readonly parameters: readonly string[];
  /** Batch norm layers on their running statistics. */
  readonly frozenNorms: readonly string[];
}

/**
 * The phases of a training that freezes, in order; the first begins with epoch 1.
 *
 * @throws InvalidOptionError for names or depths the network does not have, when nothing is left to train, and for an
 *   unfreezing that changes nothing
 */
export function planPhases(
  { parameters = [], depth = 0, batchNorm, unfreeze }: FreezeOptions,
  inventory: Inventory,
): TrainablePhase[] {
  let frozen = new Set([
    ...selectAll(parameters, inventory, 'freeze.parameters'),
    ...firstStages(depth, inventory, 'freeze.depth'),
  ]);
  const phases = [phaseOf(1, frozen, batchNorm, inventory)];
  if (phases[0]?.parameters.length === 0)
    throw refused('freeze', 'everything is frozen; expected something that is left to train');
  for (const step of [...unfreeze].sort((a, b) => a.epoch - b.epoch)) {
    const path = `freeze.unfreeze[${unfreeze.indexOf(step)}]`;
    const kept = step.depth === undefined ? null : firstStages(step.depth, inventory, `${path}.depth`);
    const freed =
      step.parameters === undefined || step.parameters === 'all'
        ? null
        : selectAll(step.parameters, inventory, `${path}.parameters`);
    const left = [...frozen].filter((name) => (kept !== null ? kept.has(name) : freed !== null && !freed.has(name)));
    if (left.length === frozen.size) throw refused(path, `nothing of it is frozen at epoch ${step.epoch}`);
    frozen = new Set(left);
    phases.push(phaseOf(step.epoch, frozen, batchNorm, inventory));
  }
  return phases;
}

function phaseOf(
  epoch: number,
  frozen: ReadonlySet<string>,
  batchNorm: FreezeOptions['batchNorm'],
  { parameters, norms }: Inventory,
): TrainablePhase {
  return {
    epoch,
    parameters: parameters.map(({ name }) => name).filter((name) => !frozen.has(name)),
    frozenNorms: batchNorm === 'batch' ? [] : norms.filter((norm) => frozen.has(`${norm}.weight`)),
  };
}

function firstStages(depth: number, inventory: Inventory, path: string): Set<string> {
  const stages = stagesOf(inventory);
  if (depth > stages.length)
    throw refused(path, `expected at most the ${stages.length} stages of the backbone; got ${depth}`);
  return new Set(stages.slice(0, depth).flat());
}

/** Freezes at the beginning of epochs, and thaws everything in the end. */
export class FreezeSchedule {
  readonly #network: Network;
  readonly #inventory: Inventory | null;
  readonly #phases: readonly TrainablePhase[];
  #changed = false;

  /** @throws InvalidOptionError as {@link planPhases} */
  constructor(network: Network, freeze: FreezeOptions | undefined) {
    this.#network = network;
    this.#inventory = freeze === undefined ? null : inventoryOf(network);
    this.#phases = freeze === undefined || this.#inventory === null ? [] : planPhases(freeze, this.#inventory);
  }

  /** To be awaited at the beginning of an epoch; the event where what is trained changes. */
  async begin(epoch: number): Promise<Extract<TrainEvent, { type: 'unfrozen' }> | null> {
    const phase = this.#phases.findLast((each) => each.epoch === epoch);
    if (phase === undefined || this.#inventory === null) return null;
    const { parameters, frozenNorms } = phase;
    this.#changed = true;
    await this.#network.setTrainable({ parameters, frozenNorms });
    const trained = new Set(parameters);
    const numbers = this.#inventory.parameters.reduce((sum, { name, size }) => sum + (trained.has(name) ? size : 0), 0);
    return {
      type: 'unfrozen',
      epoch,
      parameters: numbers,
      tensors: parameters.length,
      frozenNorms: frozenNorms.length,
    };
  }

  /** Trains what is trained in an epoch that has begun in an earlier process; nothing is told. */
  async resume(epoch: number): Promise<void> {
    const phase = this.#phases.findLast((each) => each.epoch <= epoch);
    if (phase === undefined) return;
    this.#changed = true;
    await this.#network.setTrainable({ parameters: phase.parameters, frozenNorms: phase.frozenNorms });
  }

  /** Whether in this epoch nothing of the backbone changes, running statistics included. */
  backboneFrozen(epoch: number): boolean {
    const phase = this.#phases.findLast((each) => each.epoch <= epoch);
    if (phase === undefined || this.#inventory === null) return false;
    const { norms, headPrefix } = this.#inventory;
    return phase.parameters.every((name) => name.startsWith(headPrefix)) && phase.frozenNorms.length === norms.length;
  }

  /** Everything is trainable again, as the model was found. */
  async restore(): Promise<void> {
    if (!this.#changed || this.#inventory === null) return;
    await this.#network.setTrainable({
      parameters: this.#inventory.parameters.map(({ name }) => name),
      frozenNorms: [],
    });
    this.#changed = false;
  }
}

/** Keeps the best and the last weights of a training on the disk, with the card that makes them the run's model. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Transform } from '../data/types';
import type { TrainEvent } from '../log/types';
import { summarize } from '../metrics/evaluation';
import type { Evaluation } from '../metrics/types';
import { CARD_FILE, makeCard, readCard, writeCard } from '../model/card';
import type { ModelCard, WeightsOfCard } from '../model/card';
import { DEFAULT_THRESHOLD, weightsMetadata } from '../model/belongings';
import { factsOfNetwork, storeWeights } from '../model/save';
import type { Network } from '../model/types';
import { verifyWeights } from '../model/verify';
import type { SixteenBit } from '../data/images/options';
import type { ResolvedTrainOptions } from './options';
import { TemporaryFolder } from '../files/temporary-folder';
import { fileError, removeForGood, removeWhole } from '../files/write';
import type { Averaging } from './averaging';
import type { BestEpoch } from './history';
import type { RunFolder } from './run-folder';
import { chooseThreshold } from './threshold';

type CheckpointEvent = Extract<TrainEvent, { type: 'checkpoint' }>;

/** What the keeper works with. */
export interface KeptWeightsOptions {
  readonly network: Network;
  /** Where weights are averaged, the averaged ones are written, best and last alike. */
  readonly averaging: Averaging;
  /** Null: the best weights go to a temporary file that {@link KeptWeights.close} removes, the last are not kept. */
  readonly folder: RunFolder | null;
  /** How an image becomes the network's input at prediction; stored in the card. */
  readonly transform: Transform;
  readonly threshold: ResolvedTrainOptions['threshold'];
  /** Values of 16-bit images that became 0 and 255; stored in the card. */
  readonly sixteenBit?: SixteenBit | undefined;
  /** Which weights stay in a run folder. */
  readonly keep: ResolvedTrainOptions['keep'];
  /** Where the weights come from, for the card. */
  readonly origin: string;
  /** Weight files that must stay although the card names others, relative to the run folder. */
  readonly alsoNeeded: () => readonly string[];
  /** Throws where the folder is no longer this training's. */
  readonly assertHeld: () => Promise<void>;
}

/** Everything a KeptWeights knows, as plain JSON. */
export interface KeptWeightsState {
  /** The card of the run folder; null while there is none. */
  readonly card: ModelCard | null;
  readonly best: BestEpoch | null;
  /** Whether the network's weights are the best. */
  readonly bestIsCurrent: boolean;
  /** Of the best weights. */
  readonly threshold: number;
  /** The threshold of the weights as they are; null where it has not been chosen. */
  readonly current: number | null;
}

/** Weight files of one training. A new file becomes the model's by the card that names it, in one rename. */
export class KeptWeights {
  readonly #options: KeptWeightsOptions;
  readonly #temporary = new TemporaryFolder('covidct-weights-');
  #best: { readonly path: string; readonly epoch: BestEpoch } | null = null;
  #bestIsCurrent = false;
  /** The card of the run folder; null while it has none. */
  #card: ModelCard | null = null;
  /** The threshold of the best weights. */
  #threshold: number;
  /** The threshold of the weights as they are now; null where they have changed since they were evaluated. */
  #current: number | null = null;

  constructor(options: KeptWeightsOptions) {
    this.#options = options;
    this.#threshold = options.threshold === 'validation' ? DEFAULT_THRESHOLD : options.threshold;
  }

  /** The best epoch whose weights are kept; null before the first. */
  get best(): BestEpoch | null {
    return this.#best?.epoch ?? null;
  }

  /** Plain JSON from which {@link restore} continues, as long as the weights that its card names are kept. */
  state(): KeptWeightsState {
    return {
      card: this.#card,
      best: this.best,
      bestIsCurrent: this.#bestIsCurrent,
      threshold: this.#threshold,
      current: this.#current,
    };
  }

  /**
   * Continues from a state: its card is the run's again, and what an earlier process kept after it is removed.
   *
   * @throws CovidCtError ERR_WEIGHTS where its weights are not there any more
   */
  async restore(folder: RunFolder, { card, best, bestIsCurrent, threshold, current }: KeptWeightsState): Promise<void> {
    const found = await readCard(folder.dir).catch(() => null); // none, or a damaged one: it is replaced
    if (card !== null) await verifyWeights(folder.dir, card, 'size');
    if (JSON.stringify(found?.card ?? null) !== JSON.stringify(card)) {
      if (card === null) await removeForGood(folder.dir, [CARD_FILE]);
      else await writeCard(folder.dir, card);
      if (found?.card.sha256 !== card?.sha256) await folder.removeMetrics();
    }
    this.#card = card;
    this.#best = best === null || card === null ? null : { path: folder.file(card.weights), epoch: best };
    this.#bestIsCurrent = bestIsCurrent;
    this.#threshold = threshold;
    this.#current = current;
    await this.removeUnnamed();
  }

  /** Must be called after every training step: the network no longer holds the best weights. */
  weightsChanged(): void {
    this.#bestIsCurrent = false;
    this.#current = null;
  }

  /**
   * Must be called after every evaluation on the validation split: its
   * threshold belongs to the weights as they are now.
   */
  evaluated(evaluation: Evaluation): void {
    this.#current = this.#thresholdOf(evaluation);
  }

  /**
   * Keeps the network's weights as the best, the card with the threshold chosen on `evaluation`, and its metrics.
   *
   * @param epoch the epoch that is the best now
   * @param evaluation of the validation split with these weights; null without one
   * @throws CovidCtError when the files cannot be written; the earlier best is then whole
   */
  async keepBest(epoch: BestEpoch, evaluation: Evaluation | null): Promise<CheckpointEvent> {
    const { folder, keep } = this.#options;
    const kind = keep === 'last' ? 'last' : 'best';
    const threshold = this.#thresholdOf(evaluation);
    const stored = await this.#store(kind, epoch.epoch, threshold);
    if (folder !== null) {
      // Before the commit: metrics of the test split would be taken for those of the new weights after a kill.
      if (stored.sha256 !== this.#card?.sha256)
        await folder.removeMetrics(evaluation === null ? undefined : 'validation');
      await this.#commit(folder, stored, threshold, epoch.epoch);
    }
    const path = join(folder?.dir ?? '', stored.weights);
    this.#best = { path, epoch };
    this.#bestIsCurrent = true;
    this.#threshold = threshold;
    if (evaluation !== null) await this.writeMetrics(evaluation);
    await this.removeUnnamed();
    return { type: 'checkpoint', epoch: epoch.epoch, kind, path, metric: epoch.metric, value: epoch.value };
  }

  /** Writes the metrics of the validation split with the best weights and their threshold. */
  async writeMetrics(evaluation: Evaluation): Promise<void> {
    const threshold = evaluation.classes.length === 2 ? this.#threshold : undefined;
    await this.#options.folder?.writeMetrics(summarize({ ...evaluation, threshold }));
  }

  /**
   * Keeps the network's weights as the last; the best's own file where they are the same. Without a best epoch the card
   * names them as the model's, so that the run folder can be used all the same. Null without a run folder, and where
   * one set of weights is kept and there is one.
   *
   * @throws CovidCtError when the file cannot be written
   */
  async keepLast(epoch: number): Promise<CheckpointEvent | null> {
    const { folder, keep } = this.#options;
    if (folder === null || (keep !== 'both' && this.#best !== null)) return null;
    const card = this.#card;
    const stored =
      card !== null && this.#bestIsCurrent
        ? { weights: card.weights, sha256: card.sha256, bytes: card.bytes }
        : await this.#store('last', epoch, this.#current ?? this.#fixed());
    if (card === null) await this.#commit(folder, stored, this.#threshold, epoch);
    else await this.#write(folder, { ...card, last: stored });
    await this.removeUnnamed();
    const path = folder.file(stored.weights);
    return { type: 'checkpoint', epoch, kind: 'last', path, metric: 'last', value: null };
  }

  /**
   * Puts the best weights back into the network, with their transform and threshold; says which weights it holds now.
   */
  async restoreBest(): Promise<'best' | 'last'> {
    const { network, transform, sixteenBit = null, averaging } = this.#options;
    const origin = this.#origin();
    await averaging.adopt();
    if (this.#best !== null && !this.#bestIsCurrent) await network.loadWeights(this.#best.path, { weightsOnly: true });
    network.configure({
      transform,
      sixteenBit,
      threshold: this.#threshold,
      origin: this.#best === null ? origin : `${origin}, epoch ${this.#best.epoch.epoch}`,
    });
    if (this.#best === null) return 'last';
    this.#bestIsCurrent = true;
    return 'best';
  }

  /**
   * Removes the weights that neither the card nor a checkpoint names: those of earlier epochs, and what a process has
   * left that was killed while it wrote.
   */
  async removeUnnamed(): Promise<void> {
    const { folder, alsoNeeded, assertHeld } = this.#options;
    if (folder === null) return;
    await assertHeld(); // what another training has kept there is named by its card
    const named = new Set([this.#card?.weights, this.#card?.last?.weights, ...alsoNeeded()].map((each) => each ?? ''));
    const names = await readdir(folder.file('weights')).catch((error: unknown) => {
      throw fileError('look into the folder', folder.file('weights'), error);
    });
    for (const name of names) if (!named.has(`weights/${name}`)) await removeWhole(folder.file('weights', name));
  }

  /** Removes the temporary file. */
  async close(): Promise<void> {
    await this.#temporary.remove();
  }

  /** Writes the weights as they are now; nothing names them yet. Without a run folder the path is absolute. */
  async #store(kind: 'best' | 'last', epoch: number, threshold: number | null): Promise<WeightsOfCard> {
    const { network, folder, averaging, assertHeld } = this.#options;
    const metadata = this.#metadata(epoch, threshold);
    await assertHeld();
    if (folder !== null)
      return await averaging.during(() =>
        storeWeights(network, folder.dir, { folder: 'weights', name: kind }, metadata),
      );
    const weights = join(await this.#temporary.path(), 'best.safetensors');
    await averaging.during(() => network.saveWeights(weights, metadata));
    return { weights };
  }

  /** With all that belongs to the weights: who starts from the file alone gets it back. */
  #metadata(epoch: number, threshold: number | null): Record<string, string> {
    const { network, transform, sixteenBit = null } = this.#options;
    const { classes, channels } = network;
    const origin = `${this.#origin()}, epoch ${epoch}`;
    return {
      epoch: String(epoch),
      ...weightsMetadata({ classes, channels, transform, threshold, sixteenBit, origin }),
    };
  }

  /** The threshold that was asked for; null where it is chosen. */
  #fixed(): number | null {
    return this.#options.threshold === 'validation' ? null : this.#options.threshold;
  }

  #thresholdOf(evaluation: Evaluation | null): number {
    return this.#fixed() ?? (evaluation === null ? DEFAULT_THRESHOLD : chooseThreshold(evaluation));
  }

  /** Makes stored weights the run's model. */
  async #commit(folder: RunFolder, stored: WeightsOfCard, threshold: number, epoch: number): Promise<void> {
    const { network, transform, sixteenBit } = this.#options;
    const own = { transform, threshold, sixteenBit, origin: `${this.#origin()}, epoch ${epoch}` };
    await this.#write(folder, makeCard({ ...factsOfNetwork(network), ...own, ...stored }));
  }

  async #write(folder: RunFolder, card: ModelCard): Promise<void> {
    await this.#options.assertHeld();
    await writeCard(folder.dir, card);
    this.#card = card;
  }

  #origin(): string {
    const { origin, averaging } = this.#options;
    return averaging.decay === null ? origin : `${origin}, weights averaged (decay ${averaging.decay})`;
  }
}

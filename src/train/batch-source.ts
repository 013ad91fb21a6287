/** Where the micro-batches of an epoch come from: images, or the features of a frozen backbone. */
import { loadBatches } from '../data/loader';
import type { NativeInput } from '../addon/types';
import type { Evaluation } from '../metrics/types';
import { evaluateOutputs, evaluateNetwork } from './evaluate';
import type { BatchOutputs } from './evaluate';
import { FeatureCache } from './feature-cache';
import type { TrainingPlan } from './plan';

/** A micro-batch that the network can be trained on. */
export interface TrainingBatch {
  /** Place in the epoch, from 0; one that was left out whole is counted. */
  readonly position: number;
  readonly labels: Int32Array;
  /** Images, or features of a frozen backbone; with the labels. */
  readonly input: NativeInput;
}

/** The data of one training, epoch by epoch. */
export class BatchSource {
  readonly #plan: TrainingPlan;
  #train: FeatureCache | null = null;
  #validation: FeatureCache | null = null;

  constructor(plan: TrainingPlan) {
    this.#plan = plan;
    const {
      features,
      network,
      train,
      validation,
      options: { batchSize, prefetch, seed },
      evalTransform,
      store,
      signal,
      onSkip,
    } = plan;
    if (features === null) return;
    const common = { network, store, batchSize, prefetch, seed, signal };
    this.#train = new FeatureCache(
      {
        ...common,
        dataset: train,
        transform: features.transform,
        prediction: false,
        onSkip: (file) => onSkip('train', file),
      },
      features.variants,
    );
    if (validation !== null)
      this.#validation = new FeatureCache(
        {
          ...common,
          dataset: validation,
          transform: evalTransform,
          prediction: true,
          onSkip: (file) => onSkip('validation', file),
        },
        1,
      );
  }

  /**
   * The micro-batches of an epoch from `startBatch` on. Features are let go for good in the epoch in which the backbone
   * is trained again.
   */
  async *batches(epoch: number, startBatch = 0): AsyncGenerator<TrainingBatch, void, undefined> {
    const {
      network,
      train: dataset,
      trainTransform: transform,
      store,
      signal,
      onSkip,
      options: { batchSize, seed, prefetch },
    } = this.#plan;
    if (!this.#plan.freezing.backboneFrozen(epoch)) this.#train = this.#validation = null;
    if (this.#train !== null) {
      for await (const { position, labels, features } of this.#train.batches(epoch, { startBatch }))
        yield { position, labels, input: { features, labels } };
      return;
    }
    for await (const { position, labels, input } of loadBatches({
      dataset,
      transform,
      store,
      resize: network.resizePixels,
      signal,
      batchSize,
      seed,
      epoch,
      prefetch,
      shuffle: true,
      startBatch,
      onSkip: (file) => onSkip('train', file),
    })) {
      yield { position, labels, input };
    }
  }

  /** The validation split's metrics; null without one. */
  async validate(): Promise<Evaluation | null> {
    const {
      network,
      validation,
      evalTransform: transform,
      store,
      signal,
      onSkip,
      options: { batchSize, prefetch, sixteenBit },
    } = this.#plan;
    if (validation === null) return null;
    // The more probable of two classes: the model's operating point is not known before the end.
    const threshold = network.classes.length === 2 ? 0.5 : undefined;
    if (this.#validation !== null)
      return await evaluateOutputs({
        network,
        dataset: validation,
        store,
        split: 'validation',
        threshold,
        batches: this.#outputs(this.#validation),
      });
    return await evaluateNetwork(network, validation, {
      split: 'validation',
      threshold,
      transform,
      store,
      signal,
      batchSize,
      prefetch,
      sixteenBit,
      onSkip: (file) => onSkip('validation', file),
    });
  }

  async *#outputs(cache: FeatureCache): AsyncGenerator<BatchOutputs, void, undefined> {
    for await (const { indices, labels, features } of cache.batches(1, { ordered: true }))
      yield { indices, outputs: await this.#plan.network.predict({ features, labels }) };
  }
}

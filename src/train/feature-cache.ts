/** What a frozen backbone says of every image, computed once, so that an epoch runs the head alone. */
import { loadBatches } from '../data/loader';
import { shuffle } from '../data/random';
import type { PixelStore } from '../data/store';
import { isRandom } from '../data/transforms/transform';
import type { Dataset, SkippedFile, Transform } from '../data/types';
import { throwIfAborted } from '../errors';
import { withOutOfMemoryAdvice } from '../model/out-of-memory';
import type { Network } from '../model/types';
import type { ResolvedTrainOptions } from './options';
import { refused } from './refused';

/** What features are computed from. */
export interface FeatureSource {
  readonly network: Network;
  readonly dataset: Dataset;
  readonly transform: Transform;
  readonly store: PixelStore;
  readonly batchSize: number;
  readonly prefetch: number;
  readonly seed: number;
  /** For predictions, whose last bits may differ from a training step's. */
  readonly prediction: boolean;
  readonly signal: AbortSignal;
  readonly onSkip: (file: SkippedFile) => void;
}

/** A micro-batch of features. */
export interface FeatureBatch {
  /** Place of the micro-batch in the epoch, from 0; one that was left out whole is counted. */
  readonly position: number;
  readonly indices: readonly number[];
  readonly labels: Int32Array;
  /** n × width, row by row. */
  readonly features: Float32Array;
}

/** What is going to be kept. */
export interface FeaturePlan {
  /** The transform of the training images. */
  readonly transform: Transform;
  /** Rounds of augmentation kept; 1 where the transform is not random. */
  readonly variants: number;
  /** Numbers a feature has. */
  readonly width: number;
  /** Bytes of memory that all features take in the end. */
  readonly bytes: number;
  /** Whether the random trainTransform gave way to the evalTransform. */
  readonly withoutAugmentation: boolean;
}

/** What a training with `cacheFeatures` is planned from. */
export interface FeatureRequest {
  readonly network: Network;
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly trainTransform: Transform;
  readonly evalTransform: Transform;
  readonly options: Pick<ResolvedTrainOptions, 'cacheFeatures' | 'maxCacheBytes'>;
}

/**
 * Decides what is kept; null where nothing is to be.
 *
 * @param frozen whether the backbone is frozen whole in the first epoch
 * @throws InvalidOptionError when it is not, or when the features are more than `maxCacheBytes`
 */
export function planFeatures(
  {
    network,
    train,
    validation,
    trainTransform,
    evalTransform,
    options: { cacheFeatures, maxCacheBytes },
  }: FeatureRequest,
  frozen: boolean,
): FeaturePlan | null {
  if (cacheFeatures === false) return null;
  if (!frozen)
    throw refused(
      'cacheFeatures',
      "expected a backbone that is frozen whole, its batch norms on running statistics; give freeze: 'backbone'",
    );
  if (network.featureWidth === 0)
    throw refused(
      'cacheFeatures',
      `expected an architecture whose head takes one vector per image; that of ${network.architecture} takes maps; ` +
        'train it without cacheFeatures',
    );
  const withoutAugmentation = cacheFeatures === true && isRandom(trainTransform);
  const transform = withoutAugmentation ? evalTransform : trainTransform;
  const variants = cacheFeatures === true || !isRandom(transform) ? 1 : cacheFeatures.augmentations;
  const width = network.featureWidth;
  const bytes =
    (train.samples.length * variants + (validation?.samples.length ?? 0)) * width * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > maxCacheBytes)
    throw refused(
      'cacheFeatures',
      `expected room for ${bytes} bytes of features; maxCacheBytes ` +
        `is ${maxCacheBytes}; raise it or ask for fewer augmentations`,
    );
  return { transform, variants, width, bytes, withoutAugmentation };
}

/** Features of one data set: `variants` rounds of augmentation, each computed when an epoch first asks for it. */
export class FeatureCache {
  readonly #source: FeatureSource;
  readonly #variants: number;
  readonly #rows = new Map<number, ReadonlyMap<number, Float32Array>>();

  constructor(source: FeatureSource, variants: number) {
    this.#source = source;
    this.#variants = variants;
  }

  /**
   * Micro-batches of the epoch from `startBatch` on, in its order, or in the data set's where `ordered`; files left out
   * are not there.
   */
  async *batches(
    epoch: number,
    options: { readonly ordered?: boolean; readonly startBatch?: number } = {},
  ): AsyncGenerator<FeatureBatch, void, undefined> {
    const { dataset, batchSize, seed, signal } = this.#source;
    const rows = await this.#variant(((epoch - 1) % this.#variants) + 1);
    const order =
      options.ordered === true
        ? dataset.samples.map((_, index) => index)
        : shuffle(dataset.samples.length, seed, epoch);
    for (let position = options.startBatch ?? 0; position * batchSize < order.length; position += 1) {
      throwIfAborted(signal);
      const indices = order.slice(position * batchSize, (position + 1) * batchSize).filter((index) => rows.has(index));
      if (indices.length === 0) continue;
      const width = rows.get(indices[0]!)!.length;
      const features = new Float32Array(indices.length * width);
      indices.forEach((index, row) => features.set(rows.get(index)!, row * width));
      yield { position, indices, labels: Int32Array.from(indices, (index) => dataset.samples[index]!.label), features };
    }
  }

  /** Round v is drawn as epoch v draws, so that as many rounds as epochs are the training without a cache. */
  async #variant(variant: number): Promise<ReadonlyMap<number, Float32Array>> {
    const known = this.#rows.get(variant);
    if (known !== undefined) return known;
    const { network, prediction, ...loading } = this.#source;
    const rows = new Map<number, Float32Array>();
    for await (const { indices, input } of loadBatches({ ...loading, resize: network.resizePixels, epoch: variant })) {
      const features = await withOutOfMemoryAdvice(
        `computing features of ${loading.dataset.name}`,
        { batchSize: loading.batchSize },
        () => network.features(input, { prediction }),
      );
      const width = features.length / indices.length;
      indices.forEach((index, row) => rows.set(index, features.slice(row * width, (row + 1) * width)));
    }
    this.#rows.set(variant, rows);
    return rows;
  }
}

/** Runs a network over a split and returns its metrics. */
import { z } from 'zod';
import { pathOfSource } from '../data/images/decode';
import { loadBatches } from '../data/loader';
import { PixelStore } from '../data/store';
import { storedSixteenBit } from '../data/packed/packed-resize';
import { parseTransform } from '../data/transforms/transform';
import type { Dataset, SkippedFile } from '../data/types';
import { CovidCtError, DatasetError } from '../errors';
import { summarize } from '../metrics/evaluation';
import type { Evaluation, ScoredSample } from '../metrics/types';
import { withOutOfMemoryAdvice } from '../model/out-of-memory';
import { isClassifier, networkOf } from '../model/classifier';
import type { Classifier } from '../model/classifier';
import type { Network } from '../model/types';
import type { NativeOutputs } from '../addon/types';
import { callbackSchema, faultless } from '../options/atoms';
import { datasetSchema } from '../data/schemas';
import { checkArgument, checkOptions, signalSchema } from '../options/check';
import { transformSchema } from '../data/transforms/transform';
import { imageOptionsOf, imageShape } from '../data/images/options';

const optionsSchema = z.strictObject({
  /** Images in one forward pass, 1 to 4096 (default 8); does not change the metrics. */
  batchSize: z.int().min(1).max(4096).default(8),
  /**
   * Two classes: a probability of class 1 at or above it, in [0, 1], is
   * predicted as class 1; the model's own by default.
   */
  threshold: z.number().min(0).max(1).optional(),
  /** What happens to a file that cannot be decoded; `error` by default. A store of your own decides instead. */
  onBadFile: z.enum(['error', 'skip']).default('error'),
  /** Micro-batches prepared ahead, 0 to 64 (default 2). */
  prefetch: z.int().min(0).max(64).default(2),
  /** Name of the split in the metrics; the data set's name by default. */
  split: z.string().min(1).optional(),
  ...imageShape,
  /** How an image becomes the network's input; the model's own by default. */
  transform: transformSchema.optional(),
  /** Keeps decoded pixels between evaluations; an own one for this call by default. It then decides on bad files. */
  store: z
    .custom<PixelStore>((value) => typeof (value as PixelStore | null)?.load === 'function', 'expected a PixelStore')
    .optional(),
  /** Stops the evaluation between two micro-batches. */
  signal: signalSchema,
  /** Called for every file left out. */
  onSkip: callbackSchema<(file: SkippedFile) => void>().optional(),
  /** Called after every micro-batch with the number of images done. */
  onProgress: callbackSchema<(done: number, total: number) => void>().optional(),
});

/** Options of {@link evaluate}. The limits on images are a store's own where one is given. */
export type EvaluateOptions = Readonly<z.input<typeof optionsSchema>>;

const modelSchema = faultless<Classifier>((value) =>
  isClassifier(value) ? null : { path: [], message: 'expected a Classifier, e.g. from await Classifier.load(dir)' },
);

/**
 * Evaluates a network on a split: forward in evaluation mode, softmax scores, and the metrics of {@link summarize}.
 *
 * @param options `threshold`: two classes only, a probability of class 1 at or above it is predicted positive (the
 *   model's own by default); `batchSize`: images in one forward pass (default 8), which does not change the metrics
 * @returns the metrics with one scored sample for each image that could be read
 * @throws DatasetError for an empty split or other classes than the network's; CovidCtError ERR_DIVERGED when the
 *   network's output is NaN; BadImageError with `onBadFile: 'error'`; AbortedError
 * @example
 * ```ts
 * import { Classifier, evaluate, openDataset } from 'covidct-torch';
 *
 * const { test } = await openDataset('COVID-CT');
 * using model = await Classifier.load('runs/first');
 * if (test !== null) {
 *   const { accuracy, auc, confusionMatrix } = await evaluate(model, test, { split: 'test' });
 *   console.log(accuracy, auc, confusionMatrix); // [true][predicted]
 * }
 * ```
 */
export async function evaluate(
  model: Classifier,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions(optionsSchema, options, 'evaluate');
  checkArgument(modelSchema, model, 'evaluate', 'model');
  checkArgument(datasetSchema, dataset, 'evaluate', 'dataset');
  return await evaluateNetwork(networkOf(model), dataset, options);
}

/** Evaluates the network of a classifier; as {@link evaluate}. */
export async function evaluateNetwork(
  network: Network,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { batchSize, onBadFile, prefetch, signal, onSkip, onProgress, ...given } = checkOptions(
    optionsSchema,
    options,
    'evaluate',
  );
  checkDataset(network, dataset);
  const store = given.store ?? new PixelStore({ ...imageOptionsOf(given), onBadFile, maxCacheBytes: 0 });
  const sixteenBit = storedSixteenBit([dataset], given.sixteenBit ?? network.belongings.sixteenBit ?? undefined);
  const transform = given.transform === undefined ? network.belongings.transform : parseTransform(given.transform);
  const batches = async function* (): AsyncGenerator<BatchOutputs> {
    let done = 0;
    for await (const { indices, input } of loadBatches({
      dataset,
      transform,
      store,
      resize: network.resizePixels,
      batchSize,
      prefetch,
      sixteenBit,
      signal,
      onSkip,
    })) {
      yield {
        indices,
        outputs: await withOutOfMemoryAdvice(`the evaluation of ${dataset.name}`, { batchSize }, () =>
          network.predict(input),
        ),
      };
      done += indices.length;
      onProgress?.(done, dataset.samples.length);
    }
  };
  return await evaluateOutputs({
    network,
    dataset,
    store,
    split: given.split ?? dataset.name,
    threshold: thresholdFor(network, given.threshold),
    batches: batches(),
  });
}

/** The outputs of the network for some samples of a data set. */
export interface BatchOutputs {
  readonly indices: readonly number[];
  readonly outputs: NativeOutputs;
}

/** The metrics of predictions that are already there; {@link evaluate} says the rest. */
export async function evaluateOutputs({
  network,
  dataset,
  store,
  split,
  threshold,
  batches,
}: {
  readonly network: Network;
  readonly dataset: Dataset;
  readonly store: PixelStore;
  readonly split: string;
  readonly threshold: number | undefined;
  readonly batches: AsyncIterable<BatchOutputs>;
}): Promise<Evaluation> {
  const samples: Omit<ScoredSample, 'predicted'>[] = [];
  for await (const { indices, outputs } of batches) samples.push(...scoreBatch(dataset, indices, outputs));
  const skipped = leftOut(dataset, new Set(samples.map(({ id }) => id)), store);
  if (samples.length === 0)
    throw new DatasetError(
      `${dataset.name}: none of its ${skipped.length} files could ` +
        `be decoded; the first: ${skipped[0]?.reason ?? 'no file'}`,
    );
  return {
    ...summarize({ split, classes: network.classes, samples, threshold, skipped }),
    ...((dataset.leftOut ?? []).length === 0 ? {} : { leftOut: dataset.leftOut }),
  };
}

function thresholdFor({ classes, belongings }: Network, given: number | undefined): number | undefined {
  return classes.length === 2 ? (given ?? belongings.threshold) : given;
}

/**
 * Makes sure that a network and a data set speak of the same classes and that there is something to look at.
 *
 * @throws DatasetError
 */
export function checkDataset(network: Pick<Network, 'classes'>, dataset: Dataset): void {
  const given = dataset as Partial<Dataset> | null | undefined;
  if (!Array.isArray(given?.samples) || !Array.isArray(given.classes))
    throw new DatasetError('expected a data set with classes and samples, e.g. (await openDataset(dir)).train');
  if (dataset.samples.length === 0)
    throw new DatasetError(`${dataset.name}: expected at least one sample; it is empty`);
  const [expected, actual] = [network.classes, dataset.classes].map((names) => JSON.stringify(names)) as [
    string,
    string,
  ];
  if (expected !== actual)
    throw new DatasetError(
      `${dataset.name}: expected the network's classes ${expected}, in that order; the data set has ${actual}`,
    );
  for (const { id, label, origin } of dataset.samples) {
    if (Number.isInteger(label) && label >= 0 && label < dataset.classes.length) continue;
    throw new DatasetError(
      `${dataset.name}: expected a label from 0 ` +
        `to ${dataset.classes.length - 1}; ${id}${origin === undefined ? '' : ` (${origin})`} has ${label}`,
    );
  }
}

/** The store tells of a file once, perhaps in an earlier evaluation; so what was left out is what has no score. */
function leftOut(
  dataset: Dataset,
  scored: ReadonlySet<string>,
  store: PixelStore,
): Pick<SkippedFile, 'id' | 'reason'>[] {
  const reasons = new Map(store.skipped.map(({ id, reason }) => [id, reason]));
  return dataset.samples
    .filter(({ id }) => !scored.has(id))
    .map(({ id }) => ({ id, reason: reasons.get(id) ?? 'it could not be decoded' }));
}

function scoreBatch(
  dataset: Dataset,
  indices: readonly number[],
  outputs: NativeOutputs,
): Omit<ScoredSample, 'predicted'>[] {
  const classes = dataset.classes.length;
  return indices.map((index, row) => {
    const sample = dataset.samples[index]!;
    const loss = outputs.losses[row]!;
    const logits = outputs.logits.subarray(row * classes, (row + 1) * classes);
    if (!Number.isFinite(loss) || !logits.every(Number.isFinite)) {
      throw new CovidCtError(
        'ERR_DIVERGED',
        `${sample.id}: expected finite logits and a finite loss; the network gave [${logits.join(', ')}] ` +
          `and ${loss}: its weights hold NaN or are far too large; train again at a lower learning rate`,
      );
    }
    const probabilities = Array.from(outputs.probabilities.subarray(row * classes, (row + 1) * classes));
    return { id: sample.id, path: pathOfSource(sample.source), label: sample.label, probabilities, loss };
  });
}

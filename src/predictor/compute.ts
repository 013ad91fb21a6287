/** Answers a batch of decoded images: one forward pass, and Grad-CAM for those that are to be explained. */
import { makeBatch } from '../data/batch';
import { inputRegion } from '../data/transforms/program';
import { withOutOfMemoryAdvice } from '../model/out-of-memory';
import { toExplanation, toPrediction } from '../model/prediction';
import type { Explanation, Prediction } from '../model/prediction';
import type { Network } from '../model/types';
import type { Item } from './item';

/** What the network says of an image, by which operating point, and why where that was asked for. */
export interface Answer {
  readonly prediction: Prediction;
  readonly threshold: number;
  readonly explanation?: Explanation;
}

/** Called for each image of the batch once, in any order. */
export interface Answers {
  readonly answer: (item: Item, answer: Answer) => void;
  readonly fail: (item: Item, error: unknown) => void;
}

/** Answers the images of a batch; never throws. Where memory does not suffice for them together, in halves. */
export async function computeBatch(network: Network, batch: readonly Item[], answers: Answers): Promise<void> {
  try {
    await compute(network, batch, answers);
  } catch (error) {
    // Some may have been answered before the others were explained; their pixels are gone.
    const open = batch.filter(({ pixels }) => pixels !== null);
    if (batch.length > 1 && (error as { code?: unknown } | null)?.code === 'ERR_OUT_OF_MEMORY') {
      const half = Math.ceil(open.length / 2);
      for (const part of [open.slice(0, half), open.slice(half)])
        if (part.length > 0) await computeBatch(network, part, answers);
      return;
    }
    for (const item of open) answers.fail(item, error);
  }
}

async function compute(network: Network, batch: readonly Item[], answers: Answers): Promise<void> {
  const { transform } = network.belongings;
  const outputs = await withOutOfMemoryAdvice('a prediction', { batchSize: batch.length }, () =>
    network.predict(
      makeBatch(
        batch.map(({ pixels }) => pixels!),
        null,
        transform,
      ),
    ),
  );
  const explained = new Map<string, [Item, Prediction][]>();
  batch.forEach((item, row) => {
    attempt(item, answers, () => {
      const threshold = thresholdOf(network, item);
      const prediction = toPrediction(item.source, outputs, row, network.classes, threshold);
      if (item.request.explain === false) return answers.answer(item, { prediction, threshold });
      const layer = layerOf(network, item);
      explained.set(layer, [...(explained.get(layer) ?? []), [item, prediction]]);
    });
  });
  for (const [layer, items] of explained) await explain(network, layer, items, answers);
}

function attempt(item: Item, answers: Answers, work: () => void): void {
  try {
    work();
  } catch (error) {
    answers.fail(item, error);
  }
}

function thresholdOf(network: Network, { request }: Item): number {
  return request.threshold ?? network.belongings.threshold;
}

function layerOf(network: Network, { request: { explain } }: Item): string {
  return (typeof explain === 'object' ? explain.layer : undefined) ?? network.layers.default;
}

async function explain(
  network: Network,
  layer: string,
  items: readonly (readonly [Item, Prediction])[],
  answers: Answers,
): Promise<void> {
  const { classes } = network;
  const { transform } = network.belongings;
  const classIndices = Int32Array.from(items, ([{ request }, prediction]) => {
    const name = typeof request.explain === 'object' ? request.explain.class : undefined;
    return name === undefined ? prediction.labelIndex : classes.indexOf(name);
  });
  const pixels = items.map(([{ pixels: each }]) => each!);
  const cam = await withOutOfMemoryAdvice('an explanation', { batchSize: items.length }, () =>
    network.gradCam(makeBatch(pixels, null, transform), { layer, classIndices }),
  );
  items.forEach(([item, prediction], row) => {
    attempt(item, answers, () => {
      const threshold = thresholdOf(network, item);
      const explained = classIndices[row]!;
      const original = item.original!;
      const region = inputRegion(transform, original);
      const facts = { source: item.source, cam, row, explained, layer, classes, threshold, region, pixels: original };
      answers.answer(item, { prediction, threshold, explanation: toExplanation(facts) });
    });
  });
}

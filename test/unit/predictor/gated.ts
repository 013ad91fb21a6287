/** A network whose predictions wait until a test lets them go, and a predictor of it. */
import type { NativeBatch } from '../../../src/addon/batch';
import type { NativeInput, NativeOutputs } from '../../../src/addon/types';
import { predictorOf } from '../../../src/predictor/predictor';
import type { PredictorOptions } from '../../../src/predictor/options';
import type { Predictor } from '../../../src/predictor/predictor';
import { FakeNetwork } from '../../helpers/fake-network';
import { flatPixels } from '../../helpers/images';

export class GatedNetwork extends FakeNetwork {
  /** The first byte of every image of every batch, which tells the images apart. */
  readonly batches: number[][] = [];
  disposed = 0;
  /** Called before a batch is answered; throws what the prediction is to fail with. */
  before: (batch: NativeBatch) => void = () => undefined;
  #closed = false;
  #waiting: (() => void)[] = [];

  /** Predictions wait from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Lets the ones that wait go, and later ones too. */
  open(): void {
    this.#closed = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Lets the one that computes go, and nothing else. */
  letOneGo(): void {
    this.#waiting.shift()?.();
  }

  override async predict(input: NativeInput): Promise<NativeOutputs> {
    const batch = input as NativeBatch;
    this.batches.push(batch.images.map((image) => image[0]!));
    if (this.#closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.before(batch);
    return await super.predict(input);
  }

  override dispose(): void {
    this.disposed += 1;
  }
}

export function gated(options: PredictorOptions = {}): { network: GatedNetwork; predictor: Predictor } {
  const network = new GatedNetwork(['NonCOVID', 'COVID']);
  return { network, predictor: predictorOf(network, options, 'v1') };
}

/** An image whose every byte is the number. */
export const image = (number: number): ReturnType<typeof flatPixels> => flatPixels(number, 4);

/** Resolves when the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Gives image 1, and the others while it computes, so that they are decoded together; then lets all be answered. */
export async function behindOne<T>(
  { network, predictor }: ReturnType<typeof gated>,
  others: readonly number[],
  submit: (number: number) => Promise<T>,
): Promise<T[]> {
  network.close();
  const first = predictor.predict(image(1));
  await until(() => network.batches.length === 1);
  const promises = others.map(submit);
  await until(() => predictor.status().decoded === others.length);
  network.open();
  await first;
  return await Promise.all(promises);
}

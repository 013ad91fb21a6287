/** Sums loss and correct predictions over the micro-batches of an epoch; all are per sample, never a mean of means. */
import type { NativeOutputs } from '../addon/types';

/** Mean cross entropy per sample in nats, and accuracy in [0, 1]. */
export interface MeterMetrics {
  readonly loss: number;
  readonly accuracy: number;
  readonly samples: number;
}

/** The sums of a {@link Meter}. */
export interface MeterState {
  readonly loss: number;
  readonly correct: number;
  readonly samples: number;
}

/** Sums over samples; `compute` divides. */
export class Meter {
  #loss = 0;
  #correct = 0;
  #samples = 0;

  /** Takes in one micro-batch; returns its own metrics. */
  update(outputs: NativeOutputs, labels: Int32Array): MeterMetrics {
    const classes = labels.length === 0 ? 0 : outputs.probabilities.length / labels.length;
    let loss = 0;
    let correct = 0;
    for (const [index, label] of labels.entries()) {
      loss += outputs.losses[index] ?? NaN;
      if (argmax(outputs.probabilities.subarray(index * classes, (index + 1) * classes)) === label) correct += 1;
    }
    this.#loss += loss;
    this.#correct += correct;
    this.#samples += labels.length;
    return metricsOf(loss, correct, labels.length);
  }

  /** The metrics of everything taken in; NaN before the first sample. */
  compute(): MeterMetrics {
    return metricsOf(this.#loss, this.#correct, this.#samples);
  }

  /** Resets the sums. */
  reset(): void {
    this.restore({ loss: 0, correct: 0, samples: 0 });
  }

  /** Plain JSON from which {@link restore} continues exactly. */
  state(): MeterState {
    return { loss: this.#loss, correct: this.#correct, samples: this.#samples };
  }

  /** Continues from a state. */
  restore({ loss, correct, samples }: MeterState): void {
    this.#loss = loss;
    this.#correct = correct;
    this.#samples = samples;
  }
}

function metricsOf(loss: number, correct: number, samples: number): MeterMetrics {
  return { loss: loss / samples, accuracy: correct / samples, samples };
}

/** Index of the largest value; the first of equals. */
function argmax(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index += 1) {
    if (values[index]! > values[best]!) best = index;
  }
  return best;
}

/**
 * The base of the tests' fakes, a network without LibTorch: softmax regression on block means of the raw pixels, with
 * SGD, that truly learns.
 */
import { open, readFile } from 'node:fs/promises';
import { CovidCtError } from '../../src/errors';
import { fillFile } from '../../src/files/write';
import { tutorialEval } from '../../src/data/transforms/presets';
import type { Belongings } from '../../src/model/belongings';
import { classifierOf } from '../../src/model/classifier';
import type { Classifier } from '../../src/model/classifier';
import type { Precision } from '../../src/model/options';
import type { Network } from '../../src/model/types';
import type { LoadReport } from '../../src/weights/match';
import type { NativeBatch } from '../../src/addon/batch';
import type { NativeOptimizerOptions, NativeSgdOptions } from '../../src/addon/optimizers';
import type {
  NativeGradCam,
  NativeInput,
  NativeOutputs,
  NativeTensor,
  NativeTensorSource,
  NativeTrainOutputs,
  NativeTrainStepOptions,
} from '../../src/addon/types';

const GRID = 4;
const FEATURES = GRID * GRID + 1;

/** Mean of each of the 4 × 4 blocks of the first channel, in [-0.5, 0.5], and a constant 1. */
function features(image: Uint8Array, height: number, width: number): Float64Array {
  const sums = new Float64Array(FEATURES);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const block = Math.floor((y * GRID) / height) * GRID + Math.floor((x * GRID) / width);
      sums[block] = sums[block]! + image[(y * width + x) * 3]!;
    }
  }
  const pixels = (height * width) / (GRID * GRID);
  const result = sums.map((sum) => sum / pixels / 255 - 0.5);
  result[FEATURES - 1] = 1;
  return result;
}

/** One call of the trainer, for tests of the order; `reset` is one of configureOptimizer. */
export type Call =
  | {
      readonly type: 'step';
      readonly samples: number;
      readonly divisor: number;
      readonly dropoutSeed: number;
      readonly labels: readonly number[];
      readonly classWeights: readonly number[];
      readonly objective: number;
    }
  | {
      readonly type: 'update';
      readonly learningRate: number;
      readonly options: NativeSgdOptions;
      readonly gradient: readonly number[];
    }
  | { readonly type: 'reset' | 'predict' | 'save' | 'load' };

type StepOptions = NativeTrainStepOptions;

const NO_REPORT: LoadReport = {
  loaded: [],
  missing: [],
  unexpected: [],
  shapeMismatch: [],
  replacedHead: [],
  summedInput: [],
  notes: [],
};

export class FakeNetwork implements Network {
  readonly architecture: string = 'softmax_regression';
  readonly device: string = 'cpu';
  readonly deviceReason = 'it is a fake';
  readonly threads = 1;
  readonly channels = 3;
  readonly dropout = 0;
  readonly precision: Precision = 'float32';
  readonly convolution = 'libtorch';
  readonly versions = { fake: '1' };
  readonly normalization = undefined;
  readonly resizePixels = undefined;
  readonly norms = [];
  readonly headPrefix = 'fc.';
  readonly featureWidth = FEATURES;
  readonly nodes = [];
  readonly bytes = 0;
  readonly parameters: number;
  readonly tensors: readonly NativeTensor[];
  belongings: Belongings = {
    transform: tutorialEval(),
    threshold: 0.5,
    sixteenBit: null,
    origin: 'zeros',
    pretraining: null,
  };
  preprocessing: unknown = null;
  readonly layers = { names: ['blocks'], default: 'blocks' };
  readonly calls: Call[] = [];
  weights: Float64Array;
  gradient: Float64Array;
  /** Set to make step number n (from 1) fail or give NaN. */
  sabotage: { readonly atStep: number; readonly loss?: number; readonly error?: Error } | null = null;
  /** What the Trainer takes. */
  readonly classifier: Classifier = classifierOf(this);
  private readonly momentum: Float64Array;
  private readonly pending: NativeTrainOutputs[] = [];
  private optimizer: NativeSgdOptions | null = null;
  private owner: string | null = null;
  private steps = 0;

  constructor(readonly classes: readonly string[]) {
    this.weights = new Float64Array(FEATURES * classes.length);
    this.gradient = new Float64Array(this.weights.length);
    this.momentum = new Float64Array(this.weights.length);
    this.parameters = this.weights.length;
    this.tensors = [{ name: 'fc.weight', shape: [classes.length, FEATURES], dtype: 'F64', kind: 'parameter' }];
  }

  trainStep(input: NativeInput, options: StepOptions & { deferred?: false }): Promise<NativeTrainOutputs>;
  trainStep(input: NativeInput, options: StepOptions): Promise<NativeTrainOutputs | undefined>;
  async trainStep(input: NativeInput, options: StepOptions): Promise<NativeTrainOutputs | undefined> {
    const outputs = await this.step(input as NativeBatch, options);
    if (options.deferred !== true) return outputs;
    this.pending.push(outputs);
    return undefined;
  }

  readOutputs(): Promise<NativeTrainOutputs> {
    return Promise.resolve(this.pending.shift()!);
  }

  /** One step of images; what a fake changes of it, deferred steps do too. */
  protected async step(batch: NativeBatch, options: StepOptions): Promise<NativeTrainOutputs> {
    this.steps += 1;
    if (this.sabotage?.atStep === this.steps && this.sabotage.error) throw this.sabotage.error;
    const outputs = this.forward(batch);
    let objective = 0;
    for (const [index, label] of this.labels(batch).entries()) {
      const weight = options.classWeights.length === 0 ? 1 : options.classWeights[label]!;
      objective += (weight * outputs.losses[index]!) / options.divisor;
      const inputs = this.inputs(batch, index);
      for (let c = 0; c < this.classes.length; c += 1) {
        const delta =
          (weight * (outputs.probabilities[index * this.classes.length + c]! - (c === label ? 1 : 0))) /
          options.divisor;
        inputs.forEach((value, f) => {
          this.gradient[c * FEATURES + f] = this.gradient[c * FEATURES + f]! + delta * value;
        });
      }
    }
    if (this.sabotage?.atStep === this.steps && this.sabotage.loss !== undefined)
      outputs.losses[0] = this.sabotage.loss;
    const labels = [...this.labels(batch)];
    this.calls.push({
      type: 'step',
      samples: labels.length,
      divisor: options.divisor,
      dropoutSeed: options.dropoutSeed,
      labels,
      classWeights: [...options.classWeights],
      objective,
    });
    return Promise.resolve({ ...outputs, objective });
  }

  async optimizerStep(learningRate: number): Promise<number | null> {
    const { optimizer } = this;
    if (optimizer === null) throw new Error('there is no optimizer');
    this.calls.push({ type: 'update', learningRate, options: optimizer, gradient: [...this.gradient] });
    this.momentum.forEach((value, i) => {
      this.momentum[i] = optimizer.momentum * value + this.gradient[i]!;
    });
    this.weights = this.weights.map((value, i) => value - learningRate * this.momentum[i]!);
    this.gradient.fill(0);
    return Promise.resolve(null);
  }

  async configureOptimizer(options: NativeOptimizerOptions | null): Promise<void> {
    this.calls.push({ type: 'reset' });
    this.optimizer = options as NativeSgdOptions | null;
    this.pending.length = 0;
    this.gradient.fill(0);
    this.momentum.fill(0);
    return Promise.resolve();
  }

  average(op: string): Promise<void> {
    void op;
    return Promise.resolve();
  }

  setTrainable(): Promise<void> {
    return Promise.resolve();
  }

  keepPixels(bytes: number): Promise<void> {
    void bytes;
    return Promise.resolve();
  }

  features(): Promise<Float32Array> {
    return Promise.reject(new Error('a fake has no features'));
  }

  input(): Promise<Float32Array> {
    return Promise.reject(new Error('a fake has no input'));
  }

  /** Momentum and gathered gradients, as one tensor each. */
  trainingState(): Promise<NativeTensor[]> {
    const [weight] = this.tensors;
    return Promise.resolve(
      ['grad', 'momentum'].map((kind) => ({ ...weight!, name: `${kind}.fc.weight`, kind: 'state' as const })),
    );
  }

  async writeTensors(path: string, offset: number, names: readonly string[]): Promise<void> {
    const arrays = names.map((name) => this.arrayOf(name));
    const file = await open(path, 'r+');
    try {
      const bytes = Buffer.concat(arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)));
      await file.write(bytes, 0, bytes.length, offset);
    } finally {
      await file.close();
    }
  }

  finishWrite(): Promise<void> {
    return Promise.resolve();
  }

  async readTensors(path: string, sources: readonly NativeTensorSource[]): Promise<void> {
    const bytes = await readFile(path);
    for (const { name, offset } of sources) {
      const array = this.arrayOf(name);
      array.set(new Float64Array(Uint8Array.from(bytes.subarray(offset, offset + array.byteLength)).buffer));
    }
  }

  private arrayOf(name: string): Float64Array {
    if (name === 'momentum.fc.weight') return this.momentum;
    return name === 'grad.fc.weight' ? this.gradient : this.weights;
  }

  async predict(input: NativeInput): Promise<NativeOutputs> {
    this.calls.push({ type: 'predict' });
    return Promise.resolve(this.forward(input as NativeBatch));
  }

  async gradCam(batch: NativeBatch): Promise<NativeGradCam> {
    const { logits, probabilities } = this.forward(batch);
    const maps = new Float32Array(batch.images.length * GRID * GRID);
    batch.images.forEach((_, i) =>
      this.inputs(batch, i)
        .subarray(0, GRID * GRID)
        .forEach((value, f) => {
          maps[i * GRID * GRID + f] = Math.max(0, value);
        }),
    );
    return Promise.resolve({ maps, height: GRID, width: GRID, logits, probabilities });
  }

  async saveWeights(path: string): Promise<void> {
    this.calls.push({ type: 'save' });
    await fillFile(path, JSON.stringify([...this.weights]));
  }

  async loadWeights(path: string): Promise<LoadReport> {
    this.calls.push({ type: 'load' });
    this.weights = Float64Array.from(JSON.parse(await readFile(path, 'utf8')) as number[]);
    return NO_REPORT;
  }

  configure(settings: Parameters<Network['configure']>[0]): void {
    this.preprocessing = settings;
    this.belongings = { ...this.belongings, ...settings, origin: settings.origin ?? this.belongings.origin };
  }

  dispose(): void {
    // Nothing is held.
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  lock(owner: string): () => void {
    if (this.owner !== null)
      throw new CovidCtError('ERR_BUSY', `${owner}: the classifier is already in use by ${this.owner}`);
    this.owner = owner;
    return () => {
      this.owner = null;
    };
  }

  private inputs(batch: NativeBatch, index: number): Float64Array {
    return features(batch.images[index]!, batch.sizes[2 * index]!, batch.sizes[2 * index + 1]!);
  }

  private labels(batch: NativeBatch): Int32Array {
    return batch.labels ?? new Int32Array(0);
  }

  private forward(batch: NativeBatch): NativeOutputs {
    const classes = this.classes.length;
    const n = batch.images.length;
    const logits = new Float32Array(n * classes);
    const probabilities = new Float32Array(n * classes);
    const losses = new Float32Array(batch.labels?.length ?? 0);
    for (let i = 0; i < n; i += 1) {
      const inputs = this.inputs(batch, i);
      const row = Array.from({ length: classes }, (_, c) =>
        inputs.reduce((sum, value, f) => sum + value * this.weights[c * FEATURES + f]!, 0),
      );
      const top = Math.max(...row);
      const total = row.reduce((sum, value) => sum + Math.exp(value - top), 0);
      logits.set(row, i * classes);
      probabilities.set(
        row.map((value) => Math.exp(value - top) / total),
        i * classes,
      );
      if (batch.labels) losses[i] = Math.log(total) + top - row[batch.labels[i]!]!;
    }
    return { logits, probabilities, losses };
  }
}

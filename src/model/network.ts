/** One network on one native thread: the raw calls of the addon, with its errors made the library's own. */
import type { ResizePixels } from '../data/types';
import { CovidCtError } from '../errors';
import type {
  NativeBatch,
  NativeClassifier,
  NativeGradCam,
  NativeOptimizerOptions,
  NativeOutputs,
  NativeTensor,
  NativeTrainOutputs,
  NativeTrainStepOptions,
} from '../addon/types';
import { callAddon, callAddonSync } from '../addon/call';
import { Resizer } from './resizer';

/** What a {@link Classifier} is underneath: micro-batches in, numbers out. */
export class NativeNetwork {
  /** @internal the addon's object */
  protected readonly handle: NativeClassifier;
  /** Of the network's input: 3 (RGB) or 1 (gray). */
  readonly channels: 1 | 3;
  /** Resizes ahead of the steps; undefined for one channel, whose images are made gray before they are resized. */
  readonly resizePixels: ResizePixels | undefined;
  readonly #resizer = new Resizer();
  #owner: string | null = null;

  /** @internal */
  protected constructor(handle: NativeClassifier, channels: 1 | 3) {
    this.handle = handle;
    this.channels = channels;
    this.resizePixels = channels === 3 ? (pixels, size) => this.#resizer.resize(pixels, size) : undefined;
  }

  /** Forward and backward of one micro-batch in training mode; gradients are added to what is there. */
  async trainStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<NativeTrainOutputs> {
    return callAddon(() => this.handle.trainStep(batch, options));
  }

  /** trainStep without a wait for the device: fetchOutputs has what came of it. A loss that is not finite never reaches the parameters. */
  async startStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<void> {
    return callAddon(() => this.handle.startStep(batch, options));
  }

  /** Outputs of the oldest started step that has not been fetched. */
  async fetchOutputs(): Promise<NativeTrainOutputs> {
    return callAddon(() => this.handle.fetchOutputs());
  }

  /** One step with the gradients gathered so far, which are then forgotten; the norm before clipping where that is asked for. */
  async optimizerStep(options: NativeOptimizerOptions): Promise<{ gradientNorm: number } | void> {
    return callAddon(() => this.handle.optimizerStep(options));
  }

  /** Forgets the gathered gradients. */
  async zeroGrad(): Promise<void> {
    return callAddon(() => this.handle.zeroGrad());
  }

  /** Forgets gradients and the optimizer's state, as a new optimizer would start. */
  async resetOptimizer(): Promise<void> {
    return callAddon(() => this.handle.resetOptimizer());
  }

  /** Trains only these parameters from now on; these batch norms keep their running statistics. */
  async setTrainable(options: { parameters: readonly string[]; frozenNorms: readonly string[] }): Promise<void> {
    return callAddon(() => this.handle.setTrainable(options));
  }

  /** Names of the batch norm layers, the prefix of the head's names, and how many features the head takes. */
  parts(): { norms: string[]; headPrefix: string; featureWidth: number } {
    return callAddonSync(() => this.handle.parts());
  }

  /** What the head takes: float32, n × featureWidth; for the bits of `predictBatch` with `prediction`, of `trainStep` without. */
  async features(batch: NativeBatch, options: { readonly prediction?: boolean } = {}): Promise<Float32Array> {
    return callAddon(() => this.handle.features(batch, options));
  }

  /** trainStep of the head alone, from features on. */
  async trainFeatures(
    features: Float32Array,
    labels: Int32Array,
    options: NativeTrainStepOptions,
  ): Promise<NativeTrainOutputs> {
    return callAddon(() => this.handle.trainFeatures(features, labels, options));
  }

  /** startStep of the head alone, from features on. */
  async startFeatures(features: Float32Array, labels: Int32Array, options: NativeTrainStepOptions): Promise<void> {
    return callAddon(() => this.handle.startFeatures(features, labels, options));
  }

  /** predictBatch from features on. */
  async predictFeatures(features: Float32Array, labels?: Int32Array): Promise<NativeOutputs> {
    return callAddon(() => this.handle.predictFeatures(features, labels));
  }

  /** Takes the present weights into their exponential moving average. */
  async updateAverage(decay: number): Promise<void> {
    return callAddon(() => this.handle.updateAverage(decay));
  }

  /** Exchanges the weights with their average. */
  async swapAverage(): Promise<void> {
    return callAddon(() => this.handle.swapAverage());
  }

  /** Forgets the average. */
  async dropAverage(): Promise<void> {
    return callAddon(() => this.handle.dropAverage());
  }

  /** Forward of one micro-batch in evaluation mode. */
  async predictBatch(batch: NativeBatch): Promise<NativeOutputs> {
    return callAddon(() => this.handle.predict(batch));
  }

  /** Grad-CAM of one micro-batch; see NativeGradCam for the shapes. */
  async gradCamBatch(batch: NativeBatch, options: { layer: string; classIndices: Int32Array }): Promise<NativeGradCam> {
    return callAddon(() => this.handle.gradCam(batch, options));
  }

  /** The network's input for a batch: float32, n × 3 × height × width. */
  async inputOf(batch: NativeBatch): Promise<Float32Array> {
    return callAddon(() => this.handle.pixels(batch));
  }

  /** Makes the same input and lets it go: its bytes. For benchmarks. */
  async prepareInput(batch: NativeBatch): Promise<number> {
    return callAddon(() => this.handle.prepareInput(batch));
  }

  /**
   * Keeps at most so many bytes of images that have a key (those of a PixelStore) on the network's device, and crops, resizes
   * and flips them there: for a GPU. The input is the same, bit for bit. 0 lets all of them go.
   */
  async keepPixels(bytes: number): Promise<void> {
    return callAddon(() => this.handle.keepPixels(bytes));
  }

  /** Names, shapes and dtypes of parameters and buffers, in torchvision's order. */
  tensors(): NativeTensor[] {
    return callAddonSync(() => this.handle.tensors());
  }

  /** Raw bytes of named tensors into an existing file; `grad.` and `momentum.` before a parameter's name reach those. */
  async writeTensors(path: string, offset: number, names: readonly string[]): Promise<void> {
    return callAddon(() => this.handle.writeTensors(path, offset, names));
  }

  /** Marks the classifier as being trained until the returned function is called. Throws CovidCtError ERR_BUSY. */
  lock(owner: string): () => void {
    if (this.#owner !== null)
      throw new CovidCtError(
        'ERR_BUSY',
        `this classifier is being trained by ${this.#owner}; wait for it to end, or abort it first`,
      );
    this.#owner = owner;
    return () => {
      this.#owner = null;
    };
  }

  /** Bytes of parameters, buffers, gradients, optimizer state and average held now. */
  get bytes(): number {
    return this.handle.bytes();
  }

  /** Frees the network. Open promises are rejected with ERR_DISPOSED. May be called more than once. */
  dispose(): void {
    this.#resizer.dispose();
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

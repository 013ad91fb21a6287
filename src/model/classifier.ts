/** The classifier: a network with everything a prediction needs to be right. */
import type { SixteenBit } from '../data/images/options';
import type { ImageInput } from '../data/images/source';
import type { Transform } from '../data/types';
import type { NativeTensor } from '../addon/types';
import type { LoadReport } from '../weights/match';
import type { Pretraining } from '../weights/pretrained';
import { explainImages, predictImages } from './inference';
import { createNetwork, loadNetwork } from './open-network';
import type {
  ClassifierOptions,
  ExplainOptions,
  LoadOptions,
  LoadWeightsOptions,
  Precision,
  PredictOptions,
} from './options';
import type { Explanation, Prediction } from './prediction';
import type { Preprocessing } from './preprocessing';
import { saveModel } from './save';
import type { ModelCard } from './card';
import type { Network } from './types';

let reveal: (classifier: Classifier) => Network;
let wrap: (network: Network) => Classifier;
let isOne: (value: unknown) => value is Classifier;

/**
 * A trainable image classifier. Make one with {@link Classifier.create} or {@link Classifier.load}; call
 * {@link Classifier.dispose} when done (or declare it with `using`). All computation runs on its own thread;
 * predictions run before queued training steps.
 *
 * @example
 * ```ts
 * import { Classifier } from 'covidct-torch';
 *
 * using model = await Classifier.load('runs/first');
 * const [prediction] = await model.predict('slice.png');
 * console.log(prediction?.label, prediction?.probabilities);
 * ```
 */
export class Classifier {
  readonly #network: Network;

  static {
    reveal = (classifier) => classifier.#network;
    wrap = (network) => new Classifier(network);
    isOne = (value): value is Classifier => typeof value === 'object' && value !== null && #network in value;
  }

  private constructor(network: Network) {
    this.#network = network;
  }

  /**
   * Makes a classifier with random weights.
   *
   * @throws InvalidOptionError; LibTorchNotFoundError and ERR_ADDON_* where the native part is missing; ERR_DEVICE,
   *   also where a classifier on CUDA of the other of `float32` and `tf32` lives in this process; ERR_INVALID_OPTION
   *   for a precision that the device has not; ERR_OUT_OF_MEMORY
   *
   * @example
   * ```ts
   * import { Classifier } from 'covidct-torch';
   *
   * const model = await Classifier.create({ architecture: 'resnet18', classes: ['NonCOVID', 'COVID'], seed: 1 });
   * ```
   */
  static async create(options: ClassifierOptions): Promise<Classifier> {
    return new Classifier(await createNetwork(options));
  }

  /**
   * Loads a model folder or the run folder of a training: architecture, weights, classes, transform and threshold. The
   * precision is that of the options, whatever it was trained in.
   *
   * @throws CovidCtError ERR_MODEL for a folder that is not a model, ERR_WEIGHTS for weights that do not fit it
   *
   * @example
   * ```ts
   * import { Classifier } from 'covidct-torch';
   *
   * using model = await Classifier.load('runs/first', { device: 'cpu' });
   * ```
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Classifier> {
    return new Classifier(await loadNetwork(path, options));
  }

  /** Name of the architecture, e.g. `vgg19_bn`. */
  get architecture(): string {
    return this.#network.architecture;
  }

  /** Class names in the order of their indices; with two, the second is positive. */
  get classes(): readonly string[] {
    return this.#network.classes;
  }

  /** Channels of the network's input: 3 (RGB) or 1 (gray). */
  get channels(): 1 | 3 {
    return this.#network.channels;
  }

  /** The device it runs on, e.g. `cpu` or `cuda:0`. */
  get device(): string {
    return this.#network.device;
  }

  /** Why that device, in words. */
  get deviceReason(): string {
    return this.#network.deviceReason;
  }

  /** In which numbers it computes; its weights are float32. */
  get precision(): Precision {
    return this.#network.precision;
  }

  /** Number of trainable numbers in the network. */
  get parameterCount(): number {
    return this.#network.parameters;
  }

  /** Names of the layers {@link Classifier.explain} can look at, in order, and the default one. */
  get layers(): { readonly names: readonly string[]; readonly default: string } {
    return this.#network.layers;
  }

  /** How an image becomes the network's input at prediction. */
  get transform(): Transform {
    return this.#network.belongings.transform;
  }

  /** With two classes, a probability of class 1 at or above it is predicted as class 1; in [0, 1]. */
  get threshold(): number {
    return this.#network.belongings.threshold;
  }

  /** Values of 16-bit images that become 0 and 255; null: all 16 bits count. Stored with the model. */
  get sixteenBit(): SixteenBit | null {
    return this.#network.belongings.sixteenBit ?? null;
  }

  /** What the weights it began with were trained for; null for random ones. Stored with the model. */
  get pretraining(): Pretraining | null {
    return this.#network.belongings.pretraining;
  }

  /** Where the weights come from, in words. */
  get origin(): string {
    return this.#network.belongings.origin;
  }

  /** Bytes of parameters, buffers, gradients, optimizer state and average held now. */
  get bytes(): number {
    return this.#network.bytes;
  }

  /** Returns names, shapes and dtypes of parameters and buffers, in torchvision's order. */
  tensors(): readonly NativeTensor[] {
    return this.#network.tensors;
  }

  /**
   * Sets transform and threshold of later predictions, where the weights now come from, and how 16-bit images are
   * scaled (as before where it is left out); a training does it with its own.
   *
   * @throws InvalidOptionError, also for a transform that draws at random
   *
   * @example
   * ```ts
   * model.configure({ transform: model.transform, threshold: 0.4 });
   * ```
   */
  configure(settings: Preprocessing & { readonly origin?: string }): void {
    this.#network.configure(settings);
  }

  /**
   * Classifies images.
   *
   * @param sources one image or a list of them, each a path, `file:` URL, bytes, Blob, stream or pixels:
   *   {@link ImageInput}
   * @param options
   *   - `maxPixels`: and the other limits, as decodeImage has them; `sixteenBit`: the model's own by default
   * @returns one prediction for each source, in order
   * @throws BadImageError naming the source; AbortedError; CovidCtError ERR_DISPOSED; ERR_OUT_OF_MEMORY naming a
   *   smaller batchSize to try
   *
   * @example
   * ```ts
   * for (const { path, label, probabilities } of await model.predict(['a.png', 'b.png'])) {
   *   console.log(path, label, probabilities[label]);
   * }
   * ```
   */
  async predict(sources: ImageInput | readonly ImageInput[], options: PredictOptions = {}): Promise<Prediction[]> {
    return await predictImages(this.#network, sources, options);
  }

  /**
   * Computes Grad-CAM: where in the image the evidence for a class lies.
   *
   * @returns one explanation for each source, in order, with a map at the layer's resolution and the region of the
   *   original image it covers
   * @throws as predict; InvalidOptionError for an unknown class; CovidCtError ERR_LAYER for an unknown layer
   *
   * @example
   * ```ts
   * const [explanation] = await model.explain('slice.png', { class: 'COVID' });
   * console.log(explanation?.height, explanation?.width, explanation?.map);
   * ```
   */
  async explain(sources: ImageInput | readonly ImageInput[], options: ExplainOptions = {}): Promise<Explanation[]> {
    return await explainImages(this.#network, sources, options);
  }

  /**
   * Writes a model folder: `model-<hash>.safetensors`, and then `model.json`, the card that names them. A reader finds
   * the earlier model or this one, whoever saves at the same time.
   *
   * @throws CovidCtError ERR_RUN_FOLDER
   *
   * @example
   * ```ts
   * await model.save('models/first');
   * ```
   */
  async save(dir: string): Promise<ModelCard> {
    return await saveModel(this.#network, dir);
  }

  /**
   * Writes parameters and buffers under torchvision's names as safetensors, whole or not at all. Transform, threshold,
   * classes and origin are in the metadata, so that loadWeights brings them back.
   *
   * @throws CovidCtError ERR_RUN_FOLDER
   */
  async saveWeights(path: string, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#network.saveWeights(path, metadata);
  }

  /**
   * Reads weights with torchvision's names from a file: safetensors, or what torch.save writes (zip or legacy), without
   * executing anything in it. What belongs to the weights is replaced as a whole: files of this library bring their
   * transform and, for the same classes, their threshold; others the normalization and input size of a known
   * checkpoint, or ImageNet's normalization as an assumption, and the threshold 0.5. An `imageSize` that was asked for
   * stays.
   *
   * @param options
   *   - `replaceHead`: keep the classification head as it is when the file's has another size (default false)
   *   - `allowMissing`: names or prefixes that the file need not have; true for any (default false)
   *   - `allowUnexpected`: names or prefixes of the file that may go unused; true for any (default false)
   *   - `weightsOnly`: leave transform, threshold, origin and pretraining as they are (default false)
   *   - `entry`: where in a checkpoint the weights stand, e.g. `model_ema` (default: found)
   *   - `prefix`: under which of the file's names the network stands, e.g. `encoder_q.` (default: found)
   *   - `allowNonFinite`: read NaN and infinite numbers too, for a look inside (default false)
   * @throws CovidCtError ERR_WEIGHTS when the file is damaged, does not fit or is not finite, with the network as it
   *   was; AbortedError
   *
   * @example
   * ```ts
   * const { loaded, notes } = await model.loadWeights('resnet18-f37072fd.pth', { replaceHead: true });
   * ```
   */
  async loadWeights(path: string, options: LoadWeightsOptions = {}): Promise<LoadReport> {
    return await this.#network.loadWeights(path, options);
  }

  /** Frees the network. Open promises are rejected with ERR_DISPOSED. May be called more than once. */
  dispose(): void {
    this.#network.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Returns the network that a classifier hides; for the library's own rooms. */
export const networkOf = (classifier: Classifier): Network => reveal(classifier);

/** Makes a classifier of a network; for the library's own rooms and the tests' fakes. */
export const classifierOf = (network: Network): Classifier => wrap(network);

/** Returns whether a value is a classifier of this copy of the library. */
export const isClassifier = (value: unknown): value is Classifier => isOne(value);

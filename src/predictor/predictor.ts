/** A trained model as a service uses it: many callers, bounded, batched. */
import { EventEmitter } from 'node:events';
import { releaseSources, toSources } from '../data/images/source';
import type { ImageInput } from '../data/images/source';
import type { ImageSource } from '../data/types';
import { CovidCtError, InvalidOptionError } from '../errors';
import { callbackSchema, pathSchema } from '../options/atoms';
import { loadModel } from '../model/open-network';
import type { LoadOptions } from '../model/options';
import type { Network } from '../model/types';
import { checkArgument, checkOptions } from '../options/check';
import { Counters } from './counters';
import { follow } from './follow';
import { followSchema, gateSchema, promoteSchema } from './gate-options';
import type { FollowOptions, PromoteOptions } from './gate-options';
import { Models } from './models';
import { eventSchema, requestSchema, splitOptions } from './options';
import type { LimitOptions, Limits, PredictorOptions, PredictorRequest, ResolvedRequest } from './options';
import { Pipeline } from './pipeline';
import { disposed } from './refusals';
import type { Submission } from './pipeline';
import { ServedModel, versionOf } from './served-model';
import type {
  Following,
  PredictorEvents,
  PredictorMetrics,
  PredictorStatus,
  Promotion,
  ServedPrediction,
} from './types';

/** Images in a batch where nothing else is asked for: more gain nothing on a CPU. */
const BATCH = { cpu: 8, cuda: 32 };

/** What a predictor is made of. */
interface Parts {
  readonly model: ServedModel;
  readonly limits: Limits;
  readonly load: LoadOptions;
}

let build: (parts: Parts) => Predictor;

/**
 * Answers for a trained model in a service. It has weights of its own, on a thread of its own, so that a training
 * beside it neither delays an answer nor changes one; give each its share of the cores with `threads`.
 *
 * Everything it is asked is bounded: images and bytes that are in it at once (all images of a call are let in, or
 * none), images that are decoded at once and ahead, and the time to an answer. While a batch computes, the next one
 * collects. What is aborted or too late leaves before it costs anything.
 *
 * @example
 * ```ts
 * import { Predictor } from 'covidct-torch';
 *
 * await using predictor = await Predictor.load('runs/first', { threads: 1, maxQueue: 128, timeoutMs: 5000 });
 * const { label, probability, version } = await predictor.predict('slice.png');
 * console.log(label, probability, version);
 * ```
 */
export class Predictor {
  readonly #limits: Limits;
  readonly #events = new EventEmitter<PredictorEvents>();
  readonly #counters = new Counters(this.#events);
  readonly #pipeline: Pipeline;
  readonly #models: Models;
  readonly #followed = new Set<Following>();
  #disposed = false;

  static {
    build = (parts) => new Predictor(parts);
  }

  private constructor({ model, limits, load }: Parts) {
    this.#limits = limits;
    this.#models = new Models(model, { load, onSwap: (swap) => this.#counters.tell('swap', swap) });
    this.#pipeline = new Pipeline({ limits, current: () => this.#models.current, counters: this.#counters });
  }

  /**
   * Loads a model folder or the run folder of a training.
   *
   * @throws InvalidOptionError; as Classifier.load
   */
  static async load(path: string, options: PredictorOptions = {}): Promise<Predictor> {
    const { name, limits, load } = splitOptions(options);
    const { network, card } = await loadModel(path, load, 'Predictor.load');
    const model = new ServedModel(network, { model: name ?? network.architecture, version: versionOf(card) });
    return new Predictor({ model, limits: limitsFor(network, limits), load });
  }

  /** Class names in the order of their indices; with two, the second is positive. */
  get classes(): readonly string[] {
    return this.#models.current.network.classes;
  }

  /**
   * Classifies one image, or a list of them, by the model's own transform and operating point.
   *
   * @param inputs a path, `file:` URL, bytes, Blob, stream or pixels, or a list of them: {@link ImageInput}
   * @param request
   *   - `signal`, `timeoutMs`: take it back, or give it up after so long (the predictor's own time by default)
   *   - `priority`: `normal` (default) or `low`
   *   - `explain`: also where the evidence lies; true, or `{ class, layer }`
   *   - `threshold`: another operating point
   * @returns the answer, or one for each image in order
   * @throws QueueFullError; CovidCtError ERR_TIMEOUT, ERR_CLOSING, ERR_DISPOSED; AbortedError; BadImageError; of a list
   *   the first failure, and the other images are taken back: {@link Predictor.submit} tells each one's
   */
  predict(inputs: readonly ImageInput[], request?: PredictorRequest): Promise<ServedPrediction[]>;
  predict(input: ImageInput, request?: PredictorRequest): Promise<ServedPrediction>;
  async predict(
    inputs: ImageInput | readonly ImageInput[],
    request: PredictorRequest = {},
  ): Promise<ServedPrediction | ServedPrediction[]> {
    const where = 'Predictor.predict';
    const { promises, takeBack } = this.#submit(toSources(inputs, where), request, where);
    try {
      const answers = await Promise.all(promises);
      return Array.isArray(inputs) ? answers : answers[0]!;
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  /**
   * The same for a list, with a promise for each image: one that cannot be read does not touch the others. A promise
   * that nobody waits for harms nothing.
   *
   * @throws at once, and then none is taken: QueueFullError; CovidCtError ERR_CLOSING, ERR_DISPOSED; AbortedError;
   *   InvalidOptionError
   *
   * @example
   * ```ts
   * import { Predictor } from 'covidct-torch';
   *
   * using predictor = await Predictor.load('runs/first');
   * const answers = await Promise.allSettled(predictor.submit(['a.png', 'not-an-image.txt']));
   * for (const each of answers) console.log(each.status === 'fulfilled' ? each.value.label : each.reason);
   * ```
   */
  submit(inputs: readonly ImageInput[], request: PredictorRequest = {}): Promise<ServedPrediction>[] {
    return this.#submit(toSources(inputs, 'Predictor.submit'), request, 'Predictor.submit').promises;
  }

  /** How it is now. */
  status(): PredictorStatus {
    const { network, version } = this.#models.current;
    const { used, bytes, closed } = this.#pipeline.places;
    return {
      ...version,
      previous: this.#models.previous?.version ?? null,
      ready: !closed,
      classes: network.classes,
      device: network.device,
      ...this.#pipeline.stages,
      places: { used, most: this.#limits.maxQueue },
      bytes: { used: bytes, most: this.#limits.maxQueueBytes },
      modelBytes: network.bytes,
    };
  }

  /** What it has done since it was made. */
  metrics(): PredictorMetrics {
    return this.#counters.read();
  }

  /**
   * Loads another model beside the one that answers, and lets it answer where it passes the gate. No image is lost or
   * waits for it: those that are decoded already are answered by the model that they were decoded for. The model before
   * is kept for {@link Predictor.rollback}.
   *
   * @param path a model folder or a run folder
   * @throws GateError, and the model before goes on answering; as Predictor.load; CovidCtError ERR_DISPOSED;
   *   AbortedError
   *
   * @example
   * ```ts
   * import { openDataset, Predictor } from 'covidct-torch';
   *
   * using predictor = await Predictor.load('runs/first');
   * const { validation } = await openDataset('COVID-CT');
   * if (validation !== null) {
   *   const gate = { dataset: validation, notWorseThan: true, minSensitivity: 0.8 };
   *   await predictor.promote('runs/second', { gate });
   * }
   * ```
   */
  async promote(path: string, options: PromoteOptions = {}): Promise<Promotion> {
    const where = 'Predictor.promote';
    if (this.#disposed) throw disposed();
    const { gate, signal } = checkOptions(promoteSchema, options, where);
    return await this.#models.promote(path, gate ?? gateSchema.parse({}), signal, where);
  }

  /**
   * Lets the model before answer again.
   *
   * @throws CovidCtError ERR_MODEL where there is none, ERR_DISPOSED
   */
  async rollback(): Promise<Promotion> {
    if (this.#disposed) throw disposed();
    return await this.#models.rollback();
  }

  /**
   * Follows a run in progress, of this or another process: each new best is promoted as {@link Predictor.promote} does.
   * What is refused is told by the event `refusal`; neither that nor what was rolled back from is tried again.
   *
   * @throws InvalidOptionError; CovidCtError ERR_DISPOSED
   */
  follow(path: string, options: FollowOptions = {}): Following {
    const where = 'Predictor.follow';
    if (this.#disposed) throw disposed();
    checkArgument(pathSchema, path, where, 'path');
    const { gate = gateSchema.parse({}), everyMs, signal } = checkOptions(followSchema, options, where);
    const following: Following = follow({
      path,
      everyMs,
      signal,
      version: () => this.#models.current.version.version,
      promote: (stop) => this.#models.promote(path, gate, stop, where),
      onRefused: (version, error) => this.#counters.tell('refusal', { version, error }),
      onEnd: () => this.#followed.delete(following),
    });
    this.#followed.add(following);
    return following;
  }

  /**
   * Calls the listener at every event of that name; returns a function that ends it.
   *
   * @throws InvalidOptionError
   */
  on<K extends keyof PredictorEvents>(name: K, listener: (...facts: PredictorEvents[K]) => void): () => void {
    checkArgument(eventSchema, name, 'Predictor.on', 'name');
    checkArgument(callbackSchema(), listener, 'Predictor.on', 'listener');
    const events = this.#events as EventEmitter;
    events.on(name, listener as (...facts: unknown[]) => void);
    return () => void events.off(name, listener as (...facts: unknown[]) => void);
  }

  /** Takes no more images, answers those that it has, and frees the model. May be called more than once. */
  async close(): Promise<void> {
    await this.#pipeline.drain();
    this.dispose();
  }

  /** Frees the model at once; what has no answer yet is rejected with ERR_DISPOSED. May be called more than once. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const each of this.#followed) void each.stop();
    this.#pipeline.refuseAll(disposed());
    this.#models.free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #submit(sources: readonly ImageSource[], request: PredictorRequest, where: string): Submission {
    try {
      if (this.#disposed) throw disposed();
      const checked = checkOptions(requestSchema, request, where);
      checkExplanation(this.#models.current.network, checked);
      return this.#pipeline.submit(sources, checked);
    } catch (error) {
      releaseSources(sources);
      throw error;
    }
  }
}

function checkExplanation({ classes, layers }: Network, { explain }: ResolvedRequest): void {
  if (typeof explain === 'boolean') return;
  if (explain.class !== undefined && !classes.includes(explain.class))
    throw new InvalidOptionError(`explain.class: expected one of ${classes.join(', ')}; got '${explain.class}'`, [
      { path: 'explain.class', message: 'unknown class' },
    ]);
  if (explain.layer !== undefined && !layers.names.includes(explain.layer))
    throw new CovidCtError('ERR_LAYER', `explain.layer: expected one of ${layers.names.join(', ')}`);
}

function limitsFor(network: Network, limits: LimitOptions): Limits {
  return { ...limits, maxBatch: limits.maxBatch ?? (network.device.startsWith('cuda') ? BATCH.cuda : BATCH.cpu) };
}

/** Makes a predictor of a network; for the library's own modules and the tests' fakes. */
export function predictorOf(network: Network, options: PredictorOptions = {}, version = 'unsaved'): Predictor {
  const { name, limits, load } = splitOptions(options);
  const model = new ServedModel(network, { model: name ?? network.architecture, version });
  return build({ model, limits: limitsFor(network, limits), load });
}

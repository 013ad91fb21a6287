/**
 * The way of an image through a predictor: admitted within bounds, decoded a little ahead, computed in batches. While a
 * batch computes, the next one collects.
 */
import { releaseSources } from '../data/images/source';
import type { ImageSource } from '../data/types';
import { AbortedError, throwIfAborted } from '../errors';
import { computeBatch } from './compute';
import type { Answer } from './compute';
import type { Counters } from './counters';
import { DecodedImages } from './decoded-images';
import { inputBytes } from './input-bytes';
import { nameOnly } from './item';
import type { Item } from './item';
import type { Limits, ResolvedRequest } from './options';
import { Places } from './places';
import { readImage } from './read-image';
import { reasonOf, timedOut } from './refusals';
import type { ServedModel } from './served-model';
import type { PredictorStatus, ServedPrediction, Timing } from './types';
import { WaitingLine } from './waiting-line';

/** Batches that are decoded ahead of the one that computes. */
const BATCHES_AHEAD = 2;

/** What a pipeline is made of. */
export interface PipelineOptions {
  readonly limits: Limits;
  /** The model for images that are decoded from now on. */
  readonly current: () => ServedModel;
  readonly counters: Counters;
}

/** Images of one call on their way. */
export interface Submission {
  /** One for each image; every one has a handler, so that one nobody waits for harms nothing. */
  readonly promises: Promise<ServedPrediction>[];
  /** Refuses those that have no answer yet with AbortedError. */
  readonly takeBack: () => void;
}

/** Takes images in, and sees to it that every one of them is answered or refused. */
export class Pipeline {
  readonly #limits: Limits;
  readonly #current: () => ServedModel;
  readonly #counters: Counters;
  readonly #places: Places;
  readonly #line = new WaitingLine();
  readonly #decoded = new DecodedImages();
  #decoding = 0;
  #computing = 0;
  #busy = false;
  #number = 0;
  #delay: NodeJS.Timeout | null = null;

  constructor({ limits, current, counters }: PipelineOptions) {
    this.#limits = limits;
    this.#places = new Places(limits);
    this.#current = current;
    this.#counters = counters;
  }

  /** Images by what happens to them. */
  get stages(): Pick<PredictorStatus, 'waiting' | 'decoding' | 'decoded' | 'computing'> {
    return {
      waiting: this.#line.size,
      decoding: this.#decoding,
      decoded: this.#decoded.size,
      computing: this.#computing,
    };
  }

  get places(): Pick<Places, 'used' | 'bytes' | 'closed'> {
    return this.#places;
  }

  /**
   * Lets all of the images in, or none.
   *
   * @throws QueueFullError; CovidCtError ERR_CLOSING; AbortedError
   */
  submit(sources: readonly ImageSource[], request: ResolvedRequest): Submission {
    const bytes = sources.map(inputBytes);
    throwIfAborted(request.signal);
    try {
      this.#places.require(bytes);
    } catch (error) {
      this.#counters.refuse(reasonOf(error), sources.length);
      throw error;
    }
    const items: Item[] = [];
    const promises = sources.map((source, index) => {
      const promise = new Promise<ServedPrediction>((resolve, reject) => {
        items.push(this.#admit({ source, bytes: bytes[index]!, request, resolve, reject }));
      });
      promise.catch(() => undefined);
      return promise;
    });
    const takeBack = this.#watch(items, promises, request);
    this.#pump();
    return { promises, takeBack };
  }

  /** Takes no more; resolves when the last image is answered. */
  async drain(): Promise<void> {
    this.#places.close();
    this.#pump();
    await this.#places.empty();
  }

  /** Takes no more and refuses what has no answer yet. */
  refuseAll(error: Error): void {
    this.#places.close();
    for (const item of this.#places.all) this.#refuse(item, error);
    this.#pump();
  }

  #admit(given: Pick<Item, 'source' | 'bytes' | 'request' | 'resolve' | 'reject'>): Item {
    const item: Item = {
      ...given,
      number: (this.#number += 1),
      admitted: performance.now(),
      stage: 'waiting',
      settled: false,
      entry: null,
      stop: new AbortController(),
      model: null,
      release: () => undefined,
      pixels: null,
      original: null,
      decodeAt: 0,
      decodedAt: 0,
    };
    this.#places.take(item);
    this.#line.add(item);
    this.#counters.admit();
    return item;
  }

  /** One timer and one listener for all images of a request. Returns what takes them back. */
  #watch(items: readonly Item[], promises: readonly Promise<unknown>[], request: ResolvedRequest): () => void {
    const { signal, timeoutMs = this.#limits.timeoutMs } = request;
    const refuse = (error: Error): void => {
      for (const item of items) this.#refuse(item, error);
      this.#pump();
    };
    const onAbort = (): void => refuse(new AbortedError());
    const timer = setTimeout(() => refuse(timedOut(timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    void Promise.allSettled(promises).then(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    });
    return onAbort;
  }

  /** Tells the caller, and gives the place back unless work on the image is still under way. */
  #refuse(item: Item, error: unknown): void {
    if (item.settled) return;
    item.settled = true;
    this.#counters.refuse(reasonOf(error), 1);
    item.reject(error);
    item.stop.abort();
    if (item.stage === 'waiting') item.entry?.remove();
    else if (item.stage === 'decoded') this.#decoded.remove(item);
    else return;
    this.#leave(item);
  }

  /** The image needs nothing any more. */
  #leave(item: Item): void {
    if (item.stage === 'gone') return;
    if (item.stage === 'computing') this.#computing -= 1;
    item.stage = 'gone';
    releaseSources([item.source]);
    item.source = nameOnly(item.source);
    this.#decoded.release(item);
    item.release();
    this.#places.giveBack(item);
  }

  #pump(): void {
    while (this.#mayDecode()) {
      const item = this.#line.take();
      if (item === undefined) break;
      void this.#decode(item);
    }
    this.#compute();
  }

  #mayDecode(): boolean {
    const { decoders, maxBatch, maxDecodedBytes } = this.#limits;
    const ahead = this.#decoding + this.#decoded.size;
    return (
      this.#decoding < decoders &&
      ahead < BATCHES_AHEAD * maxBatch &&
      (ahead === 0 || this.#decoded.bytes < maxDecodedBytes)
    );
  }

  async #decode(item: Item): Promise<void> {
    item.stage = 'decoding';
    this.#decoding += 1;
    item.decodeAt = performance.now();
    item.model = this.#current();
    item.release = item.model.use();
    try {
      const { pixels, original } = await readImage(item.source, item.model.network, this.#limits, item.stop.signal);
      item.pixels = pixels;
      if (item.request.explain !== false) item.original = original;
    } catch (error) {
      this.#refuse(item, error);
    }
    this.#decoding -= 1;
    item.decodedAt = performance.now();
    this.#decoded.hold(item);
    if (item.settled) this.#leave(item);
    else this.#queueDecoded(item);
    this.#pump();
  }

  #queueDecoded(item: Item): void {
    releaseSources([item.source]);
    item.source = nameOnly(item.source);
    this.#places.giveBytesBack(item);
    item.stage = 'decoded';
    this.#decoded.add(item);
  }

  /** Begins a batch where the network is free and there is something to compute. */
  #compute(): void {
    const { maxBatch, maxDelayMs } = this.#limits;
    const batch = this.#decoded.next(maxBatch);
    const [first] = batch;
    if (first === undefined) return this.#endDelay();
    if (this.#busy) return;
    const waited = performance.now() - Math.min(...batch.map(({ decodedAt }) => decodedAt));
    if (batch.length < maxBatch && waited < maxDelayMs && !this.#places.closed) {
      this.#delay ??= setTimeout(() => {
        this.#delay = null;
        this.#compute();
      }, maxDelayMs - waited);
      return;
    }
    this.#endDelay();
    for (const item of batch) this.#decoded.remove(item);
    void this.#run(first.model!, batch);
  }

  #endDelay(): void {
    if (this.#delay !== null) clearTimeout(this.#delay);
    this.#delay = null;
  }

  async #run(model: ServedModel, batch: readonly Item[]): Promise<void> {
    this.#busy = true;
    this.#computing = batch.length;
    for (const item of batch) item.stage = 'computing';
    const began = performance.now();
    await computeBatch(model.network, batch, {
      answer: (item, answer) => this.#answer(item, model, { ...answer, began, batchSize: batch.length }),
      fail: (item, error) => {
        this.#leave(item);
        this.#refuse(item, error);
      },
    });
    this.#counters.batch(performance.now() - began);
    this.#busy = false;
    for (const item of batch) this.#leave(item);
    this.#pump();
  }

  #answer(
    item: Item,
    { version, network }: ServedModel,
    facts: Answer & { readonly began: number; readonly batchSize: number },
  ): void {
    if (item.settled) return;
    item.settled = true;
    const { prediction, threshold, explanation, began, batchSize } = facts;
    const timing: Timing = {
      queueMs: item.decodeAt - item.admitted + (began - item.decodedAt),
      decodeMs: item.decodedAt - item.decodeAt,
      computeMs: performance.now() - began,
      batchSize,
    };
    this.#leave(item); // before the caller is told, who may give the next image at once
    this.#counters.answer({ ...version, label: prediction.label, timing });
    item.resolve({
      ...prediction,
      ...version,
      probability: prediction.probabilities[prediction.label]!,
      threshold: network.classes.length === 2 ? threshold : null,
      timing,
      ...(explanation === undefined ? {} : { explanation }),
    });
  }
}

/** An encoded image from a byte stream: read once, up to a limit, and always released. */
import type { Readable } from 'node:stream';
import { types } from 'node:util';
import { describeValue } from '../../text/describe';
import { AbortedError, messageOf, throwIfAborted } from '../../errors';
import type { DecodeOptions } from './options';
import { raceAbort } from '../abort';
import { decodeWithin } from './decode';
import { Refusal } from './refusal';
import type { Pixels, PixelSource } from '../types';

/** A Node stream, a web stream, or any async iterable of byte chunks. */
export type ByteStream = NodeJS.ReadableStream | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

const NODE_METHODS = ['pipe', 'on', 'once', 'removeListener', 'destroy'] as const;
const isNodeStream = (value: object): value is Readable =>
  NODE_METHODS.every((name) => typeof (value as Readable)[name] === 'function');
const isWebStream = (value: object): value is ReadableStream<unknown> =>
  typeof (value as ReadableStream).getReader === 'function';

/** Whether an object is a byte stream. */
export function isByteStream(value: object): value is ByteStream {
  return (
    isNodeStream(value) ||
    isWebStream(value) ||
    typeof (value as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function'
  );
}

/** Streams that have been read, and cannot be read again. */
const used = new WeakSet<object>();

function ignore(): void {
  // The stream keeps the error, which is reported when it is read.
}

function bytesOf(chunk: unknown): Uint8Array | null {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return types.isAnyArrayBuffer(chunk) ? new Uint8Array(chunk) : null;
}

/** A byte stream as a source. */
export class StreamSource implements PixelSource {
  readonly name: string;
  readonly resize = null;
  readonly #stream: ByteStream;
  #released = false;

  /**
   * Adds an error listener at once: a missing file fails before it is read, and would end the process without one.
   *
   * @param refuse throws, with what was expected
   */
  constructor(stream: ByteStream, refuse: (message: string) => never) {
    const { path } = stream as { path?: unknown };
    this.name = typeof path === 'string' ? `the stream of ${path}` : 'the stream';
    this.#stream = stream;
    if (used.has(stream)) refuse('expected a stream that has not been read; this one has been given before');
    if (isWebStream(stream) && stream.locked) refuse('expected a stream that nobody else reads; this one is locked');
    if (isNodeStream(stream) && stream.readableObjectMode === false && typeof stream.readableEncoding === 'string')
      refuse('expected a stream of bytes; setEncoding has made this one a stream of text');
    used.add(stream);
    if (isNodeStream(stream)) stream.on('error', ignore);
  }

  async readPixels(signal?: AbortSignal, options: DecodeOptions = {}): Promise<Pixels> {
    try {
      const bytes = await this.#read(options.maxFileBytes ?? Infinity, signal);
      return await decodeWithin(bytes, { ...options, signal });
    } finally {
      this.release();
    }
  }

  /** Destroys the stream if it has not ended, and removes the listener. May be called more than once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const stream = this.#stream;
    if (!isNodeStream(stream)) {
      if (isWebStream(stream) && !stream.locked) void stream.cancel().catch(ignore);
      return;
    }
    // An error may still come between destroy() and 'close'.
    if (stream.closed) stream.removeListener('error', ignore);
    else stream.once('close', () => stream.removeListener('error', ignore));
    stream.destroy();
  }

  async #read(maxFileBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const stream = this.#stream;
    const parts: Uint8Array[] = [];
    let size = 0;
    const take = (piece: unknown): void => {
      const bytes = bytesOf(piece);
      if (bytes === null) throw new Refusal(`expected pieces of bytes; got ${describeValue(piece)}`);
      size += bytes.byteLength;
      if (size > maxFileBytes) throw new Refusal(`it has more bytes than maxFileBytes ${maxFileBytes}`);
      parts.push(bytes);
    };
    try {
      throwIfAborted(signal);
      if (isNodeStream(stream)) await this.#drainNode(stream, take, signal);
      else await drain(isWebStream(stream) ? webIterator(stream) : stream[Symbol.asyncIterator](), take, signal);
    } catch (error) {
      if (error instanceof Refusal || error instanceof AbortedError) throw error;
      throw new Refusal(`it broke off: ${messageOf(error)}`, { cause: error });
    }
    return Buffer.concat(parts);
  }

  /** Reads a Node stream by events: Node's async iterator leaves its listeners on a stream that fails. */
  async #drainNode(stream: Readable, take: (piece: unknown) => void, signal: AbortSignal | undefined): Promise<void> {
    if (stream.errored) throw stream.errored;
    if (stream.readableDidRead || stream.destroyed) throw new Refusal('it has been read or closed already');
    // With such a listener, 'data' is never emitted.
    if (stream.listenerCount('readable') > 0)
      throw new Refusal("somebody listens for its 'readable' event, and so reads it");
    const listeners: [string, (value?: unknown) => void][] = [];
    const ended = new Promise<void>((resolve, reject) => {
      listeners.push(
        ['end', () => resolve()],
        ['error', reject],
        ['close', () => reject(new Error('it was closed before its end'))],
        [
          'data',
          (piece) => {
            try {
              take(piece);
            } catch (error) {
              stream.pause(); // at once: a synchronous stream would never stop
              reject(error instanceof Error ? error : new Error(messageOf(error)));
            }
          },
        ],
      );
    });
    for (const [event, listener] of listeners) stream.on(event, listener);
    stream.resume(); // a paused stream, such as a request during authentication, would never end
    try {
      await raceAbort(ended, signal);
    } finally {
      for (const [event, listener] of listeners) stream.removeListener(event, listener);
    }
  }
}

async function drain(
  iterator: AsyncIterator<unknown>,
  take: (piece: unknown) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for (;;) {
      const step = await raceAbort(Promise.resolve(iterator.next()), signal);
      if (step.done === true) return;
      take(step.value);
    }
  } catch (error) {
    // return() is not awaited, because a generator that hangs in next() would never settle it.
    void Promise.resolve()
      .then(() => iterator.return?.())
      .catch(ignore);
    throw error;
  }
}

function webIterator(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      if (done) reader.releaseLock();
      return done ? { done, value: undefined } : { done, value };
    },
    return: async () => {
      await reader.cancel().catch(ignore);
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}

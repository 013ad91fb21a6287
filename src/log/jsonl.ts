/** Writes every event as one line of JSON, to a file or a stream. */
import { open, stat, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../files/write';
import { z } from 'zod';
import { CovidCtError, InvalidOptionError } from '../errors';
import { printableJson } from '../text/printable';
import { pathSchema, writableSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { EVENT_TYPES, trainEventSchema } from './event-schema';
import { usedAfterClose, writeFailed } from './failure';
import type { TrainEvent, TrainLogger } from './types';

/** Where the lines go and which are wanted. */
export interface JsonLinesOptions {
  /** File to append to; it and its folder are made when the first event comes. Either this or `stream`. */
  readonly path?: string;
  /** Stream to write to; it is never ended. */
  readonly stream?: NodeJS.WritableStream;
  /** Types of event to write; all by default. */
  readonly only?: readonly TrainEvent['type'][];
}

const optionsSchema = z.strictObject({
  path: pathSchema.optional(),
  stream: writableSchema.optional(),
  only: z.array(z.enum(EVENT_TYPES)).readonly().optional(),
});

const stateSchema = z.object({ bytes: z.int().min(0).nullable() });

/** What a JsonLinesLogger has written, as plain JSON. */
export type JsonLinesState = Readonly<z.infer<typeof stateSchema>>;

/**
 * One event as one line of JSON without the line's end. JSON has no NaN and no infinity: they are written as null.
 * Control and format characters are JSON's escapes, also those that JSON.stringify leaves, so that a line may be shown.
 *
 * @param time when it happened; written first, in ISO 8601
 */
export function eventLine(event: TrainEvent, time: Date): string {
  return printableJson(
    JSON.stringify({ time: time.toISOString(), ...event }, (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? null : value,
    ),
  );
}

/**
 * A logger of JSON lines. A line is handed to the system before `log` resolves; at the end of an epoch and at the stop
 * it is also forced to the disk, so that a run that is killed leaves every finished epoch. A file that already exists
 * is appended to; a half line that an earlier crash left is closed first, so that it spoils no new one.
 *
 * @example
 * ```ts
 * import { JsonLinesLogger } from 'covidct-torch';
 *
 * const logger = new JsonLinesLogger({ path: 'events.jsonl', only: ['epoch', 'stop'] });
 * await logger.log({ type: 'skipped', split: 'train', id: 'a.png', reason: 'not an image' }); // left out by `only`
 * await logger.close();
 * ```
 */
export class JsonLinesLogger implements TrainLogger {
  readonly #path: string | null;
  readonly #stream: NodeJS.WritableStream | null;
  readonly #only: readonly TrainEvent['type'][] | null;
  #file: FileHandle | null = null;
  #closed = false;
  // A failing stream also emits 'error', which would end the process where nobody listens; the failed write rejects.
  readonly #onStreamError = (): void => {};

  /** @throws InvalidOptionError unless exactly one of `path` and `stream` is given */
  constructor(jsonLinesOptions: JsonLinesOptions) {
    const options = checkOptions(optionsSchema, jsonLinesOptions, 'JsonLinesLogger');
    if ((options.path === undefined) === (options.stream === undefined)) {
      throw new InvalidOptionError('JsonLinesLogger: exactly one of path and stream must be given', [
        { path: 'path', message: 'exactly one of path and stream' },
      ]);
    }
    this.#path = options.path ?? null;
    this.#stream = options.stream ?? null;
    this.#only = options.only ?? null;
    this.#stream?.on('error', this.#onStreamError);
  }

  /** @throws CovidCtError ERR_RUN_FOLDER when the line cannot be written, ERR_DISPOSED after close */
  async log(event: TrainEvent): Promise<void> {
    checkArgument(trainEventSchema, event, 'JsonLinesLogger.log', 'event');
    if (this.#closed) throw usedAfterClose(this.#name);
    // A file that goes on has the beginning already.
    if (event.type === 'start' && event.resumed !== undefined && this.#path !== null) return;
    if (this.#only !== null && !this.#only.includes(event.type)) return;
    try {
      const line = `${eventLine(event, new Date())}\n`;
      if (this.#stream !== null) await writeTo(this.#stream, line);
      else await this.#append(line, event.type === 'epoch' || event.type === 'stop');
    } catch (error) {
      throw writeFailed(this.#name, error);
    }
  }

  /** Length of the file once everything so far is on the disk; null for a stream, which cannot be taken back. */
  async state(): Promise<JsonLinesState> {
    if (this.#path === null) return { bytes: null };
    await this.#file?.datasync();
    const { size } = await stat(this.#path).catch(() => ({ size: 0 })); // no event came yet
    return { bytes: size };
  }

  /** Goes on in the file of an earlier process: the lines after its state are cut off. */
  async restore(state: unknown): Promise<void> {
    const { bytes } = checkArgument(stateSchema, state, 'JsonLinesLogger.restore', 'state');
    if (this.#path === null || bytes === null) return;
    const { size } = await stat(this.#path).catch(() => ({ size: 0 }));
    if (size < bytes)
      throw new CovidCtError(
        'ERR_RESUME',
        `${this.#path}: expected at least ${bytes} bytes, as the checkpoint says; got ${size}`,
      );
    if (size > bytes) await truncate(this.#path, bytes);
  }

  /** Forces the file to the disk and closes it; a stream is left open. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Left in place on a broken stream, whose 'error' may come after the failed write was reported.
    if (this.#stream?.writable === true) this.#stream.removeListener('error', this.#onStreamError);
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      await file.datasync().finally(() => file.close());
    } catch (error) {
      throw writeFailed(this.#name, error);
    }
  }

  get #name(): string {
    return this.#path ?? 'the stream of JSON lines';
  }

  async #append(line: string, durable: boolean): Promise<void> {
    this.#file ??= await openAtLineStart(this.#path!);
    await this.#file.appendFile(line);
    if (durable) await this.#file.datasync();
  }
}

async function openAtLineStart(file: string): Promise<FileHandle> {
  await makeFolder(path.dirname(file));
  const handle = await open(file, 'a+');
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    if (size > 0 && last[0] !== 0x0a) await handle.appendFile('\n');
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Resolves when the stream has taken the text. */
export function writeTo(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error?: Error | null) => (error ? reject(error) : resolve()));
  });
}

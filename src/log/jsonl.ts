/** Writes every event as one line of JSON to a file or a stream. */
import { createReadStream } from 'node:fs';
import { open, stat, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { change } from '../files/operations';
import { makeFolder, syncFolder } from '../files/write';
import { z } from 'zod';
import { CovidCtError, InvalidOptionError } from '../errors';
import { printableJson } from '../text/printable';
import { pathSchema, writableSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { EVENT_TYPES, trainEventSchema } from './event-schema';
import { usedAfterClose, writeFailed } from './failure';
import type { TrainEvent, TrainLogger } from './types';

/** Options of {@link JsonLinesLogger}. */
export interface JsonLinesOptions {
  /** File to append to; it and its folder are created at the first event. Either this or `stream`. */
  readonly path?: string;
  /** Stream to write to; it is never closed. */
  readonly stream?: NodeJS.WritableStream;
  /** Event types to write; all by default. */
  readonly only?: readonly TrainEvent['type'][];
}

const optionsSchema = z.strictObject({
  path: pathSchema.optional(),
  stream: writableSchema.optional(),
  only: z.array(z.enum(EVENT_TYPES)).readonly().optional(),
});

// Strict: the state of another kind of logger must not shorten a file.
const stateSchema = z.strictObject({ bytes: z.int().min(0).nullable(), started: z.boolean() });

/** How much a JsonLinesLogger has written, as plain JSON for a checkpoint. */
export type JsonLinesState = Readonly<z.infer<typeof stateSchema>>;

/**
 * Formats an event as one line of JSON without a line break. JSON has no NaN and no infinity: they become null. All
 * control and format characters are escaped, also those that JSON.stringify leaves, so that a line is safe to print.
 *
 * @param time time of the event; written first, in ISO 8601
 */
export function eventLine(event: TrainEvent, time: Date): string {
  return printableJson(
    JSON.stringify({ time: time.toISOString(), ...event }, (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? null : value,
    ),
  );
}

/**
 * A logger that writes JSON Lines. A line is written before `log` resolves; at the end of an epoch and of the training
 * the file is also synced to disk, so that a killed run keeps every finished epoch. An existing file is appended to; an
 * incomplete line that a crash left is ended first, so that it does not corrupt the next one.
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
  /** Whether the file has the beginning of this training. */
  #started = false;
  // A failing stream also emits 'error', which would end the process without a listener; the failed write rejects.
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
    // The file of a resumed run already contains its start event.
    if (event.type === 'start' && event.resumed !== undefined && this.#path !== null) return;
    if (event.type === 'start') this.#started = true;
    if (this.#only !== null && !this.#only.includes(event.type)) return;
    try {
      const line = `${eventLine(event, new Date())}\n`;
      if (this.#stream !== null) await writeTo(this.#stream, line);
      else await this.#append(line, event.type === 'epoch' || event.type === 'stop');
    } catch (error) {
      throw writeFailed(this.#name, error);
    }
  }

  /** Syncs the file, also its name, and returns its length; null for a stream, which cannot be truncated. */
  async state(): Promise<JsonLinesState> {
    const started = this.#started;
    if (this.#path === null) return { bytes: null, started };
    const path = this.#path;
    if (this.#file !== null)
      await this.#sync(this.#file)
        .then(() => syncFolder(dirname(path)))
        .catch((error: unknown) => {
          throw writeFailed(path, error);
        });
    const { size } = await stat(path).catch(() => ({ size: 0 })); // no event has been logged yet
    return { bytes: size, started };
  }

  /**
   * Continues the file of an earlier process: lines written after its state are truncated.
   *
   * @throws CovidCtError ERR_RESUME when the file is shorter, or another training has begun in it meanwhile
   */
  async restore(state: unknown): Promise<void> {
    const { bytes, started } = checkArgument(stateSchema, state, 'JsonLinesLogger.restore', 'state');
    if (this.#path === null || bytes === null) return;
    const { size } = await stat(this.#path).catch(() => ({ size: 0 }));
    if (size < bytes)
      throw new CovidCtError(
        'ERR_RESUME',
        `${this.#path}: expected at least ${bytes} bytes, as the checkpoint says; got ${size}`,
      );
    this.#started = started;
    if (size <= bytes) return;
    const path = this.#path;
    if ((await beginningsAfter(path, bytes)) > (started ? 0 : 1))
      throw new CovidCtError(
        'ERR_RESUME',
        `${path}: expected the lines of this training at the end of the file; another one has written behind them; ` +
          'move those to another file, or go on without this logger',
      );
    await change('write', path, () => truncate(path, bytes)).catch((error: unknown) => {
      throw writeFailed(path, error);
    });
  }

  /** Syncs and closes the file; a stream is left open. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // The listener stays on a broken stream, whose 'error' may come after the failed write was reported.
    if (this.#stream?.writable === true) this.#stream.removeListener('error', this.#onStreamError);
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      await this.#sync(file).finally(() => file.close());
    } catch (error) {
      throw writeFailed(this.#name, error);
    }
  }

  get #name(): string {
    return this.#path ?? 'the stream of JSON lines';
  }

  async #append(line: string, durable: boolean): Promise<void> {
    const path = this.#path!;
    const file = (this.#file ??= await openAtLineStart(path));
    await change('write', path, () => file.appendFile(line));
    if (durable) await this.#sync(file);
  }

  async #sync(file: FileHandle): Promise<void> {
    await change('sync', this.#path!, () => file.datasync());
  }
}

/** Number of trainings that have begun behind a place in a file. */
async function beginningsAfter(file: string, place: number): Promise<number> {
  let beginnings = 0;
  for await (const line of createInterface({ input: createReadStream(file, { start: place }) }))
    if (/^\{"time":"[^"]*","type":"start"/.test(line)) beginnings += 1;
  return beginnings;
}

async function openAtLineStart(file: string): Promise<FileHandle> {
  await makeFolder(dirname(file));
  const handle = await change('create', file, () => open(file, 'a+'));
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    if (size > 0 && last[0] !== 0x0a) await change('write', file, () => handle.appendFile('\n'));
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Writes to a stream; resolves when the stream has accepted the text. */
export function writeTo(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error?: Error | null) => (error ? reject(error) : resolve()));
  });
}

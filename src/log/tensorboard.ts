/** Writes scalars, images and texts to a TensorBoard event file. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { CovidCtError } from '../errors';
import { change } from '../files/operations';
import { fileError, makeFolder, removeWhole, syncFolder } from '../files/write';
import { z } from 'zod';
import { bytesSchema, nameSchema, pathSchema, textSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { EPOCH_METRICS, validationKey } from '../metrics/registry';
import { trainEventSchema } from './event-schema';
import { encodeRecord } from './event-file';
import type { EventBody, SummaryValue } from './event-file';
import { usedAfterClose, writeFailed } from './failure';
import type { EpochRecord, TrainEvent, TrainLogger } from './types';

/** Buffered records are written to the file when they reach this many bytes, and at every flush. */
const BUFFER_BYTES = 1024 ** 2;

/** Number of loggers of this process; part of the file name, so that two of the same second do not share a file. */
let made = 0;

/** Options of {@link TensorBoardLogger}. */
export interface TensorBoardOptions {
  /** Folder of the event file; created at the first event. Point `tensorboard --logdir` here or above. */
  readonly dir: string;
  /** Suffix of the file name, after a dot; none by default. Like `filename_suffix` of PyTorch's SummaryWriter. */
  readonly filenameSuffix?: string;
}

const optionsSchema = z.strictObject({
  dir: pathSchema,
  filenameSuffix: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'expected letters, digits, _ and -')
    .optional(),
});
const numberSchema = z.custom<number>((value) => typeof value === 'number', 'expected a number');
const valuesSchema = z.record(z.string(), numberSchema);
const pngSchema = bytesSchema('expected the bytes of a PNG file');
const sizeSchema = z.looseObject({ width: z.int().min(1), height: z.int().min(1) });
const stepSchema = z.int().min(0);
const stateSchema = z.object({ file: z.string().regex(/^events\.out\.tfevents\.[^/\\]+$/), bytes: z.int().min(0) });

/** How much a TensorBoardLogger has written, as plain JSON for a checkpoint. */
export interface TensorBoardState {
  /** Name of the event file. */
  readonly file: string;
  readonly bytes: number;
}

function checkPlace(method: string, tag: unknown, step: unknown): void {
  checkArgument(nameSchema, tag, `TensorBoardLogger.${method}`, 'tag');
  checkArgument(stepSchema, step, `TensorBoardLogger.${method}`, 'step');
}

/**
 * A logger that writes one TensorBoard event file. For a training it writes the configuration as text and, once per
 * epoch, the scalars `Losses/train`, `Losses/validation`, `Accuracies/train`, `Accuracies/validation`, `learning_rate`
 * and `<title>/validation` of every other recorded metric, e.g. `AUC/validation`. Metrics that are null are left out.
 * The file stores scalars as 32-bit floats.
 *
 * @example
 * ```ts
 * import { TensorBoardLogger } from 'covidct-torch';
 *
 * const board = new TensorBoardLogger({ dir: 'runs/first/tensorboard' });
 * await board.scalar('seconds', 12.5, 1);
 * await board.close();
 * ```
 */
export class TensorBoardLogger implements TrainLogger {
  /** The event file: `events.out.tfevents.<seconds>.<host>.<process>.<number>`; after a resume, the earlier one. */
  get path(): string {
    return this.#path;
  }
  #path: string;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written = 0;
  /** Whether anything but the version has been logged. */
  #logged = false;
  #file: FileHandle | null = null;
  #writing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  readonly #fail = (error: unknown): never => {
    throw writeFailed(this.path, error);
  };

  /** @throws InvalidOptionError when `dir` is empty */
  constructor(options: TensorBoardOptions) {
    const { dir, filenameSuffix } = checkOptions(optionsSchema, options, 'TensorBoardLogger');
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    const host = hostname().replace(/[^A-Za-z0-9-]/g, '-') || 'localhost';
    const suffix = filenameSuffix === undefined ? '' : `.${filenameSuffix}`;
    this.#path = path.join(dir, `events.out.tfevents.${seconds}.${host}.${process.pid}.${made++}${suffix}`);
    this.#record({ fileVersion: 'brain.Event:2' });
  }

  /**
   * Writes a number at a step, such as an epoch.
   *
   * @throws CovidCtError ERR_DISPOSED after close, ERR_RUN_FOLDER when the file cannot be written
   */
  async scalar(tag: string, value: number, step: number): Promise<void> {
    checkArgument(numberSchema, value, 'TensorBoardLogger.scalar', 'value');
    checkPlace('scalar', tag, step);
    await this.#add(step, [{ tag, simpleValue: value }]);
  }

  /** Writes several numbers of one group: `scalars('Losses', { train: 0.5 }, 3)` writes the tag `Losses/train`. */
  async scalars(tag: string, values: Readonly<Record<string, number>>, step: number): Promise<void> {
    checkArgument(valuesSchema, values, 'TensorBoardLogger.scalars', 'values');
    checkPlace('scalars', tag, step);
    await this.#add(
      step,
      Object.entries(values).map(([name, simpleValue]) => ({ tag: `${tag}/${name}`, simpleValue })),
    );
  }

  /**
   * Writes an image.
   *
   * @param png bytes of a PNG file
   * @param size width and height in pixels
   */
  async image(
    tag: string,
    png: Uint8Array,
    size: { readonly width: number; readonly height: number },
    step: number,
  ): Promise<void> {
    checkArgument(pngSchema, png, 'TensorBoardLogger.image', 'png');
    checkArgument(sizeSchema, size, 'TensorBoardLogger.image', 'size');
    checkPlace('image', tag, step);
    // colorspace is the number of channels; readers take the actual number from the PNG.
    await this.#add(step, [
      { tag, image: { height: size.height, width: size.width, colorspace: 3, encodedImageString: png } },
    ]);
  }

  /** Writes a text, which TensorBoard renders as Markdown. */
  async text(tag: string, text: string, step: number): Promise<void> {
    checkArgument(textSchema, text, 'TensorBoardLogger.text', 'text');
    checkPlace('text', tag, step);
    await this.#add(step, [{ tag, text }]);
  }

  /** Writes the event, and flushes the file after every event but a step. */
  async log(event: TrainEvent): Promise<void> {
    checkArgument(trainEventSchema, event, 'TensorBoardLogger.log', 'event');
    if (this.#closing !== null) throw usedAfterClose(this.path);
    if (event.type === 'start' && event.resumed === undefined) await this.text('config', configText(event), 0);
    if (event.type === 'epoch') await this.#add(event.epoch, epochValues(event));
    if (event.type === 'stop') await this.text('stop', `${event.reason}: ${event.message}`, event.epochs);
    if (event.type !== 'step') await this.flush();
  }

  /** Syncs the event file, also its name, and returns both name and length. */
  async state(): Promise<TensorBoardState> {
    // Before the first event there is no file, and the version record alone does not create one.
    if (this.#logged) await this.flush();
    const file = this.#file;
    if (file !== null) {
      await change('sync', this.path, () => file.datasync()).catch(this.#fail);
      await syncFolder(path.dirname(this.path)).catch(this.#fail);
    }
    return { file: path.basename(this.path), bytes: this.#written };
  }

  /**
   * Continues the event file of an earlier process in the same folder: its content beyond `bytes` is truncated.
   *
   * @throws CovidCtError ERR_RESUME when the file is missing or shorter
   */
  async restore(state: unknown): Promise<void> {
    const { file, bytes } = checkArgument(stateSchema, state, 'TensorBoardLogger.restore', 'state');
    const found = path.join(path.dirname(this.path), file);
    // The name stays that of the state: a process that is killed before its own checkpoint leaves no second file.
    this.#path = found;
    if (bytes === 0) {
      await removeWhole(found);
      return;
    }
    const handle = await open(found, 'r+').catch((error: unknown) => {
      throw fileError('go on with the event file', found, error, 'ERR_RESUME');
    });
    this.#file = handle;
    const { size } = await handle.stat();
    if (size < bytes)
      throw new CovidCtError(
        'ERR_RESUME',
        `${found}: expected at least ${bytes} bytes, as the checkpoint says; got ${size}`,
      );
    await change('write', found, () => handle.truncate(bytes)).catch(this.#fail);
    this.#written = bytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#logged = true;
  }

  /** Writes the buffered records to the file. */
  async flush(): Promise<void> {
    const write = this.#writing.then(() => this.#write());
    // The failure rejects this call only; the next write retries the records that are still buffered.
    this.#writing = write.catch(() => {});
    await write.catch(this.#fail);
  }

  /** Writes the buffered records and closes the file. Later calls resolve when the first does. */
  close(): Promise<void> {
    this.#closing ??= this.flush().finally(async () => {
      const file = this.#file;
      this.#file = null;
      await file?.close();
    });
    return this.#closing;
  }

  async #add(step: number, values: readonly SummaryValue[]): Promise<void> {
    if (this.#closing !== null) throw usedAfterClose(this.path);
    this.#logged = true;
    this.#record({ step, values });
    if (this.#waitingBytes >= BUFFER_BYTES) await this.flush();
  }

  #record(body: EventBody): void {
    const record = encodeRecord(Date.now(), body);
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const file = (this.#file ??= await this.#create());
    const records = this.#waiting;
    const bytes = Buffer.concat(records);
    // The position is explicit, so that the write after a partial one overwrites it.
    await change('write', this.path, async () => {
      for (let done = 0; done < bytes.length;)
        done += (await file.write(bytes, done, bytes.length - done, this.#written + done)).bytesWritten;
    });
    this.#written += bytes.length;
    this.#waiting = this.#waiting.slice(records.length);
    this.#waitingBytes -= bytes.length;
  }

  async #create(): Promise<FileHandle> {
    await makeFolder(path.dirname(this.path));
    return await change('create', this.path, () => open(this.path, 'wx'));
  }
}

/** Names a metric's tag. `Accuracies/` puts the validation accuracy into the chart of the training accuracy. */
const tagOf = (key: string, title: string): string => `${key === 'accuracy' ? 'Accuracies' : title}/validation`;

function epochValues(record: EpochRecord): SummaryValue[] {
  const values: Record<string, number | null> = {
    'Losses/train': record.trainLoss,
    'Losses/validation': record.validationLoss,
    'Accuracies/train': record.trainAccuracy,
    ...Object.fromEntries(
      EPOCH_METRICS.map(({ key, title }) => [tagOf(key, title), record[validationKey(key)] ?? null]),
    ),
    learning_rate: record.learningRate,
  };
  return Object.entries(values).flatMap(([tag, value]) => (value === null ? [] : [{ tag, simpleValue: value }]));
}

function configText(event: Extract<TrainEvent, { type: 'start' }>): string {
  return `\`\`\`json\n${JSON.stringify({ ...event, type: undefined }, null, 2)}\n\`\`\``;
}

/** Writes every event down before it is given out: to the loggers, and all but the steps to `history.jsonl`. */
import type { SkippedFile } from '../data/types';
import { BoundedLogger } from '../log/bounded';
import type { EpochRecord, TrainEvent, TrainLogger } from '../log/types';
import { parseHistory, recordOf } from './history';
import type { BestEpoch } from './history';
import { ProgressFile } from './progress';
import type { RunFolder } from './run-folder';

type Skipped = Extract<TrainEvent, { type: 'skipped' }>;

/** What a Recorder has written, as plain JSON. */
export interface RecorderState {
  /** Lines of `history.jsonl`. */
  readonly lines: number;
  /** Skipped files that are not written yet. */
  readonly waiting: readonly Skipped[];
  /** Of the loggers that have one, in their order. */
  readonly loggers: readonly unknown[];
}

/** What a Recorder may be given. */
export interface RecorderOptions {
  readonly loggerTimeout?: number;
  readonly best?: BestEpoch | null;
  readonly assertHeld?: () => Promise<void>;
}

/** One training's events on their way out. */
export class Recorder {
  readonly #loggers: readonly BoundedLogger[];
  readonly #folder: RunFolder | null;
  readonly #assertHeld: () => Promise<void>;
  readonly #progress: ProgressFile | null;
  #lines: string[] = [];
  readonly #epochs: EpochRecord[] = [];
  readonly #skipped: Skipped[] = [];
  #waiting: Skipped[] = [];
  /** Of every file that was left out, so that it is told once, also after a resume. */
  readonly #known = new Set<string>();
  readonly #restored: BoundedLogger[] = [];
  #closed = false;

  /**
   * @param options `loggerTimeout`: milliseconds after which a logger that does not come back is given up, 0: never;
   *   `best`: the best epoch of an earlier process whose training goes on; `assertHeld`: throws where the folder is no
   *   longer this training's, so that nothing is written over what another one has written
   */
  constructor(
    loggers: readonly TrainLogger[],
    folder: RunFolder | null,
    { loggerTimeout = 0, best = null, assertHeld = () => Promise.resolve() }: RecorderOptions = {},
  ) {
    this.#loggers = loggers.map((logger, index) => new BoundedLogger(logger, `loggers[${index}]`, loggerTimeout));
    this.#folder = folder;
    this.#assertHeld = assertHeld;
    const write = async (name: string, text: string): Promise<void> => {
      await assertHeld();
      // For others to poll: it is not worth a wait for the disk.
      await folder?.write(name, text, { durable: false });
    };
    this.#progress = folder === null ? null : new ProgressFile(write, best);
  }

  get epochs(): readonly EpochRecord[] {
    return this.#epochs;
  }

  /** Files left out, in the order in which they were met. */
  get skipped(): readonly Omit<Skipped, 'type'>[] {
    return this.#skipped.map(({ split, id, reason }) => ({ split, id, reason }));
  }

  /** Plain JSON from which {@link restore} continues. Everything it counts is on the disk. */
  async state(): Promise<RecorderState> {
    const loggers: unknown[] = [];
    for (const logger of this.#loggers) if (logger.hasState) loggers.push(await logger.state());
    return { lines: this.#lines.length, waiting: this.#waiting, loggers };
  }

  /**
   * Continues from a state: what an earlier process has written after it is taken back.
   *
   * @throws CovidCtError ERR_RESUME where `history.jsonl` has fewer lines; what a logger throws
   */
  async restore(folder: RunFolder, { lines, waiting, loggers }: RecorderState): Promise<void> {
    this.#lines = await folder.historyLines(lines);
    const { events, epochs } = parseHistory(this.#lines.join('\n'), folder.file('history.jsonl'));
    this.#epochs.push(...epochs);
    this.#skipped.push(...events.filter((event) => event.type === 'skipped'));
    this.#waiting = [...waiting];
    for (const { split, id } of [...this.#skipped, ...waiting]) this.#known.add(JSON.stringify([split, id]));
    if (lines > 0) await folder.write('history.jsonl', `${this.#lines.join('\n')}\n`);
    const restorable = this.#loggers.filter(({ hasState }) => hasState);
    // Null: it was given up before it told its state.
    for (const [index, logger] of restorable.entries()) {
      if ((loggers[index] ?? null) === null) continue;
      this.#restored.push(logger);
      await logger.restore(loggers[index]);
    }
  }

  /** Notes a file that could not be decoded; it becomes an event before the next one. */
  skip(split: string, { id, reason }: SkippedFile): void {
    const key = JSON.stringify([split, id]);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#waiting.push({ type: 'skipped', split, id, reason });
  }

  /**
   * Writes an event down, and those of skipped files before it, and yields them once that is done.
   *
   * @throws what a logger throws, after the others were called; CovidCtError ERR_RUN_FOLDER
   */
  async *record(event: TrainEvent): AsyncGenerator<TrainEvent, void, undefined> {
    const skipped = this.#waiting;
    this.#waiting = [];
    this.#skipped.push(...skipped);
    for (const each of [...skipped, event]) {
      await this.write(each);
      yield each;
    }
  }

  /** The same without giving it out. */
  async write(event: TrainEvent): Promise<void> {
    if (event.type === 'epoch') this.#epochs.push(recordOf(event));
    const isNoted = event.type !== 'step' && !(event.type === 'start' && event.resumed !== undefined);
    if (isNoted) this.#lines.push(JSON.stringify({ time: new Date().toISOString(), ...event }));
    await tellAll(this.#loggers, (logger) => logger.log(event));
    if (isNoted && this.#folder !== null) {
      await this.#assertHeld();
      await this.#folder.write('history.jsonl', `${this.#lines.join('\n')}\n`);
    }
    await this.#progress?.event(event);
  }

  /** Says in `progress.json` that the training has failed. */
  async fail(error: unknown): Promise<void> {
    await this.#progress?.fail(error);
  }

  /** Where the training does not go on after all: closes the loggers that have a file open already, and no others. */
  async abandon(): Promise<void> {
    await tellAll(this.#restored, (logger) => logger.close());
  }

  /** Closes every logger, once. Throws the first failure after all have been asked. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await tellAll(this.#loggers, (logger) => logger.close());
  }
}

/** Throws the first failure after all have been told. */
async function tellAll(
  loggers: readonly BoundedLogger[],
  action: (logger: BoundedLogger) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const logger of loggers) {
    try {
      await action(logger);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Writes every event down before it is given out: to the loggers, and all but the steps to `history.jsonl`. */
import type { SkippedFile } from '../data/types';
import type { EpochRecord, TrainEvent, TrainLogger } from '../log/types';
import { recordOf } from './history';
import type { RunFolder } from './run-folder';

type Skipped = Extract<TrainEvent, { type: 'skipped' }>;

/** One training's events on their way out. */
export class Recorder {
  readonly #loggers: readonly TrainLogger[];
  readonly #folder: RunFolder | null;
  readonly #lines: string[] = [];
  readonly #epochs: EpochRecord[] = [];
  readonly #skipped: Skipped[] = [];
  #waiting: Skipped[] = [];
  #closed = false;

  constructor(loggers: readonly TrainLogger[], folder: RunFolder | null) {
    this.#loggers = loggers;
    this.#folder = folder;
  }

  get epochs(): readonly EpochRecord[] {
    return this.#epochs;
  }

  /** Files left out, in the order in which they were met. */
  get skipped(): readonly Omit<Skipped, 'type'>[] {
    return this.#skipped.map(({ split, id, reason }) => ({ split, id, reason }));
  }

  /** Notes a file that could not be decoded; it becomes an event before the next one. */
  skip(split: string, { id, reason }: SkippedFile): void {
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
    if (event.type !== 'step') this.#lines.push(JSON.stringify({ time: new Date().toISOString(), ...event }));
    await this.#tellAll((logger) => logger.log(event));
    if (event.type !== 'step') await this.#folder?.write('history.jsonl', `${this.#lines.join('\n')}\n`);
  }

  /** Closes every logger, once. Throws the first failure after all have been asked. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#tellAll((logger) => logger.close());
  }

  async #tellAll(action: (logger: TrainLogger) => void | Promise<void>): Promise<void> {
    const failures: unknown[] = [];
    for (const logger of this.#loggers) {
      try {
        await action(logger);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** `progress.json` of a run folder: how far a training is, for other processes to poll. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors';
import { readJsonIfThere } from '../files/json';
import type { JsonAbout } from '../files/json';
import type { TrainEvent } from '../log/types';
import { pathSchema } from '../options/atoms';
import { checkArgument } from '../options/check';
import { printable } from '../text/printable';
import type { BestEpoch } from './history';

/** What marks the file. */
const PROGRESS_FORMAT = 'covidct-torch/progress';

/** Name of the file in the run folder. */
export const PROGRESS_FILE = 'progress.json';

/** Milliseconds between two writes of steps. */
const PACE_MS = 1000;

/** How far a training is, as the training itself last said. A process that was killed can say nothing any more. */
export interface TrainingProgress {
  readonly format: typeof PROGRESS_FORMAT;
  readonly formatVersion: 1;
  readonly state: 'running' | 'finished' | 'stopped' | 'failed';
  /** Why it ended; null while it runs. */
  readonly message: string | null;
  /** When this process began to train, ISO 8601. */
  readonly started: string;
  /** When the file was written, ISO 8601. */
  readonly updated: string;
  /** The epoch under way, from 1; 0 before the first. A run that goes on begins with the one it had got to. */
  readonly epoch: number;
  /** Epochs at most. */
  readonly epochs: number;
  /** Micro-batches done in this epoch. */
  readonly step: number;
  /** Micro-batches of an epoch. */
  readonly steps: number;
  /** Expected until all epochs are done, which the early stopping may make fewer; null before the first step. */
  readonly secondsLeft: number | null;
  /** The best epoch so far; null before the first. */
  readonly best: BestEpoch | null;
  readonly pid: number;
  readonly host: string;
}

const count = z.number().min(0);

const progressSchema = z.looseObject({
  format: z.literal(PROGRESS_FORMAT),
  formatVersion: z.literal(1, 'expected 1; a later version of covidct-torch has written it'),
  state: z.enum(['running', 'finished', 'stopped', 'failed']),
  message: z.string().nullable(),
  started: z.string(),
  updated: z.string(),
  epoch: count,
  epochs: count,
  step: count,
  steps: count,
  secondsLeft: count.nullable(),
  best: z.looseObject({ epoch: count, metric: z.string(), value: z.number().nullable() }).nullable(),
  pid: count,
  host: z.string(),
}) as unknown as z.ZodType<TrainingProgress>;

const PROGRESS: JsonAbout = {
  code: 'ERR_RUN_FOLDER',
  what: 'the progress of a training',
  maxBytes: 1024 ** 2,
  advice: 'the training writes it anew within a second of work',
};

/**
 * Reads how far the training of a run folder is. The file is replaced whole about once a second while steps are done,
 * so it can be polled; whether the process that wrote it is still there, `listRuns` tells.
 *
 * @param runDir run folder
 * @returns null where the training has not begun, and for runs of version 0.1.0
 * @throws CovidCtError ERR_RUN_FOLDER for a damaged file; InvalidOptionError
 * @example
 * ```ts
 * import { readProgress } from 'covidct-torch/runs';
 *
 * const progress = await readProgress('runs/first');
 * if (progress?.state === 'running') console.log(progress.epoch, progress.epochs, progress.secondsLeft);
 * ```
 */
export async function readProgress(runDir: string): Promise<TrainingProgress | null> {
  return await readJsonIfThere(
    join(checkArgument(pathSchema, runDir, 'readProgress', 'runDir'), PROGRESS_FILE),
    progressSchema,
    PROGRESS,
  );
}

/** How long a step takes, told from the steps of this process alone. */
class StepPace {
  #began = performance.now();
  #steps = 0;
  #measured: number | null = null;

  step(): void {
    this.#steps += 1;
  }

  /** An epoch with its validation says more than the steps before it, among which there is the slow first one. */
  epoch(): void {
    if (this.#steps > 0) this.#measured = this.#mean();
    this.#began = performance.now();
    this.#steps = 0;
  }

  /** Seconds; null before the first step. */
  get seconds(): number | null {
    return this.#measured ?? (this.#steps === 0 ? null : this.#mean());
  }

  #mean(): number {
    return (performance.now() - this.#began) / 1000 / this.#steps;
  }
}

type Said = Pick<TrainingProgress, 'state' | 'message' | 'epoch' | 'epochs' | 'step' | 'steps' | 'best'>;

/** What is said of the training after an event; null where nothing changes. */
function after(said: Said, event: TrainEvent): Said | null {
  switch (event.type) {
    case 'start':
      return { ...said, epochs: event.epochs, steps: event.stepsPerEpoch, ...event.resumed };
    case 'step':
      return { ...said, epoch: event.epoch, step: event.step, steps: event.steps };
    case 'epoch':
      return { ...said, epoch: event.epoch, step: said.steps };
    case 'checkpoint':
      return { ...said, best: bestAfter(said.best, event) };
    case 'stop':
      return { ...said, state: event.reason === 'aborted' ? 'stopped' : 'finished', message: event.message };
    default:
      return null;
  }
}

/** The best epoch once weights were kept: those of the last step, kept beside the best ones, change nothing. */
export function bestAfter(
  best: BestEpoch | null,
  event: Extract<TrainEvent, { type: 'checkpoint' }>,
): BestEpoch | null {
  const { kind, epoch, metric, value } = event;
  const isBest = kind === 'best' || (epoch > 0 && (best === null || best.metric === 'last'));
  return isBest ? { epoch, metric: metric as BestEpoch['metric'], value } : best;
}

/**
 * Writes `progress.json` from the events of one training. Best effort: nothing here throws, and a step waits for no
 * disk. The file need not outlive a power cut, for it says nothing of what was kept.
 */
export class ProgressFile {
  readonly #write: (name: string, data: string) => Promise<void>;
  readonly #started = new Date();
  readonly #pace = new StepPace();
  #said: Said;
  #writing: Promise<void> | null = null;
  #wroteAt = Number.NEGATIVE_INFINITY;

  /**
   * @param write puts a whole file of that name into the run folder, e.g. RunFolder.write
   * @param best the best epoch of an earlier process whose training goes on
   */
  constructor(write: (name: string, data: string) => Promise<void>, best: BestEpoch | null = null) {
    this.#write = write;
    this.#said = { state: 'running', message: null, epoch: 0, epochs: 0, step: 0, steps: 0, best };
  }

  /** Takes an event of the training in. Resolves at once after a step, otherwise when the file is written. */
  async event(event: TrainEvent): Promise<void> {
    if (event.type === 'step') this.#pace.step();
    if (event.type === 'epoch') this.#pace.epoch();
    const said = after(this.#said, event);
    if (said === null) return;
    this.#said = said;
    if (event.type !== 'step') await this.#putLast();
    else if (this.#writing === null && performance.now() - this.#wroteAt >= PACE_MS) void this.#put();
  }

  /** The training has failed: the last thing that is said of it. */
  async fail(error: unknown): Promise<void> {
    this.#said = { ...this.#said, state: 'failed', message: printable(messageOf(error)) };
    await this.#putLast();
  }

  /** Writes what is said now, after a write that is under way. */
  async #putLast(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#put();
  }

  #put(): Promise<void> {
    this.#wroteAt = performance.now();
    const text = `${JSON.stringify(this.#content(), null, 2)}\n`;
    // Called within a promise, so that a function that throws at once is no different from one that rejects.
    this.#writing = Promise.resolve()
      .then(() => this.#write(PROGRESS_FILE, text))
      .catch(() => undefined)
      .finally(() => {
        this.#writing = null;
      });
    return this.#writing;
  }

  #content(): TrainingProgress {
    return {
      format: PROGRESS_FORMAT,
      formatVersion: 1,
      ...this.#said,
      started: this.#started.toISOString(),
      updated: new Date().toISOString(),
      secondsLeft: this.#secondsLeft(),
      pid: process.pid,
      host: hostname(),
    };
  }

  #secondsLeft(): number | null {
    const { state, epoch, epochs, step, steps } = this.#said;
    const { seconds } = this.#pace;
    if (state === 'finished') return 0;
    if (state !== 'running' || seconds === null) return null;
    return Math.max(0, seconds * ((epochs - epoch) * steps + steps - step));
  }
}

/** Tells a person, or a program that reads JSON, how the training goes: progress bar, lines, JSON lines or nothing. */
import { MultiBar } from 'cli-progress';
import type { SingleBar } from 'cli-progress';
import { z } from 'zod';
import { writableSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { trainEventSchema } from './event-schema';
import { usedAfterClose, writeFailed } from './failure';
import { JsonLinesLogger, writeTo } from './jsonl';
import type { TrainEvent, TrainLogger } from './types';
import { printable } from '../text/printable';
import { Pace } from './pace';
import { duration, figure, inWords } from './format';

/** How to speak: see {@link ConsoleLogger}. */
export const CONSOLE_MODES = ['auto', 'progress', 'lines', 'json', 'quiet'] as const;
/** One of `CONSOLE_MODES`. */
export type ConsoleMode = (typeof CONSOLE_MODES)[number];

/** Options of {@link ConsoleLogger}. */
export interface ConsoleOptions {
  /** Where to write; standard error by default. Never ended. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** `auto` by default. */
  readonly mode?: ConsoleMode;
  /**
   * Whether the end is printed; not needed by a caller who tells
   * it himself. Default true; JSON lines always have it.
   */
  readonly ending?: boolean;
}

type Stream = NonNullable<ConsoleOptions['stream']>;

/** Milliseconds without a line after which one says how far it is, where there is no bar. */
const SILENCE_MS = 60_000;

const optionsSchema = z.strictObject({
  stream: writableSchema.optional(),
  mode: z.enum(CONSOLE_MODES, `mode must be one of ${CONSOLE_MODES.join(', ')}`).default('auto'),
  ending: z.boolean().default(true),
});

/** The bar: one over all epochs, so that the time left is that of the whole run; lines of text go above it. */
class Progress {
  readonly #bars: MultiBar;
  readonly #bar: SingleBar;
  readonly #epochs: number;
  readonly #stepsPerEpoch: number;

  constructor(stream: Stream, { epochs, stepsPerEpoch }: Extract<TrainEvent, { type: 'start' }>) {
    this.#epochs = epochs;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#bars = new MultiBar({
      stream,
      format:
        'epoch {epoch} [{bar}] {percentage}% | loss {loss} | {duration_formatted} gone, at most {eta_formatted} left',
      formatTime: duration,
      barsize: 24,
      // Two epochs, so that the time of a validation is spread over the steps between two of them.
      etaBuffer: Math.max(20, 2 * stepsPerEpoch),
      clearOnComplete: true,
      // The bar is cut to the terminal's width instead of switching the terminal's line wrapping off and on.
      linewrap: true,
    });
    this.#bar = this.#bars.create(epochs * stepsPerEpoch, 0, { epoch: `1/${epochs}`, loss: '–' });
    this.#bars.update();
  }

  step({ epoch, step, loss }: Extract<TrainEvent, { type: 'step' }>): void {
    this.#bar.update((epoch - 1) * this.#stepsPerEpoch + step, {
      epoch: `${epoch}/${this.#epochs}`,
      loss: figure(loss, 4),
    });
  }

  line(text: string): void {
    this.#bars.log(`${text}\n`);
  }

  stop(): void {
    this.#bars.update();
    this.#bars.stop();
  }
}

/**
 * A logger for the console.
 *
 * - `progress`: a bar with the time left, one line per epoch above it; for terminals
 * - `lines`: one line per epoch, one per minute in epochs that take longer, no bar; for log files that people read
 * - `json`: every event as a line of JSON
 * - `quiet`: nothing but the files that were left out
 * - `auto`: `progress` on a terminal, else `lines`
 *
 * After the first few steps `progress` and `lines` say how long an epoch and all of them are expected to take.
 * The process stays alive while a bar is shown; `close` ends it.
 *
 * @example
 * ```ts
 * import { Classifier, ConsoleLogger, openDataset, Trainer } from 'covidct-torch';
 *
 * using model = await Classifier.create({ architecture: 'resnet18', classes: ['NonCOVID', 'COVID'] });
 * const trainer = new Trainer({ model, loggers: [new ConsoleLogger({ stream: process.stderr, mode: 'lines' })] });
 * await trainer.fit((await openDataset('COVID-CT')).train, null);
 * ```
 */
export class ConsoleLogger implements TrainLogger {
  /** The mode in force; never `auto`. */
  readonly mode: Exclude<ConsoleMode, 'auto'>;
  readonly #stream: Stream;
  readonly #json: JsonLinesLogger | null;
  readonly #ending: boolean;
  #progress: Progress | null = null;
  #epochs = 0;
  #closed = false;
  #pace: Pace | null = null;
  #lastStep: Extract<TrainEvent, { type: 'step' }> | null = null;
  #epochsDone = 0;
  #silence: NodeJS.Timeout | null = null;

  /** @throws InvalidOptionError when the mode is none of `CONSOLE_MODES` */
  constructor(options: ConsoleOptions = {}) {
    const { mode } = checkOptions(optionsSchema, options, 'ConsoleLogger');
    this.#stream = options.stream ?? process.stderr;
    this.mode = mode === 'auto' ? (this.#stream.isTTY === true ? 'progress' : 'lines') : mode;
    this.#ending = options.ending ?? true;
    this.#json = this.mode === 'json' ? new JsonLinesLogger({ stream: this.#stream }) : null;
  }

  /** @throws CovidCtError ERR_RUN_FOLDER when the stream cannot be written to, ERR_DISPOSED after close */
  async log(event: TrainEvent): Promise<void> {
    checkArgument(trainEventSchema, event, 'ConsoleLogger.log', 'event');
    if (this.#closed) throw usedAfterClose('ConsoleLogger');
    if (this.#json !== null) return this.#json.log(event);
    const estimate = this.#follow(event);
    const silent = (this.mode === 'quiet' && event.type !== 'skipped') || (event.type === 'stop' && !this.#ending);
    const line = silent ? null : (estimate ?? this.#inWords(event));
    if (line !== null) await this.#write(line);
    // A bar on something that is no terminal would be a line for each redraw; there, the lines alone are shown.
    if (event.type === 'start' && this.#hasBar) {
      this.#progress?.stop();
      this.#progress = new Progress(this.#stream, event);
    }
  }

  /** Takes the bar away. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#end();
    await this.#json?.close();
  }

  get #hasBar(): boolean {
    return this.mode === 'progress' && this.#stream.isTTY === true;
  }

  /**
   * Keeps the bar, the pace and the clock of the silence up to date; returns the estimate where it has become known.
   */
  #follow(event: TrainEvent): string | null {
    const now = performance.now();
    if (event.type === 'start') {
      this.#epochs = event.epochs;
      this.#epochsDone = 0;
      this.#lastStep = null;
      this.#pace = new Pace(event, now);
    }
    if (event.type === 'epoch') {
      this.#epochsDone = event.epoch;
      this.#pace?.epoch(event.seconds, now);
    }
    if (event.type === 'stop') this.#end();
    if (event.type !== 'step') return null;
    this.#lastStep = event;
    this.#progress?.step(event);
    if (this.#pace?.step(now) !== true) return null;
    const seconds = this.#pace.epochSeconds!;
    return (
      `about ${duration(seconds)} an ` +
      `epoch${this.#epochs === 1 ? '' : `, about ${duration(seconds * this.#epochs)} for all ${this.#epochs}`}`
    );
  }

  #inWords(event: TrainEvent): string | null {
    const line = inWords(event, this.#epochs);
    const left =
      event.type === 'epoch' && event.epoch < this.#epochs && !this.#hasBar
        ? (this.#pace?.allLeft(performance.now()) ?? null)
        : null;
    return line === null || left === null ? line : `${line} | at most ${duration(left)} left`;
  }

  /** How far the training is, for someone who has seen nothing for a minute. */
  #whereItIs(): string {
    if (this.#epochsDone >= this.#epochs) return 'all epochs are done; the last things are written';
    const epoch = `epoch ${this.#epochsDone + 1}/${this.#epochs}`;
    const step = this.#lastStep;
    const now = performance.now();
    const [epochLeft, allLeft] = [this.#pace?.epochLeft(now) ?? null, this.#pace?.allLeft(now) ?? null];
    const left =
      epochLeft === null || allLeft === null
        ? ''
        : ` | about ${duration(epochLeft)} of the epoch and at most ${duration(allLeft)} of all left`;
    if (step === null || step.epoch !== this.#epochsDone + 1) return `${epoch}: its first step is not done yet${left}`;
    const state = step.step === step.steps ? ': validating' : `, loss ${figure(step.loss, 4)}`;
    return `${epoch}, step ${step.step} of ${step.steps}${state}${left}`;
  }

  /** Takes the bar and the clock of the silence away. */
  #end(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    this.#pace = null;
    this.#progress?.stop();
    this.#progress = null;
  }

  async #write(line: string): Promise<void> {
    if (this.#progress !== null) return this.#progress.line(printable(line));
    this.#breakSilence();
    await writeTo(this.#stream, `${printable(line)}\n`).catch((error: unknown) =>
      Promise.reject(writeFailed('the console', error)),
    );
  }

  /** From the last line on, a minute without another one is ended by a line. */
  #breakSilence(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    if (this.#pace === null || this.mode === 'quiet' || this.#hasBar) return;
    // The next event reports a stream that fails; a word about how far it is ends no training.
    this.#silence = setTimeout(() => void this.#write(this.#whereItIs()).catch(() => undefined), SILENCE_MS);
    this.#silence.unref();
  }
}

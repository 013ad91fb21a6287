/** Shows the progress of a training on the console: as a progress bar, lines of text, JSON lines, or not at all. */
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

/** The output modes of {@link ConsoleLogger}. */
export const CONSOLE_MODES = ['auto', 'progress', 'lines', 'json', 'quiet'] as const;
/** One of `CONSOLE_MODES`. */
export type ConsoleMode = (typeof CONSOLE_MODES)[number];

/** Options of {@link ConsoleLogger}. */
export interface ConsoleOptions {
  /** Stream to write to; standard error by default. It is never closed. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** `auto` by default. */
  readonly mode?: ConsoleMode;
  /**
   * Whether the `stop` event is printed; set it to false when the caller reports the end itself. Default true; JSON
   * lines always contain it.
   */
  readonly ending?: boolean;
}

type Stream = NonNullable<ConsoleOptions['stream']>;

/** Milliseconds without output after which a line reports the progress, where there is no bar. */
const SILENCE_MS = 60_000;

const optionsSchema = z.strictObject({
  stream: writableSchema.optional(),
  mode: z.enum(CONSOLE_MODES, `mode must be one of ${CONSOLE_MODES.join(', ')}`).default('auto'),
  ending: z.boolean().default(true),
});

/** A progress bar over all epochs, so that its ETA is that of the whole run; lines of text are printed above it. */
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
        'epoch {epoch} [{bar}] {percentage}% | loss {loss} | {duration_formatted} so far, at most {eta_formatted} left',
      formatTime: duration,
      barsize: 24,
      // The ETA averages over two epochs, so that the time of a validation is spread over the steps of an epoch.
      etaBuffer: Math.max(20, 2 * stepsPerEpoch),
      clearOnComplete: true,
      // With linewrap the bar is cut to the terminal's width, and the terminal's own line wrapping stays as it is.
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
 * - `progress`: a bar with the time left, and one line per epoch above it; for terminals
 * - `lines`: one line per epoch, and one per minute in longer epochs, without a bar; for log files that people read
 * - `json`: every event as a line of JSON
 * - `quiet`: only the files that were left out
 * - `auto`: `progress` on a terminal, otherwise `lines`
 *
 * After the first few steps, `progress` and `lines` estimate how long an epoch and all epochs take. A bar keeps the
 * process alive until `close` removes it.
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
    // Without a terminal, a bar would print a line for each redraw; only the lines are shown there.
    if (event.type === 'start' && this.#hasBar) {
      this.#progress?.stop();
      this.#progress = new Progress(this.#stream, event);
    }
  }

  /** Removes the bar. A second call does nothing. */
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
   * Updates the bar and the time estimates; returns the line with the first estimate once it is known.
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

  /** Describes the progress, for a log that has been silent for a minute. */
  #whereItIs(): string {
    if (this.#epochsDone >= this.#epochs) return 'all epochs are done; the results are being written';
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

  /** Removes the bar and the timer of the progress line. */
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

  /** Restarts the timer that prints a progress line after a minute without output. */
  #breakSilence(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    if (this.#pace === null || this.mode === 'quiet' || this.#hasBar) return;
    // A failing stream is reported by the next event; a progress line must not end the training.
    this.#silence = setTimeout(() => void this.#write(this.#whereItIs()).catch(() => undefined), SILENCE_MS);
    this.#silence.unref();
  }
}

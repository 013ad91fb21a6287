/**
 * What a command talks through: standard output for results, standard error for people, a signal for Ctrl-C. Nothing
 * else in the command line writes to a stream, so that no name out of a file or a folder reaches a terminal raw.
 */
import type { Readable } from 'node:stream';
import { linesOf } from '../errors';
import { leftOutText } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import { printable, printableJson, printableText } from '../text/printable';
import type { Text } from '../text/printable';
import { csvRow } from './csv';

/** Handed to every command, so that tests can hand in their own. */
export interface Io {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** Taken only where a command line names it. */
  readonly stdin?: NodeJS.ReadableStream & Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires at Ctrl-C, and when nobody reads standard output any more. */
  readonly signal: AbortSignal;
  /** The exit code that goes with the signal. */
  readonly interruptedCode: () => number;
}

/** Flags that every command has, or most. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly quiet?: boolean;
}

/** Writes a result as text: a string is one line, an array several. */
export function print(io: Io, text: Text): void {
  io.stdout.write(`${printableText(text)}\n`);
}

/** Writes a result as one line of JSON; NaN and infinities become null. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${printableJson(JSON.stringify(value))}\n`);
}

/** Writes a row of CSV. A file gets every name as it is; a terminal, which is for people, gets it escaped. */
export function printCsv(io: Io, cells: readonly (string | number | null)[]): void {
  const row = csvRow(cells);
  io.stdout.write(`${io.stdout.isTTY === true ? printable(row) : row}\n`);
}

/** Tells a person something beside the result, a string as one line, an array as several; nothing with `--quiet`. */
export function note(io: Io, flags: OutputFlags, text: Text): void {
  if (flags.quiet !== true && text.length > 0) io.stderr.write(`${printableText(text)}\n`);
}

/**
 * Tells of the failure that ends a command.
 *
 * @param inOurWords puts the command line's words into the library's lines
 */
export function complain(io: Io, error: unknown, inOurWords: (lines: string[]) => string[] = (lines) => lines): void {
  note(
    io,
    {},
    inOurWords(linesOf(error)).map((line, index) => (index === 0 ? `covidct: ${line}` : line)),
  );
  if (io.env['COVIDCT_DEBUG'] === undefined || !(error instanceof Error) || error.stack === undefined) return;
  // The frames alone: before them stands the message, in which a foreign error may have any line's end.
  note(
    io,
    {},
    error.stack
      .slice(error.stack.indexOf(error.message) + error.message.length)
      .split('\n')
      .slice(1),
  );
}

/** Commander's own output: help, which holds nothing but our words, and messages, which hold what was typed. */
export function commanderOutput(io: Io): {
  writeOut: (text: string) => void;
  writeErr: (text: string) => void;
  outputError: (text: string) => void;
} {
  return {
    writeOut: (text) => void io.stdout.write(printableText(text.split('\n'))),
    writeErr: (text) => void io.stderr.write(printableText(text.split('\n'))),
    outputError: (text) => {
      const [, message = '', suggestion] = /^([^]*?)(?:\n(\(Did you mean [^\n]*\?\)))?\n$/.exec(text) ?? [text, text];
      note(io, {}, suggestion === undefined ? message : [message, suggestion]);
    },
  };
}

/** Tells what was left out, by reason; also with `--quiet`, for nothing may vanish without a word. */
export function noteLeftOut(io: Io, where: string, leftOut: readonly LeftOut[]): void {
  if (leftOut.length > 0) note(io, {}, `${where}left out: ${leftOutText(leftOut)}`);
}

/** A line that tells how far something is. */
export interface Progress {
  /** @param share of the work that is done, in [0, 1]; with it the time left is shown as well */
  readonly show: (text: string, share?: number) => void;
  readonly clear: () => void;
}

/** Milliseconds until the first word where there is no terminal, and between two of them. */
const FIRST_WORD_MS = 10_000;
const NEXT_WORD_MS = 60_000;
/** Milliseconds of work from which the time left is guessed. */
const SURE_MS = 5_000;

/** `47 s`, `12 min`, `2 h 3 min`. */
export function inTime(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60
    ? `${seconds} s`
    : seconds < 3600
      ? `${Math.round(seconds / 60)} min`
      : `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

function timeLeft(share: number | undefined, ms: number): string {
  return share === undefined || share <= 0 || share > 1 || ms < SURE_MS
    ? ''
    : `, about ${inTime((ms * (1 - share)) / share)} left`;
}

/** The time since work began; work whose share falls has begun again, with its next part. */
class Stopwatch {
  #began: number | null = null;
  #share = 0;

  /** Milliseconds since the first call, in this part of the work. */
  at(share = this.#share): number {
    const now = performance.now();
    if (this.#began === null || share < this.#share) this.#began = now;
    this.#share = share;
    return now - this.#began;
  }

  reset(): void {
    this.#began = null;
    this.#share = 0;
  }
}

/** One line that is overwritten in place. */
function onTerminal(io: Io): Progress {
  const watch = new Stopwatch();
  return {
    show: (text, share) => {
      // Cut to the width: what wraps could not be overwritten.
      const line = printable(`${text}${timeLeft(share, watch.at(share))}`).slice(0, (io.stderr.columns ?? 80) - 1);
      io.stderr.write(`\r\x1b[K${line}`);
    },
    clear: () => {
      watch.reset();
      io.stderr.write('\r\x1b[K');
    },
  };
}

/**
 * A line after ten seconds of work, then one per minute, also where nothing new has come: that it goes on is news too.
 */
function inLines(io: Io): Progress {
  const watch = new Stopwatch();
  let latest: { text: string; share: number | undefined } | null = null;
  let toldAt: number | null = null;
  let timer: NodeJS.Timeout | null = null;
  const wait = (ms: number): void => {
    timer = setTimeout(tell, ms);
    timer.unref();
  };
  const tell = (): void => {
    if (latest === null) return;
    const gone = watch.at(latest.share);
    toldAt = performance.now();
    note(io, {}, `${latest.text} (${inTime(gone)} gone${timeLeft(latest.share, gone)})`);
    wait(NEXT_WORD_MS);
  };
  return {
    show: (text, share) => {
      if (latest === null)
        wait(toldAt === null ? FIRST_WORD_MS : Math.max(0, toldAt + NEXT_WORD_MS - performance.now()));
      latest = { text, share };
      watch.at(share);
    },
    clear: () => {
      latest = null;
      watch.reset();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/**
 * Tells how far long work is: on a terminal one line, overwritten in place; elsewhere a line now and then, so that a
 * log is never silent for much more than a minute. Nothing with `--quiet`. Must be cleared before anything else is
 * written.
 */
export function progressLine(io: Io, flags: OutputFlags): Progress {
  if (flags.quiet === true) return { show: () => undefined, clear: () => undefined };
  return io.stderr.isTTY === true ? onTerminal(io) : inLines(io);
}

/** Tells that something is under way until it is done. */
export async function during<T>(io: Io, flags: OutputFlags, text: string, work: () => Promise<T>): Promise<T> {
  const line = progressLine(io, flags);
  line.show(text);
  try {
    return await work();
  } finally {
    line.clear();
  }
}

/**
 * What a command talks through: standard output for results, standard error for people, a signal for Ctrl-C. Nothing
 * else in the command line writes to a stream, so that no name out of a file or a folder reaches a terminal raw.
 */
import { linesOf } from '../errors';
import { leftOutText } from '../index';
import type { LeftOut } from '../index';
import { printable, printableJson, printableText } from '../printable';
import type { Text } from '../printable';

/** Handed to every command, so that tests can hand in their own. */
export interface Io {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires at Ctrl-C, and when nobody reads standard output any more. */
  readonly signal: AbortSignal;
  /** The exit code that goes with the signal. */
  readonly interruptedCode: () => number;
}

/** Flags that every command has. */
export interface OutputFlags {
  readonly json?: boolean;
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

/** Tells a person something beside the result, a string as one line, an array as several; nothing with `--quiet`. */
export function note(io: Io, flags: OutputFlags, text: Text): void {
  if (flags.quiet !== true) io.stderr.write(`${printableText(text)}\n`);
}

/** Tells of the failure that ends a command. */
export function complain(io: Io, error: unknown): void {
  note(io, {}, linesOf(error).map((line, index) => (index === 0 ? `covidct: ${line}` : line)));
  if (io.env['COVIDCT_DEBUG'] === undefined || !(error instanceof Error) || error.stack === undefined) return;
  // The frames alone: before them stands the message, in which a foreign error may have any line's end.
  note(io, {}, error.stack.slice(error.stack.indexOf(error.message) + error.message.length).split('\n').slice(1));
}

/** Commander's own output: help, which holds nothing but our words, and messages, which hold what was typed. */
export function commanderOutput(io: Io): { writeOut: (text: string) => void; writeErr: (text: string) => void; outputError: (text: string) => void } {
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

/** Returns a function that shows one line of progress, overwritten in place; nothing where it is no terminal. */
export function progressLine(io: Io, flags: OutputFlags): { show: (text: string) => void; clear: () => void } {
  const on = io.stderr.isTTY === true && flags.quiet !== true;
  return {
    show: (text) => void (on && io.stderr.write(`\r\x1b[K${printable(text)}`)),
    clear: () => void (on && io.stderr.write('\r\x1b[K')),
  };
}

/** What a command talks through: standard output for results, standard error for people, a signal for Ctrl-C. */
import { leftOutText } from '../index';
import type { LeftOut } from '../index';

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

/** Writes a result as text. */
export function print(io: Io, text: string): void {
  io.stdout.write(`${text}\n`);
}

/** Writes a result as one line of JSON; NaN and infinities become null. */
export function printJson(io: Io, value: unknown): void {
  print(io, JSON.stringify(value));
}

/** Tells a person something beside the result; nothing with `--quiet`. */
export function note(io: Io, flags: OutputFlags, text: string): void {
  if (flags.quiet !== true) io.stderr.write(`${text}\n`);
}

/** Tells what was left out, by reason; also with `--quiet`, for nothing may vanish without a word. */
export function noteLeftOut(io: Io, where: string, leftOut: readonly LeftOut[]): void {
  if (leftOut.length > 0) io.stderr.write(`${where}left out: ${leftOutText(leftOut)}\n`);
}

/** Returns a function that shows one line of progress, overwritten in place; nothing where it is no terminal. */
export function progressLine(io: Io, flags: OutputFlags): { show: (text: string) => void; clear: () => void } {
  const on = io.stderr.isTTY === true && flags.quiet !== true;
  return {
    show: (text) => void (on && io.stderr.write(`\r\x1b[K${text}`)),
    clear: () => void (on && io.stderr.write('\r\x1b[K')),
  };
}

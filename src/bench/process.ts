/** Runs one measuring process: JSON in, JSON out, and nothing of it left behind. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { AbortedError, messageOf, throwIfAborted } from '../errors';

/** Options of {@link runTask}. */
export interface RunTaskOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** It is ended when it takes longer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The outcome of a task: its result and the time from its start to its first line, or why there is none. */
export type Outcome<T> = { readonly result: T; readonly firstLineMs: number } | { readonly problem: string };

/** Ends a process with the compilers and workers that it has started. */
function end(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL'); // it leads a group of its own
  } catch {
    // nobody of the group is left
  }
}

function lastLine(text: string): string {
  return (
    text
      .split('\n')
      .findLast((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}

/**
 * What went wrong, in one line: the exception where a traceback has one
 * (its message may have many lines), else the last.
 */
export function failureIn(stderr: string): string {
  return (
    stderr
      .split('\n')
      .findLast((line) => /^[\w.]*(Error|Exception): /.test(line))
      ?.trim() ?? lastLine(stderr)
  );
}

interface Seen {
  stdout: string;
  stderr: string;
  firstLineMs: number;
  timedOut: boolean;
}

function outcomeOf<T>(
  { stdout, stderr, firstLineMs, timedOut }: Seen,
  status: number | null,
  timeoutMs: number,
): Outcome<T> {
  if (timedOut) return { problem: `it took longer than ${timeoutMs / 1000} s and was ended` };
  if (status === null) return { problem: 'the process was killed, most likely for want of memory' };
  if (status !== 0) return { problem: failureIn(stderr) || `the process ended with ${status} without a word` };
  try {
    return { result: JSON.parse(lastLine(stdout)) as T, firstLineMs };
  } catch {
    return { problem: `expected a line of JSON; got '${lastLine(stdout).slice(0, 80)}'` };
  }
}

/**
 * Runs `command` with the task as the last argument.
 *
 * @throws AbortedError when `signal` fires, once the process and what it had started are gone
 */
export async function runTask<T>(
  command: string,
  args: readonly string[],
  task: unknown,
  { env, timeoutMs, signal }: RunTaskOptions,
): Promise<Outcome<T>> {
  throwIfAborted(signal);
  const began = performance.now();
  const child = spawn(command, [...args, JSON.stringify(task)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    detached: process.platform !== 'win32',
  });
  const seen: Seen = { stdout: '', stderr: '', firstLineMs: NaN, timedOut: false };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen.stdout += text;
    if (Number.isNaN(seen.firstLineMs) && seen.stdout.includes('\n')) seen.firstLineMs = performance.now() - began;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    seen.stderr = (seen.stderr + text).slice(-20_000);
  });
  const stop = (): void => end(child);
  const timer = setTimeout(() => {
    seen.timedOut = true;
    stop();
  }, timeoutMs);
  signal?.addEventListener('abort', stop);
  process.once('exit', stop); // a second Ctrl-C ends this process at once
  try {
    const status = await new Promise<number | null>((done, fail) => {
      child.once('error', fail);
      child.once('exit', stop); // what outlives it would hold its pipes
      child.once('close', done);
    });
    if (signal?.aborted === true) throw new AbortedError();
    return outcomeOf<T>(seen, status, timeoutMs);
  } catch (error) {
    if (signal?.aborted === true) throw new AbortedError();
    return { problem: messageOf(error) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    process.removeListener('exit', stop);
  }
}

/** Runs a program without blocking, keeps its output in a log file and passes it on line by line. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { makeFolderSync } from './write';

/** Lines of output that are kept for an error message. */
const TAIL_LINES = 30;

/** Options of {@link runLogged}. */
export interface RunLoggedOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** File that receives the whole output; overwritten. */
  log?: string;
  onOutput?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Runs `command` and waits for it.
 *
 * @returns its exit status (null when a signal ended it) and the last lines of stdout and stderr together
 * @throws the system's error when the program cannot be started; an AbortError when `signal` fires
 */
export async function runLogged(
  command: string,
  args: readonly string[],
  options: RunLoggedOptions = {},
): Promise<{ status: number | null; tail: string }> {
  const { cwd, env, log, onOutput, signal } = options;
  if (log !== undefined) makeFolderSync(dirname(log));
  const file = log === undefined ? undefined : createWriteStream(log);
  const child = spawn(command, args, { cwd, env, signal, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  const tail: string[] = [];
  const both = new PassThrough();
  let open = 2;
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(both, { end: false });
    stream.once('end', () => {
      if (--open === 0) both.end();
    });
  }
  const lines = createInterface({ input: both, crlfDelay: Infinity });
  lines.on('line', (line) => {
    file?.write(`${line}\n`);
    onOutput?.(line);
    if (tail.push(line) > TAIL_LINES) tail.shift();
  });
  const read = new Promise<void>((done) => lines.once('close', done));
  try {
    const status = await new Promise<number | null>((done, fail) => {
      child.once('error', fail);
      child.once('close', done);
    });
    await read;
    return { status, tail: tail.join('\n') };
  } finally {
    lines.close();
    if (file !== undefined) await new Promise<void>((done) => file.end(done));
  }
}

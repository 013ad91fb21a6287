/** Runs the command line in this process. Nothing is printed: what it writes comes back as text. */
import { Writable } from 'node:stream';
import type { Io } from '../../src/cli/io';
import { runCommandLine } from '../../src/cli/program';

/** Standard output or standard error, kept as text. */
export class Text extends Writable {
  text = '';
  constructor(
    readonly isTTY = false,
    readonly columns = 100,
  ) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
  /** What has come since the last call. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}

/** Streams that keep their text, an empty environment, and a signal that never comes. */
export function makeIo({
  env = {},
  tty = false,
  columns = 100,
}: { env?: Record<string, string>; tty?: boolean; columns?: number } = {}) {
  const [stdout, stderr] = [new Text(tty, columns), new Text(tty, columns)];
  const io: Io = { stdout, stderr, env, signal: new AbortController().signal, interruptedCode: () => 130 };
  return { io, stdout, stderr };
}

/** Runs one command, e.g. `['predict', '--model', 'runs/first', 'slice.png']`, to its end. */
export async function runCommand(args: readonly string[], options: Parameters<typeof makeIo>[0] = {}) {
  const { io, stdout, stderr } = makeIo(options);
  const code = await runCommandLine(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Arguments of the shortest training there is: the tiny network, 32 pixels, one epoch, one thread. */
export function tinyTraining(data: string, out: string): string[] {
  return `train --arch tiny --image-size 32 --threads 1 --epochs 1`.split(' ').concat('--data', data, '--out', out);
}

/** Runs the built command line as a child process. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(__dirname, '../../dist/cli/main.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * `onLine` sees each line of standard output as it comes; it may send a signal, or close the pipes as `| head` does.
 */
export function covidct(
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    cwd?: string;
    input?: Buffer;
    onLine?: (line: string, kill: (signal: NodeJS.Signals) => void, close: () => void) => void;
  } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: { ...process.env, COVIDCT_DATA: '', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => undefined); // a command that reads no input may be gone before it is written
    child.stdin.end(options.input);
    let stdout = '';
    let stderr = '';
    let seen = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const lines = stdout.split('\n');
      for (; seen < lines.length - 1; seen += 1)
        options.onLine?.(
          lines[seen]!,
          (signal) => child.kill(signal),
          () => {
            child.stdout.destroy();
            child.stderr.destroy();
          },
        );
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Every line of standard output as JSON. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

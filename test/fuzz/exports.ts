/** Runs the fuzzer of all exports in a process and a folder of its own. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What became of the cases. */
export interface ExportCounts {
  readonly seed: number;
  readonly cases: number;
  /** Functions, constructors and methods. */
  readonly targets: number;
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  /**
   * What was no CovidCtError, came where nobody listens, hung, wrote
   * elsewhere, or would have started or fetched something.
   */
  readonly failures: readonly string[];
}

/** Fuzzes for at most `timeoutMs`; a process that hangs or crashes is a failure that names the case. */
export function fuzzExports(cases: number, seed: number, timeoutMs = 120_000): Promise<ExportCounts> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-fuzz-')));
  const folder = join(dir, 'work');
  mkdirSync(folder);
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(__dirname, 'exports-child.cjs'), String(seed), String(cases)],
      { cwd: folder, timeout: timeoutMs, maxBuffer: 64 * 1024 ** 2, env: { ...process.env, TMPDIR: folder } },
      (error, stdout, stderr) => {
        const none = { seed, cases, targets: 0, accepted: 0, refused: 0, failed: 0 };
        const last = (): string => {
          try {
            return readFileSync(join(folder, 'current-case'), 'utf8');
          } catch {
            return 'before the first case';
          }
        };
        try {
          resolve({
            ...none,
            ...(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Partial<ExportCounts>),
          } as ExportCounts);
        } catch {
          resolve({
            ...none,
            failures: [
              `${last()}: the process ended ` +
                `(${String(error?.message ?? child.exitCode).slice(0, 200)}): ${stderr.slice(-1000)}`,
            ],
          });
        }
        rmSync(dir, { recursive: true, force: true });
      },
    );
  });
}

/** What the exit codes of `covidct` mean, and which failure gets which. */
import { CovidCtError } from '../errors';
import type { ErrorCode } from '../errors';

export const EXIT = {
  /** Done. */
  ok: 0,
  /** Something failed; standard error says what. */
  failure: 1,
  /** The command line, a configuration file or an option was wrong. */
  usage: 2,
  /** LibTorch is missing, or the addon is not built or does not load; `covidct doctor` says what to do. */
  native: 3,
  /** Ended by Ctrl-C; what was finished is kept. */
  interrupted: 130,
  /** Whoever read standard output has gone (`| head`); what was finished is kept. */
  outputClosed: 141,
  /** Ended by SIGTERM; what was finished is kept. */
  terminated: 143,
} as const;

/** For `--help`. */
export const EXIT_CODES_HELP =
  'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 LibTorch or the addon is ' +
  'missing, 130 interrupted (143 terminated, 141 standard output closed).';

const CODES: Partial<Record<ErrorCode, number>> = {
  ERR_INVALID_OPTION: EXIT.usage,
  ERR_LIBTORCH_NOT_FOUND: EXIT.native,
  ERR_ADDON_NOT_BUILT: EXIT.native,
  ERR_ADDON_LOAD: EXIT.native,
  ERR_BUILD_FAILED: EXIT.native,
};

/** The exit code of a failure. */
export function exitCodeOf(error: unknown): number {
  return (error instanceof CovidCtError ? CODES[error.code] : undefined) ?? EXIT.failure;
}

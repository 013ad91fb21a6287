/** The errors of loggers: a file or stream that cannot be written, and use after close. */
import { CovidCtError, messageOf } from '../errors';

/** Creates the error for a failed write, with the target and the system's message. */
export function writeFailed(what: string, error: unknown): CovidCtError {
  return new CovidCtError(
    'ERR_RUN_FOLDER',
    `${what} cannot be written: ${messageOf(error)}. Check that the folder ` +
      'exists, that it may be written to and that the disk is not full',
    { cause: error },
  );
}

/** Creates the error for logging after close(). */
export function usedAfterClose(what: string): CovidCtError {
  return new CovidCtError('ERR_DISPOSED', `${what} was written to after close(); make a new logger for a new run`);
}

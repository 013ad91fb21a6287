/** Turns what the addon throws into the library's own errors, with the caller's stack. */
import { CovidCtError, ERROR_CODES, messageOf } from '../errors';
import type { ErrorCode } from '../errors';

function codeOf(error: unknown): ErrorCode {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code in ERROR_CODES ? (code as ErrorCode) : 'ERR_NATIVE';
}

/** Calls the addon where it returns at once. Throws CovidCtError with the addon's code. */
export function callAddonSync<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new CovidCtError(codeOf(error), messageOf(error), { cause: error });
  }
}

/** Awaits a call of the addon. Throws CovidCtError with the addon's code; the addon's own error is its cause. */
export async function callAddon<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof CovidCtError) throw error;
    throw new CovidCtError(codeOf(error), messageOf(error), { cause: error });
  }
}

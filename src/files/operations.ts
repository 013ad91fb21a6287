/**
 * The hook through which the library changes files, so that a test can make any change fail, or kill the process there.
 * Reads do not go through it: a failed read changes nothing.
 */

/** What is about to be done to a file or a folder. */
export type FileOperation = 'makeFolder' | 'create' | 'write' | 'sync' | 'syncFolder' | 'rename' | 'remove';

/** An operation and the path that it changes. */
export interface FileChange {
  readonly operation: FileOperation;
  readonly path: string;
  /** The new path; only for a rename. */
  readonly to?: string;
}

/** Runs a change, or makes it fail. */
export type FileInterceptor = <T>(change: FileChange, run: () => Promise<T>) => Promise<T>;

const direct: FileInterceptor = (_change, run) => run();
let intercept: FileInterceptor = direct;

/** Runs a change of the file system through the interceptor. */
export async function change<T>(
  operation: FileOperation,
  path: string,
  run: () => Promise<T>,
  to?: string,
): Promise<T> {
  return await intercept({ operation, path, ...(to === undefined ? {} : { to }) }, run);
}

/**
 * Sends every later change through `interceptor`; null removes it. For tests.
 *
 * @returns the previous interceptor
 */
export function interceptChanges(interceptor: FileInterceptor | null): FileInterceptor | null {
  const before = intercept;
  intercept = interceptor ?? direct;
  return before === direct ? null : before;
}

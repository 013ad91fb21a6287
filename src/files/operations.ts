/**
 * The one place through which the library changes files, so that a test can make each change fail, or stop there.
 *
 * Reading is not among them: a failed read changes nothing.
 */

/** What is about to be done to a file or a folder. */
export type FileOperation = 'makeFolder' | 'create' | 'write' | 'sync' | 'syncFolder' | 'rename' | 'remove';

/** An operation with the path that it changes; a rename has both names. */
export interface FileChange {
  readonly operation: FileOperation;
  readonly path: string;
  /** New name; of a rename alone. */
  readonly to?: string;
}

/** Runs a change, or makes it fail. */
export type FileInterceptor = <T>(change: FileChange, run: () => Promise<T>) => Promise<T>;

const direct: FileInterceptor = (_change, run) => run();
let intercept: FileInterceptor = direct;

/** Runs a change of the file system. */
export async function change<T>(
  operation: FileOperation,
  path: string,
  run: () => Promise<T>,
  to?: string,
): Promise<T> {
  return await intercept({ operation, path, ...(to === undefined ? {} : { to }) }, run);
}

/**
 * Has every change pass through `interceptor` from now on; null: none does. For tests.
 *
 * @returns the interceptor before
 */
export function interceptChanges(interceptor: FileInterceptor | null): FileInterceptor | null {
  const before = intercept;
  intercept = interceptor ?? direct;
  return before === direct ? null : before;
}

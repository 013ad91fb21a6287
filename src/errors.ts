/** Every failure the library reports on purpose: one class, one table of codes. */
import { types } from 'node:util';
import { printable, printableText } from './text/printable';
import type { Text } from './text/printable';
import { systemErrorText } from './text/system-error';

/**
 * What a code means, for the docs and for `switch` statements; the message of each error carries the details.
 *
 * @example
 * ```ts
 * import { ERROR_CODES } from 'covidct-torch';
 *
 * for (const [code, meaning] of Object.entries(ERROR_CODES)) console.log(code, meaning);
 * ```
 */
export const ERROR_CODES = {
  ERR_INVALID_OPTION: 'an option has a wrong type, a value out of range, or a name that does not exist',
  ERR_DATASET: 'a data set folder, list, table or zip archive is missing something, is damaged or contradicts itself',
  ERR_BAD_IMAGE: 'a file could not be decoded as an image',
  ERR_PACKED_DATA: 'a packed data set is damaged, cut off, of another version or something else, or cannot be written',
  ERR_BAD_ARCHIVE: 'an archive of LibTorch is damaged, tries to write outside its folder, or holds something else',
  ERR_LIBTORCH_NOT_FOUND: 'no usable LibTorch was found',
  ERR_ADDON_NOT_BUILT: 'the native addon has not been built for the LibTorch that was found',
  ERR_ADDON_LOAD: 'the native addon exists but could not be loaded',
  ERR_CACHE: 'a folder of the cache cannot be made, belongs to another user, or can be written by others',
  ERR_LOCK: 'the lock on a folder cannot be taken, or was lost while work was done under it',
  ERR_PACKAGE_FILES: "the package's own files cannot be found, as in a bundle",
  ERR_BUILD_FAILED: 'the native addon could not be compiled',
  ERR_DOWNLOAD: 'a download failed or did not match its checksum',
  ERR_DEVICE: 'the device that was asked for is not available',
  ERR_OUT_OF_MEMORY: 'the device ran out of memory',
  ERR_NATIVE: 'LibTorch reported a failure',
  ERR_BAD_BATCH: 'a batch has lengths, labels or sizes that do not fit together',
  ERR_WEIGHTS: 'a weight file is damaged or does not fit the network',
  ERR_MODEL: 'a model folder is missing something or contradicts itself',
  ERR_LAYER: 'no layer of that name can be explained in this architecture',
  ERR_DISPOSED: 'the object was used after dispose()',
  ERR_BUSY: 'the classifier is already being trained, or another training holds the folder',
  ERR_DIVERGED: 'the loss became NaN or infinite',
  ERR_ABORTED: 'the work was stopped by its AbortSignal',
  ERR_METRICS: 'a metric was asked of values it is not defined for',
  ERR_RUN_FOLDER: 'a run folder cannot be written or read',
  ERR_RESUME: 'a run cannot go on: it has no whole checkpoint, or what it is to go on with is not what it began with',
} as const;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Base class of everything this library throws on purpose. `code` is stable; the message says what to do. A message of
 * several lines is given as an array: within a line, control characters are escaped, so that a name with a line's end
 * or an escape sequence in it cannot write into a terminal or forge a line of a log.
 *
 * @example
 * ```ts
 * import { CovidCtError, openDataset } from 'covidct-torch';
 *
 * try {
 *   await openDataset('missing');
 * } catch (error) {
 *   if (error instanceof CovidCtError) console.log(error.code, error.message); // a stable code, and what to do
 * }
 * ```
 */
export class CovidCtError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: Text, options?: { cause?: unknown }) {
    super(printableText(message), options);
    this.code = code;
    this.name = new.target.name;
  }
}

/**
 * An option was refused. `issues` lists each place (`lr`, `transform.steps[1].p`) with what is wrong there.
 *
 * @example
 * ```ts
 * import { InvalidOptionError, makePhantoms } from 'covidct-torch';
 *
 * try {
 *   await makePhantoms('phantoms', { count: -1 });
 * } catch (error) {
 *   if (error instanceof InvalidOptionError) console.log(error.issues); // [{ path: 'count', message: ... }]
 * }
 * ```
 */
export class InvalidOptionError extends CovidCtError {
  readonly issues: readonly { path: string; message: string }[];

  constructor(message: Text, issues: readonly { path: string; message: string }[] = []) {
    super('ERR_INVALID_OPTION', message);
    this.issues = issues;
  }
}

/**
 * A data set cannot be used as it is.
 *
 * @example
 * ```ts
 * import { DatasetError, openFolder } from 'covidct-torch';
 *
 * try {
 *   await openFolder('scans');
 * } catch (error) {
 *   if (error instanceof DatasetError) console.log(error.message); // names the folder, file or line
 * }
 * ```
 */
export class DatasetError extends CovidCtError {
  constructor(message: Text, options?: { cause?: unknown }) {
    super('ERR_DATASET', message, options);
  }
}

/**
 * A file could not be decoded. `source` names the file (or the Buffer), `reason` is the decoder's own word.
 *
 * @example
 * ```ts
 * import { BadImageError, decodeImage } from 'covidct-torch';
 *
 * try {
 *   await decodeImage('notes.txt');
 * } catch (error) {
 *   if (error instanceof BadImageError) console.log(error.source, error.reason);
 * }
 * ```
 */
export class BadImageError extends CovidCtError {
  readonly source: string;
  readonly reason: string;

  constructor(message: Text, details: { source: string; reason: string; cause?: unknown }) {
    super('ERR_BAD_IMAGE', message, { cause: details.cause });
    this.source = details.source;
    this.reason = details.reason;
  }
}

/**
 * No LibTorch was found. `tried` lists every place that was looked at, in order, with the reason it was refused.
 *
 * @example
 * ```ts
 * import { Classifier, LibTorchNotFoundError } from 'covidct-torch';
 *
 * try {
 *   await Classifier.load('runs/first');
 * } catch (error) {
 *   if (!(error instanceof LibTorchNotFoundError)) throw error;
 *   for (const { path, reason } of error.tried) console.log(path, reason);
 * }
 * ```
 */
export class LibTorchNotFoundError extends CovidCtError {
  readonly tried: readonly { path: string; reason: string }[];

  constructor(message: Text, tried: readonly { path: string; reason: string }[]) {
    super('ERR_LIBTORCH_NOT_FOUND', message);
    this.tried = tried;
  }
}

/** Who holds a folder. A file that cannot be read gives the pid 0. */
export interface Owner {
  readonly pid: number;
  /** Name of the machine, or of the container. */
  readonly host: string;
  /** Since when, in ISO 8601, by the owner's clock. */
  readonly since: string;
  /** What holds it, e.g. `Trainer.fit`. */
  readonly what: string;
}

/**
 * A folder cannot be written to, since another training holds it. `owner` says who; it may be this very process.
 *
 * @example
 * ```ts
 * import { Classifier, openDataset, RunBusyError, Trainer } from 'covidct-torch';
 *
 * const { train, validation } = await openDataset('COVID-CT');
 * using model = await Classifier.create({ architecture: 'resnet18', classes: train.classes });
 * try {
 *   await new Trainer({ model, out: 'runs/first' }).fit(train, validation);
 * } catch (error) {
 *   if (!(error instanceof RunBusyError)) throw error;
 *   console.log(error.owner.pid, error.owner.host, error.owner.since);
 * }
 * ```
 */
export class RunBusyError extends CovidCtError {
  readonly owner: Owner;

  constructor(message: Text, owner: Owner) {
    super('ERR_BUSY', message);
    this.owner = owner;
  }
}

/**
 * The work was stopped by an AbortSignal; `name` is 'AbortError' as the platform's own aborts have it.
 *
 * @example
 * ```ts
 * import { AbortedError, openDataset, preparePacked } from 'covidct-torch';
 *
 * try {
 *   await preparePacked(await openDataset('COVID-CT'), 'covid-ct.pack', { signal: AbortSignal.timeout(1000) });
 * } catch (error) {
 *   if (!(error instanceof AbortedError)) throw error;
 *   console.log(error.name, error.code); // AbortError ERR_ABORTED
 * }
 * ```
 */
export class AbortedError extends CovidCtError {
  constructor(message = 'the work was aborted') {
    super('ERR_ABORTED', message);
    this.name = 'AbortError';
  }
}

/** Throws {@link AbortedError} when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError();
}

/** An error of any realm: under jest, what the addon throws is not of the tests' own. */
function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error);
}

/**
 * The message of anything that was thrown, to stand in another one:
 * the system's failures in words, our own lines in one.
 */
export function messageOf(error: unknown): string {
  try {
    if (error instanceof CovidCtError)
      return error.message
        .split('\n')
        .map((line) => line.trim())
        .join('; ');
    return systemErrorText(error) ?? (isError(error) ? error.message : String(error));
  } catch {
    return 'an error that cannot be described'; // whoever threw it did so on purpose, or threw no error
  }
}

/** The message of anything that was thrown, line by line; that of a foreign error is one line, whatever is in it. */
export function linesOf(error: unknown): string[] {
  return error instanceof CovidCtError ? error.message.split('\n') : [printable(messageOf(error))];
}

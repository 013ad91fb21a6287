/** The errors that the library throws on purpose: a base class, its subclasses and the table of codes. */
import { types } from 'node:util';
import { printable, printableText } from './text/printable';
import type { Text } from './text/printable';
import { systemErrorText } from './text/system-error';

/**
 * The meaning of each error code, for documentation and `switch` statements; the message of an error has the details.
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
  ERR_PACKED_DATA: 'a packed data set is damaged, truncated, of another version or not one, or cannot be written',
  ERR_BAD_ARCHIVE: 'a LibTorch archive is damaged, tries to write outside its folder, or contains something else',
  ERR_LIBTORCH_NOT_FOUND: 'no usable LibTorch was found',
  ERR_ADDON_NOT_BUILT: 'the native addon has not been built for the LibTorch that was found',
  ERR_ADDON_LOAD: 'the native addon exists but could not be loaded',
  ERR_CACHE: 'a folder of the cache cannot be made, belongs to another user, or can be written by others',
  ERR_LOCK: 'the lock on a folder cannot be taken, or was lost while it was needed',
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
  ERR_METRICS: 'a metric was computed from values for which it is not defined',
  ERR_RUN_FOLDER: 'a run folder cannot be written or read',
  ERR_QUEUE_FULL: 'a predictor holds as many images or bytes as it may',
  ERR_TIMEOUT: 'a predictor gave no answer within the time that was asked for',
  ERR_CLOSING: 'a predictor is being closed and takes no more images',
  ERR_GATE: 'a model did not pass the gate, so the one before it goes on answering',
  ERR_RESUME: 'a run cannot be resumed: it has no complete checkpoint, or its inputs are not those that it began with',
} as const;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Base class of every error this library throws on purpose. `code` is stable; the message says what to do. A message of
 * several lines is passed as an array: control characters within a line are escaped, so that a file name with a line
 * break or an escape sequence cannot control a terminal or forge a line of a log.
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
 * An option is invalid. `issues` lists each invalid value by its path (`lr`, `transform.steps[1].p`) with a message.
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
 * A data set is incomplete, damaged or inconsistent.
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
 * A file could not be decoded as an image. `source` names the file (or the Buffer); `reason` is the decoder's message.
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
 * No usable LibTorch was found. `tried` lists every path that was tried, in order, with the reason it was refused.
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
 * An AbortSignal stopped the work; `name` is 'AbortError', as for the platform's own abort errors.
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

/** Whether a value is an Error of any realm: under jest, the addon's errors come from another realm than the tests. */
function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error);
}

/**
 * Returns the message of any thrown value on one line, to be embedded in another message. System errors are described
 * in words instead of by their code.
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
    return 'an error that cannot be described'; // e.g. a Proxy or a getter that throws
  }
}

/** Returns the lines of the message of any thrown value; an error that is not a CovidCtError has a single line. */
export function linesOf(error: unknown): string[] {
  return error instanceof CovidCtError ? error.message.split('\n') : [printable(messageOf(error))];
}

/**
 * Downloads one file with a known checksum. A partial download stays on disk, so that the next run resumes it. Node's
 * fetch ignores proxy settings: behind a proxy it fails here, and the caller falls back to pip, which supports them.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AbortedError, CovidCtError, messageOf, throwIfAborted } from '../errors';
import { change } from './operations';
import { fileError, makeFolder, syncFile, syncFolder } from './write';

/** Options of {@link download}. */
export interface DownloadOptions {
  url: string;
  /** Expected SHA-256 of the whole file, lower-case hex, or a prefix of it where no more is published. */
  sha256: string;
  /** Path of the finished file; until then the data is in `<file>.part`. */
  file: string;
  /** Called with the bytes received so far and, where the server reports it, the total size. */
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
  signal?: AbortSignal;
  /** Milliseconds to wait for the response to begin. Default 10 000. */
  connectTimeoutMs?: number;
  /** Milliseconds without new data after which the download fails. Default 60 000. */
  stallTimeoutMs?: number;
  /** How often a broken connection is resumed, provided that each attempt received some data. Default 3. */
  retries?: number;
}

/** A download failed. `reached` is true when the server had started to send the file. */
export class DownloadError extends CovidCtError {
  readonly reached: boolean;

  constructor(message: string, details: { reached: boolean; cause?: unknown }) {
    super('ERR_DOWNLOAD', message, { cause: details.cause });
    this.reached = details.reached;
  }
}

/** SHA-256 of a file, lower-case hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Makes the disk's failure one of the download that is no reason to try again. */
async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  return await work().catch((error: unknown) => {
    throw fileError(action, path, error, 'ERR_DOWNLOAD');
  });
}

async function removePart(part: string): Promise<void> {
  await onDisk('remove it', part, () => change('remove', part, () => rm(part, { force: true })));
}

/** Flushed first: after a power cut the name must not stand for bytes that never reached the disk. */
async function putInPlace(part: string, file: string): Promise<void> {
  await onDisk('put the download in place', file, async () => {
    await syncFile(part);
    await change('rename', part, () => rename(part, file), file);
    await syncFolder(dirname(file));
  });
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}

/** Describes why a fetch failed: undici puts the actual reason into `cause`. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined
    ? messageOf(error)
    : `${messageOf(error)}: ${messageOf(cause) || String((cause as { code?: unknown }).code)}`;
}

/** A timeout that is restarted whenever data arrives and aborts the request when it expires. */
class Watchdog {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal === undefined ? this.#controller.signal : AbortSignal.any([signal, this.#controller.signal]);
  }

  allow(milliseconds: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`${what} for ${milliseconds / 1000} s`)),
      milliseconds,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function request(options: DownloadOptions, have: number, watchdog: Watchdog): Promise<Response> {
  const { url, connectTimeoutMs = 10_000 } = options;
  watchdog.allow(connectTimeoutMs, 'no response');
  let response: Response;
  try {
    response = await fetch(url, { signal: watchdog.signal, headers: have > 0 ? { range: `bytes=${have}-` } : {} });
  } catch (error) {
    throwIfAborted(options.signal);
    throw new DownloadError(`${url} cannot be reached: ${reasonOf(error)}`, { reached: false, cause: error });
  }
  if (response.status === 200 || response.status === 206 || response.status === 416) return response;
  await response.body?.cancel();
  throw new DownloadError(`${url} responded with ${response.status} ${response.statusText}`, { reached: false });
}

/** Appends the response to the .part file, or overwrites the file when the server does not support ranges. */
async function receive(options: DownloadOptions, response: Response, have: number, watchdog: Watchdog): Promise<void> {
  const { url, file, onProgress, stallTimeoutMs = 60_000 } = options;
  const resumed =
    response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`) === true;
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  let received = resumed ? have : 0;
  const total = Number.isFinite(length) ? received + length : undefined;
  const path = `${file}.part`;
  const part: FileHandle = await onDisk('write the download', path, () =>
    change('create', path, () => open(path, resumed ? 'a' : 'w')),
  ).catch(async (error: unknown) => {
    await response.body?.cancel();
    throw error;
  });
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      watchdog.allow(stallTimeoutMs, 'no more data');
      await onDisk('write the download', path, () => change('write', path, () => part.writeFile(chunk)));
      received += chunk.byteLength;
      onProgress?.(received, total);
    }
  } catch (error) {
    throwIfAborted(options.signal);
    if (error instanceof CovidCtError) throw error;
    throw new DownloadError(
      `${url} broke off after ${received} of ${total ?? 'unknown'} bytes ` +
        `(${reasonOf(error)}); run again to resume`,
      { reached: true, cause: error },
    );
  } finally {
    await part.close();
  }
}

async function fetchRest(options: DownloadOptions): Promise<void> {
  const part = `${options.file}.part`;
  const watchdog = new Watchdog(options.signal);
  try {
    const have = sizeOf(part);
    const response = await request(options, have, watchdog);
    if (response.status !== 416) return await receive(options, response, have, watchdog);
    // 416: there is no byte after those on disk, so the .part file is complete or belongs to another file.
    await response.body?.cancel();
    if (!(await sha256Of(part)).startsWith(options.sha256)) {
      await removePart(part);
      await receive(options, await request(options, 0, watchdog), 0, watchdog);
    }
  } finally {
    watchdog.stop();
  }
}

/**
 * Downloads a file, resuming from a `<file>.part` that an earlier run left, and renames it into place once its
 * checksum matches.
 *
 * @param options see {@link DownloadOptions}
 * @throws DownloadError (ERR_DOWNLOAD) when the server cannot be reached or refuses (`reached` false), when the
 *   connection breaks (the part stays), or when the checksum is wrong (the part is removed)
 * @throws CovidCtError ERR_DOWNLOAD with the reason and advice when the file cannot be written; the part stays
 * @throws AbortedError when `signal` fires; the part stays
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, file, sha256, retries = 3 } = options;
  const part = `${file}.part`;
  await onDisk('make the folder', dirname(file), () => makeFolder(dirname(file)));
  if (existsSync(file) && (await sha256Of(file)).startsWith(sha256)) return;
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(options.signal);
    const before = sizeOf(part);
    try {
      await fetchRest(options);
      break;
    } catch (error) {
      const broke = error instanceof DownloadError && error.reached && sizeOf(part) > before;
      if (error instanceof AbortedError || !broke || attempt >= retries) throw error;
    }
  }
  const actual = await sha256Of(part);
  if (!actual.startsWith(sha256)) {
    await removePart(part);
    throw new DownloadError(
      `${url} does not match its checksum: expected sha256 ${sha256}, got ${actual}; the file was removed, run again`,
      { reached: true },
    );
  }
  await putInPlace(part, file);
}

/** Hashes a large file on a thread of its own, so that it neither holds the event loop up nor waits for it. */
import { Worker } from 'node:worker_threads';
import { AbortedError } from '../errors';

/** Hash and size of a file. */
export interface Content {
  /** SHA-256 of all bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * The program of the thread, as text, so that a bundle needs no further file. One block is read while the one before it
 * is hashed.
 */
const PROGRAM = `
const { createHash } = require('node:crypto');
const { open } = require('node:fs/promises');
const { parentPort, workerData } = require('node:worker_threads');

async function main() {
  const file = await open(workerData, 'r');
  const hash = createHash('sha256');
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(4 * 1024 ** 2));
  const read = (turn) => file.read(buffers[turn % 2], 0, buffers[0].length, null);
  let bytes = 0;
  let next = read(0);
  for (let turn = 1; ; turn += 1) {
    const { bytesRead } = await next;
    if (bytesRead === 0) break;
    next = read(turn);
    hash.update(buffers[(turn - 1) % 2].subarray(0, bytesRead));
    bytes += bytesRead;
  }
  await file.close();
  parentPort.postMessage({ sha256: hash.digest('hex'), bytes });
}

main().catch(({ message, code, syscall, path }) => parentPort.postMessage({ message, code, syscall, path }));
`;

type Message = Content | { readonly message: string; readonly code?: string };

/**
 * @throws the file system's own error; AbortedError; the system's error where no thread can be had
 */
export async function hashOnThread(path: string, signal?: AbortSignal): Promise<Content> {
  const worker = new Worker(PROGRAM, { eval: true, workerData: path, execArgv: [], env: {} });
  const onAbort = (): void => void worker.terminate();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise<Content>((resolve, reject) => {
      worker.once('message', (message: Message) => {
        if ('sha256' in message) resolve(message);
        else reject(Object.assign(new Error(message.message), message));
      });
      worker.once('error', reject);
      worker.once('exit', () => reject(new AbortedError()));
      if (signal?.aborted === true) onAbort();
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

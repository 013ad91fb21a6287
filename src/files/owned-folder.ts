/** A folder that this process holds: shows signs of life, notices a loss, and lets go, also at the process's end. */
import { readFileSync, rmSync } from 'node:fs';
import type { Owner } from '../errors';
import { withLock } from './lock';
import { lookAtOwner, ownerFile, ownerMutex, ownershipLost, removeOwner, touchOwner } from './owner-file';
import { OWNER_TIMES } from './owner-times';

/** A folder that is held; see `ownFolder`. */
export interface OwnedFolder {
  /** Fires when the ownership is lost: the file was removed, or taken over while this process stood still. */
  readonly signal: AbortSignal;
  /** The dead owner it was taken over from, or null. */
  readonly takenOverFrom: Owner | null;
  /** Looks now; throws CovidCtError ERR_LOCK when it is lost. To be awaited before every commit. */
  assertHeld(): Promise<void>;
  /** Lets go of it, once; another one's file is left alone. Throws CovidCtError ERR_LOCK where it cannot. */
  release(): Promise<void>;
}

/** Of this thread. */
const held = new Set<HeldFolder>();

/** Tokens of this thread that mean nothing any more, although their file could not be removed. */
const abandoned = new Set<string>();

/** Whether a folder was let go of whose file still says otherwise, since its disk had failed. */
export function wasAbandoned(token: string): boolean {
  return abandoned.has(token);
}

/** Lets `remove` take away the file of a token for good; where that fails, whoever comes next may take the folder. */
export async function abandon(token: string, remove: () => Promise<void>): Promise<void> {
  abandoned.add(token);
  await remove();
  abandoned.delete(token);
}

function removeAll(): void {
  for (const folder of held) folder.removeNow();
}

/** Removes the owner's file when the process ends without a release. The listener is there only while it is needed. */
function noteHeld(folder: HeldFolder, isHeld: boolean): void {
  if (isHeld) held.add(folder);
  else held.delete(folder);
  process.off('exit', removeAll);
  if (held.size > 0) process.on('exit', removeAll);
}

/** A folder whose file bears a token of ours. */
export class HeldFolder implements OwnedFolder {
  readonly #folder: string;
  readonly #token: string;
  readonly #lost = new AbortController();
  readonly takenOverFrom: Owner | null;
  #timer: NodeJS.Timeout | undefined;
  #released: Promise<void> | null = null;

  /** @param folder absolute, so that a change of the working directory changes nothing */
  constructor(folder: string, token: string, takenOverFrom: Owner | null) {
    this.#folder = folder;
    this.#token = token;
    this.takenOverFrom = takenOverFrom;
    noteHeld(this, true);
    this.#schedule();
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  async assertHeld(): Promise<void> {
    if (this.#released !== null) throw ownershipLost(this.#folder, 'it was let go of');
    await this.#look();
    this.#lost.signal.throwIfAborted();
  }

  async release(): Promise<void> {
    return await (this.#released ??= this.#letGo());
  }

  /** Removes the file if it is ours, without waiting for anybody: the process is about to end. */
  removeNow(): void {
    const path = ownerFile(this.#folder);
    try {
      const { token } = JSON.parse(readFileSync(path, 'utf8')) as { token?: unknown };
      if (token === this.#token) rmSync(path);
    } catch {
      // Nobody is left to be told, and the next one sees that this process is gone.
    }
  }

  /** The timer keeps no process alive. */
  #schedule(): void {
    if (this.#released !== null || this.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#beat(), OWNER_TIMES.beat).unref();
  }

  async #beat(): Promise<void> {
    try {
      await this.#look();
      if (!this.signal.aborted) await touchOwner(this.#folder);
    } catch {
      // A drive that is gone for a moment loses nothing yet; whoever commits something looks for itself.
    }
    this.#schedule();
  }

  /** Notices a loss. Throws where nothing can be seen. */
  async #look(): Promise<void> {
    const sight = await lookAtOwner(this.#folder);
    if (sight?.claim?.token === this.#token || this.#released !== null || this.signal.aborted) return;
    const { pid, host } = sight?.owner ?? { pid: 0, host: '' };
    const why =
      sight === null
        ? 'its owner.lock was removed'
        : sight.claim === null
          ? 'its owner.lock was overwritten'
          : `process ${pid} on ${host} has taken it over`;
    this.#end();
    this.#lost.abort(ownershipLost(this.#folder, why));
  }

  #end(): void {
    clearTimeout(this.#timer);
    noteHeld(this, false);
  }

  async #letGo(): Promise<void> {
    clearTimeout(this.#timer);
    const remove = async (): Promise<void> => {
      // Looked at before the mutex is taken, which would make a folder that was removed meanwhile.
      const isOurs = !this.signal.aborted && (await lookAtOwner(this.#folder))?.claim?.token === this.#token;
      if (isOurs) await withLock(ownerMutex(this.#folder), () => removeOwner(this.#folder, this.#token));
    };
    try {
      await abandon(this.#token, remove);
    } finally {
      this.#end();
    }
  }
}

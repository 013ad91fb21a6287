/**
 * A disk that fails at its n-th change, in every way in which disks do, put under the library by its own hook. What is
 * flushed is counted as flushed but not waited for, so that thousands of failures take minutes.
 */
import { cp, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { interceptChanges } from '../../src/files/operations';
import type { FileChange } from '../../src/files/operations';

/**
 * - `EIO`, `EMFILE`: one change fails.
 * - `ENOSPC`: from then on nothing can be created or grow; `EROFS`: from then on nothing changes.
 * - `short`: one write gets half of its bytes to the disk and fails.
 * - `stop`: from then on nothing happens, as after a kill.
 * - `cut ...`: the same by a power cut, with the loss of what was not flushed: the `content` of files, whole or `half`
 *   of it, while all names are as they were last; the `names` too; or the names in another `order`, the last one kept
 *   alone.
 */
export const FAULTS = [
  'EIO',
  'EMFILE',
  'ENOSPC',
  'EROFS',
  'short',
  'stop',
  'cut content',
  'cut half',
  'cut names',
  'cut order',
] as const;
export type Fault = (typeof FAULTS)[number];

/** What all changes reject with after a stop; nobody would be left to see it. */
export class Stopped extends Error {}

/** A change of a name that a power cut may take back. */
interface Pending extends FileChange {
  /** Copy of what was replaced or removed; null where nothing was. */
  readonly before: string | null;
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;
const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: 0 }))).size;
const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}${sep}`);

function systemError(code: string, { operation, path }: FileChange): Error {
  return Object.assign(new Error(`${code}: made up, ${operation} '${path}'`), { code, syscall: operation, path });
}

export class FailingDisk {
  readonly #fault: Fault | null;
  readonly #at: number;
  readonly #copies: string;
  #count = 0;
  #isReached = false;
  #isStopped = false;
  #running = new Set<Promise<unknown>>();
  #pending: Pending[] = [];
  /** Bytes of each written file that are safe. */
  #safe = new Map<string, number>();
  #written = new Set<string>();

  /**
   * @param fault null: it never fails
   * @param at number of the change, from 0
   * @param copies a folder for what a power cut brings back
   */
  constructor(fault: Fault | null, at: number, copies: string) {
    this.#fault = fault;
    this.#at = at;
    this.#copies = copies;
  }

  /** Changes that were asked for. */
  get count(): number {
    return this.#count;
  }

  /** Whether there was a change that the fault could hit. */
  get isReached(): boolean {
    return this.#isReached;
  }

  /** Runs `work` over this disk. Returns what it failed with, null for success; after a stop, always null. */
  async run(work: () => Promise<unknown>): Promise<unknown> {
    const before = interceptChanges(async (change, run) => await this.#change(change, run));
    try {
      const error: unknown = await work().then(
        () => null,
        (failure: unknown) => failure,
      );
      while (this.#running.size > 0) await Promise.allSettled(this.#running);
      if (this.#isStopped) await this.#cut();
      return this.#isStopped ? null : error;
    } finally {
      interceptChanges(before);
    }
  }

  async #change<T>(change: FileChange, run: () => Promise<T>): Promise<T> {
    const n = this.#count;
    this.#count += 1;
    if (this.#isStopped) throw new Stopped('stopped');
    const error = n < this.#at ? null : await this.#failure(change, n === this.#at, run);
    if (error !== null) throw error;
    const done = this.#do(change, run);
    const settled = done.catch(() => undefined).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return await done;
  }

  async #failure(change: FileChange, isFirst: boolean, run: () => Promise<unknown>): Promise<Error | null> {
    const { operation, path } = change;
    const hit = (error: Error): Error => {
      this.#isReached = true;
      return error;
    };
    switch (this.#fault) {
      case null:
        return null;
      case 'EIO':
        return isFirst ? hit(systemError('EIO', change)) : null;
      case 'EMFILE':
        return isFirst && /create|syncFolder/.test(operation) ? hit(systemError('EMFILE', change)) : null;
      case 'ENOSPC':
        return /makeFolder|create|write|rename/.test(operation) ? hit(systemError('ENOSPC', change)) : null;
      case 'EROFS':
        return hit(systemError('EROFS', change));
      case 'short': {
        if (!isFirst || operation !== 'write') return null;
        const before = await sizeOf(path);
        await run();
        const after = await sizeOf(path);
        if (after > before) await truncate(path, Math.floor((before + after) / 2));
        return hit(systemError('ENOSPC', change));
      }
      default:
        this.#isStopped = true;
        return hit(new Stopped('stopped'));
    }
  }

  async #do<T>(change: FileChange, run: () => Promise<T>): Promise<T> {
    const { operation, path, to } = change;
    if (operation === 'sync') {
      this.#safe.set(path, await sizeOf(path));
      return undefined as T;
    }
    if (operation === 'syncFolder') {
      this.#pending = this.#pending.filter((each) => dirname(each.to ?? each.path) !== path);
      return undefined as T;
    }
    if (operation === 'write') {
      this.#written.add(path);
      // What lay there before is safe.
      if (!this.#safe.has(path)) this.#safe.set(path, await sizeOf(path));
    }
    const target = to ?? path;
    const isNew = !(await isThere(target));
    const isCut = this.#fault?.startsWith('cut') === true;
    let before: string | null = null;
    if (isCut && !isNew && (operation === 'rename' || operation === 'remove')) {
      before = join(this.#copies, String(this.#count));
      await cp(target, before, { recursive: true, preserveTimestamps: true });
    }
    const result = await run();
    if (operation === 'rename') this.#moved(path, target);
    if (operation === 'rename' || (operation === 'remove' && !isNew) || (isNew && /create|makeFolder/.test(operation)))
      this.#pending.push({ ...change, before });
    if (operation === 'create') this.#safe.set(path, await sizeOf(path));
    return result;
  }

  #moved(from: string, to: string): void {
    const moved = (path: string): string => (isWithin(path, from) ? to + path.slice(from.length) : path);
    this.#safe = new Map([...this.#safe].map(([path, size]) => [moved(path), size]));
    this.#written = new Set([...this.#written].map(moved));
  }

  /** Takes from the disk what was not flushed. */
  async #cut(): Promise<void> {
    if (!this.#fault!.startsWith('cut')) return;
    for (const path of this.#written) {
      const [safe, now] = [this.#safe.get(path) ?? 0, await sizeOf(path)];
      if (now > safe) await truncate(path, this.#fault === 'cut half' ? Math.ceil((safe + now) / 2) : safe);
    }
    if (this.#fault === 'cut names') await this.#takeBack(this.#pending);
    const last = this.#pending.at(-1);
    if (this.#fault !== 'cut order' || last === undefined) return;
    const needed = [last.path, last.to ?? last.path];
    const touches = (path: string): boolean => needed.some((each) => isWithin(each, path) || isWithin(path, each));
    await this.#takeBack(this.#pending.filter(({ path, to }) => !touches(path) && !touches(to ?? path)));
  }

  async #takeBack(pending: readonly Pending[]): Promise<void> {
    for (const { operation, path, to, before } of pending.toReversed()) {
      if (operation === 'rename') await rename(to!, path);
      else if (operation !== 'remove') await rm(path, { recursive: true, force: true });
      if (before !== null && !(await isThere(to ?? path)) && (await isThere(dirname(to ?? path))))
        await cp(before, to ?? path, { recursive: true, preserveTimestamps: true });
    }
  }
}

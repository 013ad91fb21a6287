/** A temporary folder of this process, removed when the process exits. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError } from './write';

/** Folders that have not been removed yet. */
const leftovers = new Set<string>();
let watching = false;

function removeAtExit(folder: string): void {
  leftovers.add(folder);
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const each of leftovers) rmSync(each, { recursive: true, force: true });
  });
}

/** A temporary folder that is created on first use. */
export class TemporaryFolder {
  readonly #prefix: string;
  #path: string | null = null;

  /** @param prefix prefix of the folder's name */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Returns the path. Throws CovidCtError ERR_RUN_FOLDER when the folder cannot be created. */
  async path(): Promise<string> {
    if (this.#path !== null) return this.#path;
    this.#path = await mkdtemp(join(tmpdir(), this.#prefix)).catch((error: unknown) => {
      throw fileError('make a temporary folder', tmpdir(), error);
    });
    removeAtExit(this.#path);
    return this.#path;
  }

  /** Removes the folder with its content; the next `path()` creates a new one. */
  async remove(): Promise<void> {
    const path = this.#path;
    if (path === null) return;
    this.#path = null;
    await rm(path, { recursive: true, force: true });
    leftovers.delete(path);
  }
}

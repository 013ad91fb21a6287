/** A folder for files of this process alone, which are gone when it ends. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError } from './write';

/** Folders that nobody has removed yet. */
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

/** A temporary folder that is made when it is first asked for. */
export class TemporaryFolder {
  readonly #prefix: string;
  #path: string | null = null;

  /** @param prefix of its name */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Throws CovidCtError ERR_RUN_FOLDER where it cannot be made. */
  async path(): Promise<string> {
    if (this.#path !== null) return this.#path;
    this.#path = await mkdtemp(join(tmpdir(), this.#prefix)).catch((error: unknown) => {
      throw fileError('make a temporary folder', tmpdir(), error);
    });
    removeAtExit(this.#path);
    return this.#path;
  }

  /** Removes it with all that is in it; it may be made again. */
  async remove(): Promise<void> {
    const path = this.#path;
    if (path === null) return;
    this.#path = null;
    await rm(path, { recursive: true, force: true });
    leftovers.delete(path);
  }
}

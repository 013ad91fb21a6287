/** Looks for run folders below a folder. */
import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, throwIfAborted } from '../errors';
import { readJsonIfThere } from '../files/json';
import { fileError } from '../files/write';
import { runMarkSchema } from '../train/run-schema';
import type { RunProblem } from './types';

/** Folders in which nobody keeps runs and that may have a hundred thousand others in them. */
const PASSED_OVER = /^(\..*|node_modules)$/;

const CONFIG = { code: 'ERR_RUN_FOLDER', what: 'the configuration of a run' } as const;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** Names the same file or folder by whatever path it was reached. */
const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

/** A problem in words that name the path once. */
export function problemOf(path: string, error: unknown): RunProblem {
  const message = messageOf(error);
  return { path, message: message.startsWith(path) ? message : `${path}: ${message}` };
}

/** A walk over folders, each of which is entered once. */
class Walk {
  readonly dirs: string[] = [];
  readonly problems: RunProblem[] = [];
  readonly #seen = new Set<string>();
  /** Looked at when everything else has been: a run is listed by its own name rather than that of a link to it. */
  readonly #links: string[] = [];
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  async from(root: string): Promise<void> {
    const failed = (error: unknown): never => {
      throw fileError('read it', root, error);
    };
    await this.#enter(
      root,
      await stat(root, { bigint: true }).catch(failed),
      await readdir(root, { withFileTypes: true }).catch(failed),
    );
    for (const link of this.#links) {
      const info = await stat(link, { bigint: true }).catch((error: unknown) => this.#note(link, error));
      if (info?.isDirectory() === true) await this.#look(link, info);
    }
  }

  /** What has vanished meanwhile, or is a link that leads nowhere, is no folder; anything else is told. */
  #note(path: string, error: unknown): null {
    if (codeOf(error) !== 'ENOENT') this.problems.push(problemOf(path, error));
    return null;
  }

  /** Whether the folder's `config.json` is that of a run; one of another program is passed over. */
  async #isRun(dir: string): Promise<boolean> {
    const file = join(dir, 'config.json');
    try {
      return runMarkSchema.safeParse(await readJsonIfThere(file, z.unknown(), CONFIG)).success;
    } catch (error) {
      this.problems.push(problemOf(file, error));
      return false;
    }
  }

  async #look(dir: string, info: BigIntStats): Promise<void> {
    const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => this.#note(dir, error));
    if (entries !== null) await this.#enter(dir, info, entries);
  }

  async #enter(dir: string, info: BigIntStats, entries: readonly Dirent[]): Promise<void> {
    throwIfAborted(this.#signal);
    if (this.#seen.has(identityOf(info))) return;
    this.#seen.add(identityOf(info));
    if (entries.some(({ name }) => name === 'config.json') && (await this.#isRun(dir))) {
      this.dirs.push(dir);
      return;
    }
    for (const entry of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      if (PASSED_OVER.test(entry.name)) continue;
      if (entry.isSymbolicLink()) this.#links.push(path);
      else if (entry.isDirectory()) {
        const inside = await lstat(path, { bigint: true }).catch((error: unknown) => this.#note(path, error));
        if (inside !== null) await this.#look(path, inside);
      }
    }
  }
}

/**
 * Finds every run below a folder, itself included. Runs are not looked into, nor are hidden folders and `node_modules`.
 * Links to folders are followed, to each folder once.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when the folder itself cannot be read; AbortedError
 */
export async function findRuns(
  root: string,
  signal?: AbortSignal,
): Promise<{ readonly dirs: readonly string[]; readonly problems: readonly RunProblem[] }> {
  const walk = new Walk(signal);
  await walk.from(root);
  return { dirs: walk.dirs, problems: walk.problems };
}

/** What lies in a folder, added up. */
export interface Weighed {
  /** Of all files; one of two names counts once. */
  readonly bytes: number;
  /** The newest change of a file, in milliseconds since 1970; 0 where there is none. */
  readonly changed: number;
}

/** Adds up the files of a folder; links are not followed. What vanishes meanwhile does not count. */
export async function weigh(dir: string, problems: RunProblem[]): Promise<Weighed> {
  const note = (path: string, error: unknown): void => {
    if (codeOf(error) !== 'ENOENT') problems.push(problemOf(path, error));
  };
  const seen = new Set<string>();
  let [bytes, changed] = [0, 0];
  const add = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries) {
      const path = join(folder, entry.name);
      try {
        if (entry.isDirectory()) {
          await add(path);
          continue;
        }
        const info = await lstat(path, { bigint: true });
        changed = Math.max(changed, Number(info.mtimeMs));
        if (!seen.has(identityOf(info))) bytes += Number(info.size);
        seen.add(identityOf(info));
      } catch (error) {
        note(path, error);
      }
    }
  };
  await add(dir).catch((error: unknown) => note(dir, error));
  return { bytes, changed };
}

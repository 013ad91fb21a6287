/** The one folder in which a training keeps everything it makes: where each thing lies, and how it is written and read. */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CovidCtError, messageOf } from '../errors';
import type { Evaluation } from '../metrics/types';
import { readCard } from '../model/card';
import type { ModelCard } from '../model/types';
import type { Convolution, Precision } from '../options/model';
import { fileError, writeWhole } from '../files/write';
import { parseHistory } from './history';
import type { StoredHistory } from './history';

/** What marks a folder as a run; the first thing written into it. */
const RUN_FORMAT = 'covidct-torch/run';

/** Everything a run may hold. Overwriting removes these and nothing else. */
const CONTENTS = ['config.json', 'history.jsonl', 'weights', 'model.json', 'tensorboard', 'metrics.json', 'pictures', 'report.html'];

/** `config.json`: the options the run was made with and what it was trained on. */
export interface RunConfig {
  readonly format: typeof RUN_FORMAT;
  readonly formatVersion: 1;
  readonly created: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly model: { readonly architecture: string; readonly classes: readonly string[]; readonly device: string; readonly dropout: number | null; /** absent in older runs: float32 */ readonly precision?: Precision | null; readonly convolution?: Convolution | null; /** where the weights it began with came from */ readonly startedFrom: string | null };
  readonly data: { readonly train: DataSummary; readonly validation: DataSummary | null };
  readonly versions: Readonly<Record<string, string>>;
}

/** How many samples of each class a split has. */
export interface DataSummary {
  readonly name: string;
  readonly samples: number;
  readonly classes: Readonly<Record<string, number>>;
  /** SHA-256 over ids and labels; see datasetFingerprint. */
  readonly fingerprint: string;
}

/** A run folder; make it with {@link RunFolder.create} or {@link RunFolder.open}. */
export class RunFolder {
  /** Absolute. */
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /**
   * Makes the folder, empty but for what loggers may have put into `tensorboard/`.
   *
   * @param options `overwrite`: whether an earlier run in this place is removed first (default false)
   * @throws CovidCtError ERR_RUN_FOLDER when something else lies there, or an earlier run and `overwrite` is false
   */
  static async create(dir: string, options: { readonly overwrite?: boolean } = {}): Promise<RunFolder> {
    const folder = new RunFolder(resolve(dir));
    const entries = await folder.#entries();
    if (entries.some((name) => name !== 'tensorboard')) {
      if (!(await folder.#isRun())) {
        throw new CovidCtError('ERR_RUN_FOLDER', `${folder.dir}: expected an empty or new folder for the run; it holds ${entries.slice(0, 3).join(', ')} and is not a run; choose another folder`);
      }
      if (options.overwrite !== true) {
        throw new CovidCtError('ERR_RUN_FOLDER', `${folder.dir}: there is a run in this folder already; choose another folder, or ask for it to be overwritten (overwrite: true, --overwrite)`);
      }
      for (const name of CONTENTS) await rm(join(folder.dir, name), { recursive: true, force: true }).catch((error: unknown) => { throw fileError('remove the earlier run', folder.dir, error); });
    }
    await mkdir(folder.file('weights'), { recursive: true }).catch((error: unknown) => { throw fileError('make the folder', folder.dir, error); });
    return folder;
  }

  /**
   * Opens the folder of an earlier run.
   *
   * @throws CovidCtError ERR_RUN_FOLDER when it is not one
   */
  static async open(dir: string): Promise<RunFolder> {
    const folder = new RunFolder(resolve(dir));
    if (await folder.#isRun()) return folder;
    throw new CovidCtError('ERR_RUN_FOLDER', `${folder.dir}: expected the folder of a run (with a config.json written by covidct train); ${(await folder.#entries()).length === 0 ? 'it is empty or does not exist' : 'it is something else'}`);
  }

  /** Absolute path of something inside, by its parts. */
  file(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  get bestWeights(): string {
    return this.file('weights', 'best.safetensors');
  }

  get lastWeights(): string {
    return this.file('weights', 'last.safetensors');
  }

  /** Writes one file whole. Throws CovidCtError ERR_RUN_FOLDER. */
  async write(name: string, data: string | Uint8Array): Promise<void> {
    await writeWhole(this.file(name), data);
  }

  async writeConfig(config: Omit<RunConfig, 'format' | 'formatVersion' | 'created'>): Promise<void> {
    await this.#writeJson('config.json', { format: RUN_FORMAT, formatVersion: 1, created: new Date().toISOString(), ...config });
  }

  async config(): Promise<RunConfig> {
    return (await this.#readJson('config.json')) as RunConfig;
  }

  /** The card of the kept weights; null where the training failed before any were kept. */
  async card(): Promise<ModelCard | null> {
    return (await this.#readJson('model.json', null)) === null ? null : (await readCard(this.dir)).card;
  }

  /** Adds the figures of one split to `metrics.json`; those of other splits stay. */
  async writeMetrics(evaluation: Evaluation): Promise<void> {
    await this.#writeJson('metrics.json', { ...(await this.metrics()), [evaluation.split]: evaluation });
  }

  /** Figures by split; empty before the first evaluation. */
  async metrics(): Promise<Readonly<Record<string, Evaluation>>> {
    return ((await this.#readJson('metrics.json', {})) ?? {}) as Record<string, Evaluation>;
  }

  /** Epochs and decisions of the training; empty where it failed before the first. */
  async history(): Promise<StoredHistory> {
    const file = this.file('history.jsonl');
    return parseHistory(await readFile(file, 'utf8').catch((error: unknown) => orMissing(error, file, '')), file);
  }

  async #isRun(): Promise<boolean> {
    const config = await this.#readJson('config.json', null).catch(() => null);
    return (config as { format?: unknown } | null)?.format === RUN_FORMAT;
  }

  async #entries(): Promise<string[]> {
    return await readdir(this.dir).catch((error: unknown) => orMissing(error, this.dir, []));
  }

  async #writeJson(name: string, value: unknown): Promise<void> {
    await this.write(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  async #readJson(name: string, ifMissing?: unknown): Promise<unknown> {
    const file = this.file(name);
    const text = await readFile(file, 'utf8').catch((error: unknown) => (ifMissing === undefined ? orFail(error, file) : orMissing(error, file, null)));
    if (text === null) return ifMissing;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new CovidCtError('ERR_RUN_FOLDER', `${file}: expected JSON; ${messageOf(error)}`, { cause: error });
    }
  }
}

function orFail(error: unknown, path: string): never {
  throw fileError('read it', path, error);
}

function orMissing<T>(error: unknown, path: string, value: T): T {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
  return orFail(error, path);
}

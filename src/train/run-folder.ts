/**
 * The one folder in which a training keeps everything it makes: where each thing lies, and how it is written and read.
 */
import { readdir } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { z } from 'zod';
import { describeValue } from '../text/describe';
import { CovidCtError, InvalidOptionError, messageOf } from '../errors';
import { readJson, readJsonIfThere, readTextIfThere } from '../files/json';
import type { JsonAbout } from '../files/json';
import type { Evaluation } from '../metrics/types';
import { readCard, weightsOfCard } from '../model/card';
import type { ModelCard } from '../model/card';
import { bytesSchema, pathSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { evaluationSchema } from '../metrics/evaluation-schema';
import { imageShape } from '../data/images/options';
import type { ImageOptions } from '../data/images/options';
import {
  createRunSchema,
  RUN_FORMAT,
  runConfigSchema,
  runFactsSchema,
  runMarkSchema,
  runMetricsSchema,
} from './run-schema';
import type { RunConfig } from './run-schema';
import { withLock } from '../files/lock';
import { ownFolder } from '../files/owner';
import { fileError, makeFolder, removeWhole, writeWhole } from '../files/write';
import { parseHistory } from './history';
import { isFree, removeRun, removeUnfinished } from './leftovers';
import type { StoredHistory } from './history';

const CONFIG: JsonAbout = { code: 'ERR_RUN_FOLDER', what: 'the configuration of a run' };
const METRICS: JsonAbout = {
  code: 'ERR_RUN_FOLDER',
  what: 'the metrics of a run by split',
  maxBytes: 500 * 1024 ** 2,
  advice: 'remove the file and evaluate again',
};
const HISTORY: JsonAbout = { code: 'ERR_RUN_FOLDER', what: 'the history of a run', maxBytes: 500 * 1024 ** 2 };
const writeSchema = z.strictObject({ durable: z.boolean().default(true) });
const whichSchema = z.enum(['best', 'last']);
const dataSchema = z.union([z.string(), bytesSchema('expected bytes')], 'expected a text or bytes');

/**
 * A run folder; make it with {@link RunFolder.create} or {@link RunFolder.open}.
 *
 * @example
 * ```ts
 * import { RunFolder } from 'covidct-torch';
 *
 * const run = await RunFolder.open('runs/first');
 * const { epochs } = await run.history();
 * console.log(epochs.length, (await run.config()).created, await run.weightsFile('best'));
 * ```
 */
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
   * @throws CovidCtError ERR_RUN_FOLDER when something else lies there, or an earlier run and `overwrite` is false;
   *   RunBusyError while a training owns it
   */
  static async create(dir: string, options: { readonly overwrite?: boolean } = {}): Promise<RunFolder> {
    const { overwrite } = checkOptions(createRunSchema, options, 'RunFolder.create');
    checkArgument(pathSchema, dir, 'RunFolder.create', 'dir');
    await assertRunFolderFree(dir, overwrite);
    const owned = await ownFolder(dir, 'RunFolder.create');
    try {
      return await RunFolder.createOwned(dir, overwrite);
    } finally {
      await owned.release();
    }
  }

  /** The same for whoever owns the folder already. @internal */
  static async createOwned(dir: string, overwrite: boolean): Promise<RunFolder> {
    const folder = new RunFolder(resolve(checkArgument(pathSchema, dir, 'RunFolder.createOwned', 'dir')));
    const isRun = await holdsReplaceableRun(folder.dir, overwrite);
    // Of a training that was killed before it became a run nothing is kept; what loggers have put there stays.
    if (isRun) await removeRun(folder.dir);
    else for (const name of ['weights', 'checkpoints', 'config.json.replaced']) await removeWhole(folder.file(name));
    await removeUnfinished(folder.dir);
    await makeFolder(folder.file('weights')).catch((error: unknown) => {
      throw fileError('make the folder', folder.dir, error);
    });
    return folder;
  }

  /**
   * Opens the folder of an earlier run.
   *
   * @throws CovidCtError ERR_RUN_FOLDER when it is not one
   */
  static async open(dir: string): Promise<RunFolder> {
    const folder = new RunFolder(resolve(checkArgument(pathSchema, dir, 'RunFolder.open', 'dir')));
    if ((await readJsonIfThere(folder.file('config.json'), runMarkSchema, CONFIG)) !== null) return folder;
    const what = await readdir(folder.dir).then(
      (entries) => (entries.length === 0 ? 'it is empty' : 'it is something else'),
      messageOf,
    );
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${folder.dir}: expected the folder of a run (with a config.json written by covidct train); ${what}`,
    );
  }

  /** Absolute path of something inside, by its parts. */
  file(...parts: string[]): string {
    const path = join(this.dir, ...parts.map((part) => checkArgument(pathSchema, part, 'RunFolder.file', 'parts')));
    if (path !== this.dir && !path.startsWith(`${this.dir}${sep}`))
      throw new InvalidOptionError(
        `RunFolder.file: parts: expected a place inside the run folder; got ${describeValue(parts.join('/'))}`,
        [{ path: 'parts', message: 'outside the run folder' }],
      );
    return path;
  }

  /**
   * Absolute path of the best or the last weights, as the card names them now; a running training may replace them.
   *
   * @throws CovidCtError ERR_MODEL where no weights are kept yet, ERR_WEIGHTS where the last were not kept
   */
  async weightsFile(which: 'best' | 'last' = 'best'): Promise<string> {
    const { card, dir } = await readCard(this.dir);
    return join(
      dir,
      weightsOfCard(dir, card, checkArgument(whichSchema, which, 'RunFolder.weightsFile', 'which')).weights,
    );
  }

  /**
   * Writes one file whole.
   *
   * @param options `durable`: whether it outlives a power cut (default true)
   * @throws CovidCtError ERR_RUN_FOLDER
   */
  async write(name: string, data: string | Uint8Array, options: { readonly durable?: boolean } = {}): Promise<void> {
    const { durable } = checkOptions(writeSchema, options, 'RunFolder.write');
    await writeWhole(this.file(name), checkArgument(dataSchema, data, 'RunFolder.write', 'data'), { durable });
  }

  /** @param config `created`: now where left out */
  async writeConfig(
    config: Omit<RunConfig, 'format' | 'formatVersion' | 'created'> & { readonly created?: string },
  ): Promise<void> {
    checkArgument(runFactsSchema, config, 'RunFolder.writeConfig', 'config');
    await this.#writeJson('config.json', {
      format: RUN_FORMAT,
      formatVersion: 1,
      created: new Date().toISOString(),
      ...config,
    });
  }

  async config(): Promise<RunConfig> {
    return readJson(this.file('config.json'), runConfigSchema, CONFIG);
  }

  /** How the training read its images; the defaults where the folder does not say. */
  async images(): Promise<ImageOptions> {
    const schema = z.object(imageShape);
    const stored = schema.safeParse((await this.config()).options);
    return stored.success ? stored.data : schema.parse({});
  }

  /** The card of the kept weights; null where the training failed before any were kept. */
  async card(): Promise<ModelCard | null> {
    return (await readTextIfThere(this.file('model.json'), {
      code: 'ERR_RUN_FOLDER',
      what: 'the card of the model',
    })) === null
      ? null
      : (await readCard(this.dir)).card;
  }

  /**
   * Adds the metrics of one split to `metrics.json`; those of other splits stay, also those that another process adds
   * at the same time.
   */
  async writeMetrics(evaluation: Evaluation): Promise<void> {
    checkArgument(evaluationSchema, evaluation, 'RunFolder.writeMetrics', 'evaluation');
    await withLock(this.file('.metrics'), async (held) => {
      const metrics = { ...(await this.metrics()), [evaluation.split]: evaluation };
      held.assertHeld();
      await this.#writeJson('metrics.json', metrics);
    });
  }

  /** Removes the metrics of all splits, or but for one: they are of other weights than the card's. @internal */
  async removeMetrics(except?: string): Promise<void> {
    checkArgument(z.string().optional(), except, 'RunFolder.removeMetrics', 'except');
    await withLock(this.file('.metrics'), async (held) => {
      const before = Object.entries(await this.metrics());
      const after = before.filter(([split]) => split === except);
      held.assertHeld();
      if (after.length < before.length) await this.#writeJson('metrics.json', Object.fromEntries(after));
    });
  }

  /** Metrics by split; empty before the first evaluation. */
  async metrics(): Promise<Readonly<Record<string, Evaluation>>> {
    return (await readJsonIfThere(this.file('metrics.json'), runMetricsSchema, METRICS)) ?? {};
  }

  /** Epochs and decisions of the training; empty where it failed before the first. */
  async history(): Promise<StoredHistory> {
    const file = this.file('history.jsonl');
    return parseHistory((await readTextIfThere(file, HISTORY)) ?? '', file);
  }

  /**
   * The first lines of `history.jsonl`, one event each. For the trainer.
   *
   * @internal
   * @throws CovidCtError ERR_RESUME where there are fewer
   */
  async historyLines(count: number): Promise<string[]> {
    checkArgument(z.int().min(0), count, 'RunFolder.historyLines', 'count');
    const file = this.file('history.jsonl');
    const lines = ((await readTextIfThere(file, HISTORY)) ?? '').split('\n').filter((line) => line !== '');
    if (lines.length < count)
      throw new CovidCtError(
        'ERR_RESUME',
        `${file}: expected the ${count} lines that the checkpoint counts; it has ${lines.length}`,
      );
    return lines.slice(0, count);
  }

  async #writeJson(name: string, value: unknown): Promise<void> {
    let text: string;
    try {
      text = JSON.stringify(value, null, 2);
    } catch (error) {
      throw new CovidCtError(
        'ERR_RUN_FOLDER',
        `${this.file(name)}: it cannot be written as JSON: ${messageOf(error)}`,
        { cause: error },
      );
    }
    await this.write(name, `${text}\n`);
  }
}

/**
 * Refuses a folder that cannot become the folder of a new run; nothing in it is touched.
 *
 * @param overwrite whether an earlier run there may be replaced
 * @throws CovidCtError ERR_RUN_FOLDER when something else lies there, or an earlier run that must not be replaced
 */
export async function assertRunFolderFree(dir: string, overwrite: boolean): Promise<void> {
  await holdsReplaceableRun(dir, overwrite);
}

/** Returns whether an earlier run lies there that is to be replaced; throws what {@link assertRunFolderFree} throws. */
async function holdsReplaceableRun(dir: string, overwrite: boolean): Promise<boolean> {
  const entries = await readdir(dir).catch((error: unknown): string[] => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fileError('read it', dir, error);
  });
  if (entries.includes('config.json')) await assertRun(dir, entries);
  else if (await isFree(dir, entries)) return entries.includes('config.json.replaced');
  else throw notARun(dir, entries);
  if (!overwrite)
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${dir}: there is a run in this folder already; go on with it (Trainer.resume, --resume), ` +
        'choose another folder (out, --out), or have it replaced (overwrite: true, --overwrite)',
    );
  return true;
}

function notARun(dir: string, entries: readonly string[]): CovidCtError {
  return new CovidCtError(
    'ERR_RUN_FOLDER',
    `${dir}: expected an empty or new folder for the run; it holds ${entries.slice(0, 3).join(', ')} ` +
      'and is not a run; choose another folder (out, --out)',
  );
}

async function assertRun(dir: string, entries: readonly string[]): Promise<void> {
  const mark = await readJsonIfThere(join(dir, 'config.json'), runMarkSchema, CONFIG).catch(() => null);
  if (mark === null) throw notARun(dir, entries);
}

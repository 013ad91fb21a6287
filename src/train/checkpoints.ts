/** Writes the checkpoints of a training, beside the steps that follow, and removes those that are no longer wanted. */
import { open, readdir } from 'node:fs/promises';
import { writeNamedByContent } from '../files/content';
import { fileError, removeWhole } from '../files/write';
import { change } from '../files/operations';
import type { Belongings } from '../model/belongings';
import type { Network } from '../model/types';
import { encodeHeader, toSystemError } from '../weights/safetensors';
import type { Averaging } from './averaging';
import {
  CHECKPOINT_EXTENSION,
  CHECKPOINT_KEY,
  checkpointNames,
  CHECKPOINTS,
  checkpointStem,
  readCheckpoint,
} from './checkpoint';
import type { CheckpointState } from './checkpoint';
import type { KeptWeights } from './kept-weights';
import type { LoopState } from './loop-state';
import type { ResolvedTrainOptions } from './options';
import type { Recorder } from './recorder';
import type { RunFolder } from './run-folder';

/** What checkpoints are made of. */
export interface CheckpointsOptions {
  readonly network: Network;
  readonly averaging: Averaging;
  readonly recorder: Recorder;
  readonly kept: () => KeptWeights;
  /** Null: no checkpoints are written. */
  readonly folder: RunFolder | null;
  readonly options: Pick<ResolvedTrainOptions, 'checkpointEvery' | 'keepCheckpoints'>;
  /** Belonged to the weights that the training began with. */
  readonly belongings: Belongings;
  /** Throws where the folder is no longer this training's. */
  readonly assertHeld: () => Promise<void>;
}

/** A checkpoint on the disk, with the weight files that its card names. */
interface Written {
  readonly name: string;
  readonly needs: readonly string[];
}

/** The checkpoints of one training. */
export class Checkpoints {
  readonly #of: CheckpointsOptions;
  #loop: (() => LoopState) | null = null;
  #written: Written[] = [];
  /** Of the one that is being written. */
  #underWay: readonly string[] = [];
  #writing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  #lastTime = performance.now();
  #updates = 0;

  constructor(of: CheckpointsOptions) {
    this.#of = of;
  }

  /** @param loop tells where the training is */
  follow(loop: () => LoopState): void {
    this.#loop = loop;
  }

  /** Weight files that the checkpoints on the disk name, relative to the run folder. */
  get needs(): readonly string[] {
    return [...this.#written.flatMap(({ needs }) => needs), ...this.#underWay];
  }

  /**
   * Takes in the checkpoints of an earlier process; what it has left unfinished is removed.
   *
   * @param latest file name of the latest one that is whole: later ones are damaged, and removed
   */
  async adopt(latest: string): Promise<void> {
    const { folder } = this.#of;
    if (folder === null) return;
    const names = await checkpointNames(folder.dir);
    const whole = names.slice(names.findIndex(({ name }) => name === latest));
    for (const each of whole) {
      // Not all bytes of all of them: they may be large, and nobody goes on from them now.
      const needs = await readCheckpoint(folder.dir, each, { verify: false }).then(
        ({ state }) => needsOf(state),
        () => null,
      );
      if (needs !== null) this.#written.unshift({ name: each.name, needs });
    }
    await this.#removeOthers(folder);
    // The process before may not have come to it.
    await this.#removeOld(folder);
  }

  /** Whether one is due within an epoch; to be asked after every optimizer step. */
  isDue(): boolean {
    const { folder, options } = this.#of;
    const { checkpointEvery: every, keepCheckpoints } = options;
    this.#updates += 1;
    if (folder === null || keepCheckpoints === 0 || every === 'epoch') return false;
    return 'minutes' in every
      ? performance.now() - this.#lastTime >= every.minutes * 60_000
      : this.#updates >= every.steps;
  }

  /**
   * Writes a checkpoint of the training as it is now. Resolves once the next step may begin: the file is finished
   * beside it, and what is being written is not changed before it is written.
   *
   * @throws the failure of the one before; CovidCtError ERR_RUN_FOLDER
   */
  async write(): Promise<void> {
    await this.settle();
    const { folder, options } = this.#of;
    if (folder === null || options.keepCheckpoints === 0 || this.#loop === null) return;
    this.#lastTime = performance.now();
    this.#updates = 0;
    const state = await this.#state(this.#loop());
    await this.#begin(folder, state);
  }

  /** Resolves when the checkpoint that is being written is in place. Throws its failure, once. */
  async settle(): Promise<void> {
    await this.#writing;
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }

  async #state(loop: LoopState): Promise<CheckpointState> {
    const { averaging, kept, recorder, belongings } = this.#of;
    return {
      format: 'covidct-torch/checkpoint',
      formatVersion: 1,
      created: new Date().toISOString(),
      loop,
      averaging: averaging.active,
      kept: kept().state(),
      recorder: await recorder.state(),
      belongings,
    };
  }

  /** Resolves once the tensors are being written. */
  async #begin(folder: RunFolder, state: CheckpointState): Promise<void> {
    const { network, assertHeld } = this.#of;
    const tensors = [...network.tensors, ...(await network.trainingState())];
    const header = encodeHeader(tensors, {
      architecture: network.architecture,
      [CHECKPOINT_KEY]: JSON.stringify(state),
    });
    const needs = (this.#underWay = needsOf(state));
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const write = async (temporary: string): Promise<void> => {
      const file = await change('create', temporary, () => open(temporary, 'w'));
      try {
        await change('write', temporary, async () => {
          await file.writeFile(header);
          await network.writeTensors(
            temporary,
            header.length,
            tensors.map(({ name }) => name),
            { background: true },
          );
          begin();
          await network.finishWrite();
        }).catch(toSystemError);
        await change('sync', temporary, () => file.sync());
      } finally {
        await file.close();
      }
      await assertHeld();
    };
    const place = { dir: folder.file(CHECKPOINTS), stem: checkpointStem(state.loop), extension: CHECKPOINT_EXTENSION };
    this.#writing = writeNamedByContent(place, write, { action: 'write a checkpoint' })
      .then(async ({ name }) => {
        this.#written = [...this.#written.filter((each) => each.name !== name), { name, needs }];
        await this.#removeOld(folder);
      })
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(begin);
    await begun;
  }

  async #removeOld(folder: RunFolder): Promise<void> {
    const old = this.#written.slice(0, -this.#of.options.keepCheckpoints);
    this.#written = this.#written.slice(old.length);
    this.#underWay = [];
    for (const { name } of old) await removeWhole(folder.file(CHECKPOINTS, name));
  }

  /** Removes what is no whole checkpoint: unfinished files of a process that was killed, and damaged ones. */
  async #removeOthers(folder: RunFolder): Promise<void> {
    const path = folder.file(CHECKPOINTS);
    const names = await readdir(path).catch((error: unknown) => {
      throw fileError('look into the folder', path, error);
    });
    const whole = new Set(this.#written.map(({ name }) => name));
    for (const name of names) if (!whole.has(name)) await removeWhole(folder.file(CHECKPOINTS, name));
  }
}

function needsOf({ kept: { card } }: CheckpointState): string[] {
  return card === null ? [] : [card.weights, ...(card.last === undefined ? [] : [card.last.weights])];
}

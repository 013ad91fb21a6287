/**
 * A checkpoint: one safetensors file with the weights, the gradients, the optimizer's state and the average, and in its
 * metadata everything else that a training goes on from. It is valid once it has its name, which tells its content.
 */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { NativeTensorSource } from '../addon/types';
import { transformSchema } from '../data/transforms/transform';
import { sixteenBitSchema } from '../data/images/options';
import { CovidCtError, messageOf } from '../errors';
import { contentOf } from '../files/content';
import { parseJson } from '../files/json';
import { fileError } from '../files/write';
import { BEST_BY } from '../metrics/registry';
import type { Belongings } from '../model/belongings';
import { cardSchema, pretrainingSchema } from '../model/card';
import { readSafetensorsHeader } from '../weights/safetensors';
import { earlyStoppingStateSchema } from './early-stopping';
import type { KeptWeightsState } from './kept-weights';
import type { LoopState } from './loop-state';
import type { RecorderState } from './recorder';

/** Folder of the checkpoints in a run folder. */
export const CHECKPOINTS = 'checkpoints';
/** What a checkpoint's file ends in. */
export const CHECKPOINT_EXTENSION = '.safetensors';
/** The metadata key of the state. */
export const CHECKPOINT_KEY = 'covidct.checkpoint';

/** Everything but the tensors that a training goes on from, as plain JSON. */
export interface CheckpointState {
  readonly format: 'covidct-torch/checkpoint';
  readonly formatVersion: 1;
  readonly created: string;
  readonly loop: LoopState;
  /** Whether the weights are averaged already. */
  readonly averaging: boolean;
  readonly kept: KeptWeightsState;
  readonly recorder: RecorderState;
  /** What belonged to the weights that the training began with. */
  readonly belongings: Belongings;
}

const count = z.int().min(0);
const bestEpochSchema = z.object({
  epoch: z.int().min(1),
  metric: z.enum([...BEST_BY, 'last']),
  value: z.number().nullable(),
});
const skippedSchema = z.object({ type: z.literal('skipped'), split: z.string(), id: z.string(), reason: z.string() });

const loopSchema = z.object({
  epoch: z.int().min(1),
  begun: z.boolean(),
  seconds: z.number(),
  stepper: z.object({
    step: count,
    window: z.object({ batch: count, step: count }),
    meter: z.object({ loss: z.number(), correct: count, samples: count }),
    learningRate: z.number(),
  }),
  schedule: z.object({ plateauRate: z.number(), step: count }),
  stopping: earlyStoppingStateSchema,
  best: z.object({
    best: bestEpochSchema.nullable(),
    rank: z.tuple([z.number().nullable(), z.number()]).nullable(),
  }),
  end: z.object({ reason: z.enum(['epochs', 'early-stopping']), message: z.string() }).nullable(),
});

const stateSchema = z.object({
  format: z.literal('covidct-torch/checkpoint'),
  formatVersion: z.literal(1, 'expected 1; a later version of covidct-torch has written it'),
  created: z.string(),
  loop: loopSchema,
  averaging: z.boolean(),
  kept: z.object({
    card: cardSchema.nullable(),
    best: bestEpochSchema.nullable(),
    bestIsCurrent: z.boolean(),
    threshold: z.number(),
    current: z.number().nullable(),
  }),
  recorder: z.object({ lines: count, waiting: z.array(skippedSchema), loggers: z.array(z.unknown()) }),
  belongings: z.object({
    transform: transformSchema,
    threshold: z.number(),
    sixteenBit: sixteenBitSchema.nullish(),
    origin: z.string(),
    pretraining: pretrainingSchema.nullable(),
  }),
}) as unknown as z.ZodType<CheckpointState>;

/** A checkpoint that was read. */
export interface Checkpoint {
  /** Absolute path of its file. */
  readonly path: string;
  readonly state: CheckpointState;
  readonly tensors: readonly NativeTensorSource[];
}

/** A checkpoint as its file's name tells of it. */
export interface CheckpointName {
  readonly name: string;
  readonly epoch: number;
  readonly step: number;
  /** First digits of the SHA-256 of its bytes. */
  readonly digits: string;
}

/** The name without the hash of a checkpoint; in the order of names, the later one is the last. */
export function checkpointStem({ epoch, begun, stepper }: LoopState): string {
  const step = begun ? stepper.step : 0;
  return `epoch-${String(epoch).padStart(4, '0')}-step-${String(step).padStart(6, '0')}`;
}

/** Names of the checkpoints in a run folder, the latest first; none where there is no such folder. */
export async function checkpointNames(dir: string): Promise<CheckpointName[]> {
  const names = await readdir(join(dir, CHECKPOINTS)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError('look into the folder', join(dir, CHECKPOINTS), error);
  });
  return names
    .flatMap((name) => {
      const [, epoch, step, digits] = /^epoch-(\d+)-step-(\d+)-([0-9a-f]{16})\.safetensors$/.exec(name) ?? [];
      return digits === undefined ? [] : [{ name, epoch: Number(epoch), step: Number(step), digits }];
    })
    .sort((a, b) => b.epoch - a.epoch || b.step - a.step);
}

/**
 * Reads one checkpoint, but for its tensors.
 *
 * @param options `verify`: compares all its bytes with its name (default true)
 * @throws CovidCtError ERR_RESUME where it is damaged or of a later version
 */
export async function readCheckpoint(
  dir: string,
  { name, digits }: CheckpointName,
  { verify = true }: { readonly verify?: boolean } = {},
): Promise<Checkpoint> {
  const path = join(dir, CHECKPOINTS, name);
  try {
    const { sha256 } = verify ? await contentOf(path) : { sha256: digits };
    if (!sha256.startsWith(digits))
      throw new CovidCtError('ERR_RESUME', `expected bytes of the SHA-256 ${digits}..., got ${sha256.slice(0, 16)}...`);
    const { tensors, metadata } = await readSafetensorsHeader(path);
    const about = { code: 'ERR_RESUME', what: 'the state of a training' } as const;
    const state = parseJson(metadata[CHECKPOINT_KEY] ?? '', stateSchema, basename(path), about);
    return { path, state, tensors };
  } catch (error) {
    throw new CovidCtError('ERR_RESUME', `${path}: the checkpoint cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads the latest checkpoint of a run that is whole.
 *
 * @param onDamaged told of each later one that cannot be used
 * @throws CovidCtError ERR_RESUME where there is none
 */
export async function readLatestCheckpoint(dir: string, onDamaged: (message: string) => void): Promise<Checkpoint> {
  const damaged = new Set<string>();
  for (;;) {
    const latest = (await checkpointNames(dir)).find(({ name }) => !damaged.has(name));
    if (latest === undefined) throw noCheckpoint(dir, damaged.size > 0);
    try {
      return await readCheckpoint(dir, latest);
    } catch (error) {
      // A training that is under way removes it as soon as it has written the next.
      if (!(await checkpointNames(dir)).some(({ name }) => name === latest.name)) continue;
      damaged.add(latest.name);
      onDamaged(messageOf(error));
    }
  }
}

function noCheckpoint(dir: string, isDamaged: boolean): CovidCtError {
  return new CovidCtError(
    'ERR_RESUME',
    `${dir}: expected a run with a checkpoint to go on from; there is ` +
      `${isDamaged ? 'none that is whole' : 'none'}; train again into another folder, or replace it ` +
      '(overwrite: true, --overwrite)',
  );
}

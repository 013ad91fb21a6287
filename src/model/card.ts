/** Reads and writes `model.json`, the card that gives weights their meaning. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { transformSchema } from '../data/transforms/transform';
import { sixteenBitSchema } from '../data/images/options';
import type { SixteenBit } from '../data/images/options';
import type { Transform } from '../data/types';
import type { Pretraining } from '../weights/pretrained';
import { classNamesSchema, precisionSchema } from './options';
import { CovidCtError, messageOf } from '../errors';
import { readJsonIfThere } from '../files/json';
import { writeWhole } from '../files/write';
import { INTENDED_USE } from '../intended-use';
import type { Precision } from './options';

/** The card's file name. */
export const CARD_FILE = 'model.json';

/** A weight file with what tells its bytes from all others. */
export interface WeightsOfCard {
  /** Relative to the card's folder. */
  readonly weights: string;
  readonly sha256?: string | undefined;
  readonly bytes?: number | undefined;
}

/** What is stored beside the weights as `model.json`. Replacing it makes other weights the model's. */
export interface ModelCard {
  readonly format: 'covidct-torch/model';
  readonly formatVersion: 1;
  readonly architecture: string;
  readonly classes: readonly string[];
  /** How an image becomes the network's input at prediction. */
  readonly transform: Transform;
  /** Probability of the dropout layers when it is trained on; the architecture's own where a card does not say. */
  readonly dropout?: number;
  /** Channels of the network's input; 3 where a card does not say. */
  readonly channels?: 1 | 3;
  /**
   * In which numbers the network computed that these weights are of; float32 where a card does not say. The weights
   * themselves are float32.
   */
  readonly precision?: Precision;
  /** What the weights it began with were trained for; absent where they were random. */
  readonly pretraining?: Pretraining;
  /** A probability of the last class at or above this is predicted positive (two classes only). */
  readonly threshold: number;
  /** Values of 16-bit images that become 0 and 255; absent: all 16 bits count. */
  readonly sixteenBit?: SixteenBit | undefined;
  /** Weight file, relative to the card's folder. */
  readonly weights: string;
  /** SHA-256 of that file, 64 hexadecimal digits; absent in cards of version 0.1.0. */
  readonly sha256?: string | undefined;
  /** Bytes of that file. */
  readonly bytes?: number | undefined;
  /** The last weights of a training, where they are kept beside the best. */
  readonly last?: WeightsOfCard | undefined;
  /** Where the weights came from: `random (seed 0)`, a file's name, ... */
  readonly origin: string;
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
  readonly intendedUse: string;
}

const channelValues = z.tuple([z.number(), z.number(), z.number()]);
/** Schema of a {@link Pretraining}. */
export const pretrainingSchema = z.object({
  name: z.string(),
  mean: channelValues,
  std: channelValues,
  imageSize: z.int().positive().nullable(),
  assumed: z.boolean(),
});

const weightsShape = {
  weights: z
    .string()
    .refine((name) => !name.includes('..') && !name.startsWith('/'), 'expected a path inside the model folder'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')
    .optional(),
  bytes: z.int().min(0).optional(),
};

/** Schema of `model.json`. */
export const cardSchema = z.object({
  format: z.literal('covidct-torch/model'),
  formatVersion: z.literal(1),
  architecture: z.string(),
  classes: classNamesSchema,
  transform: transformSchema,
  dropout: z.number().min(0).lt(1).optional(),
  channels: z.union([z.literal(1), z.literal(3)]).optional(),
  precision: precisionSchema.unwrap().optional(),
  pretraining: pretrainingSchema.optional(),
  threshold: z.number().min(0).max(1),
  sixteenBit: sixteenBitSchema.optional(),
  ...weightsShape,
  last: z.object(weightsShape).optional(),
  origin: z.string(),
  versions: z.record(z.string(), z.string()),
  created: z.string(),
  intendedUse: z.string(),
});

/** Makes a card from what differs between models. */
export function makeCard(
  facts: Pick<
    ModelCard,
    | 'architecture'
    | 'classes'
    | 'transform'
    | 'dropout'
    | 'channels'
    | 'precision'
    | 'pretraining'
    | 'threshold'
    | 'sixteenBit'
    | 'weights'
    | 'sha256'
    | 'bytes'
    | 'last'
    | 'origin'
    | 'versions'
  >,
): ModelCard {
  return {
    format: 'covidct-torch/model',
    formatVersion: 1,
    ...facts,
    created: new Date().toISOString(),
    intendedUse: INTENDED_USE,
  };
}

/**
 * Finds and checks the card of a model.
 *
 * @param path a run folder, a model folder, or the card itself
 * @returns the card and the absolute folder its weights are relative to
 * @throws CovidCtError ERR_MODEL saying what is missing or wrong
 */
export async function readCard(path: string): Promise<{ card: ModelCard; dir: string }> {
  const wanted = `expected a model folder with a ${CARD_FILE}, as a training or Classifier.save() writes it`;
  const info = await stat(path).catch((error: unknown) => {
    throw new CovidCtError('ERR_MODEL', `${path}: ${wanted}; ${messageOf(error)}`, { cause: error });
  });
  const isFolder = info.isDirectory();
  const file = isFolder ? join(resolve(path), CARD_FILE) : resolve(path);
  if (!isFolder && basename(file) !== CARD_FILE)
    throw new CovidCtError('ERR_MODEL', `${path}: expected a model folder or its ${CARD_FILE}`);
  const card = await readJsonIfThere(file, cardSchema, { code: 'ERR_MODEL', what: 'a model card of this version' });
  if (card === null) throw new CovidCtError('ERR_MODEL', `${path}: ${wanted}; there is no such file`);
  return { card, dir: dirname(file) };
}

/** Writes the card into a folder, whole or not at all. Throws CovidCtError ERR_RUN_FOLDER. */
export async function writeCard(dir: string, card: ModelCard): Promise<void> {
  // In the order of the schema, so that a card that was read and is written again has the same bytes.
  await writeWhole(join(dir, CARD_FILE), `${JSON.stringify(cardSchema.parse(card), null, 2)}\n`);
}

/** The last weights of a run of version 0.1.0, whose cards do not name them. */
const LAST_OF_OLD_RUNS = 'weights/last.safetensors';

/**
 * The best or last weights of a model. Throws CovidCtError ERR_WEIGHTS where the last are asked for and only the best
 * were kept.
 */
export function weightsOfCard(dir: string, card: ModelCard, which: 'best' | 'last'): WeightsOfCard {
  if (which === 'best' || /^weights\/last[-.]/.test(card.weights)) return card;
  if (card.last !== undefined) return card.last;
  if (card.sha256 === undefined && existsSync(join(dir, LAST_OF_OLD_RUNS))) return { weights: LAST_OF_OLD_RUNS };
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${dir}: its last weights are not there: a training keeps the best alone ` +
      `unless it is told keep: 'both' or 'last' (--keep both, --keep last); use the best`,
  );
}

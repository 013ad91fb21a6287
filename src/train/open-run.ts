/** Opens a run to go on with it: its configuration, its latest checkpoint, and a network like the one it trained. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { CovidCtError } from '../errors';
import { createNetwork } from '../model/open-network';
import type { ClassifierOptions } from '../model/options';
import type { Network } from '../model/types';
import { readLatestCheckpoint } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import { trainOptionsSchema } from './options';
import { RunFolder } from './run-folder';
import type { RunConfig } from './run-schema';

/** A run that can go on. */
export interface OpenRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
  /** With the weights of the checkpoint. */
  readonly network: Network;
}

const seedSchema = z.object({ seed: trainOptionsSchema.shape.seed, imageSize: trainOptionsSchema.shape.imageSize });

/**
 * @param given where it is to run now; as before where left out
 * @throws CovidCtError ERR_RUN_FOLDER, ERR_RESUME, ERR_DEVICE
 */
export async function openRun(
  dir: string,
  given: {
    readonly device: string | undefined;
    readonly threads: number | undefined;
    readonly epochs: number | undefined;
  },
  onDamaged: (message: string) => void,
): Promise<OpenRun> {
  const folder = await RunFolder.open(dir);
  const config = await folder.config();
  const latest = await readLatestCheckpoint(folder.dir, onDamaged);
  assertEpochs(folder.dir, latest, given.epochs);
  const { architecture, classes, device, dropout, precision, convolution, channels, threads } = config.model;
  const options = {
    architecture,
    classes: [...classes],
    device: given.device ?? device,
    threads: given.threads ?? threads,
    ...seedOf(folder, config),
    ...withoutNull({ dropout, precision, convolution, channels }),
  } as ClassifierOptions;
  const network = await createNetwork(options, false);
  try {
    const checkpoint = await readWeights(folder.dir, network, latest, onDamaged);
    network.belongings = checkpoint.state.belongings;
    return { config, checkpoint, network };
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/**
 * Reads the weights of a checkpoint, so that the classifier predicts with them before the training goes on; those of a
 * later one where a training that is under way has replaced it.
 */
async function readWeights(
  dir: string,
  network: Network,
  latest: Checkpoint,
  onDamaged: (message: string) => void,
): Promise<Checkpoint> {
  const own = new Set(network.tensors.map(({ name }) => name));
  for (let checkpoint = latest; ; checkpoint = await readLatestCheckpoint(dir, onDamaged)) {
    try {
      const sources = checkpoint.tensors.filter(({ name }) => own.has(name));
      await network.readTensors(checkpoint.path, sources, { allowNonFinite: true });
      return checkpoint;
    } catch (error) {
      if (existsSync(checkpoint.path)) throw error;
    }
  }
}

/** Throws CovidCtError ERR_RUN_FOLDER where the file was changed by hand. */
function seedOf(folder: RunFolder, { options }: RunConfig): z.output<typeof seedSchema> {
  const { data, error } = seedSchema.safeParse(options);
  if (data !== undefined) return data;
  const reasons = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new CovidCtError('ERR_RUN_FOLDER', `${folder.file('config.json')}: expected the options of a run; ${reasons}`);
}

/** What has been trained cannot be taken back. */
function assertEpochs(dir: string, { state: { loop } }: Checkpoint, epochs: number | undefined): void {
  const begun = loop.begun ? loop.epoch : loop.epoch - 1;
  if (epochs === undefined || epochs >= begun) return;
  throw new CovidCtError(
    'ERR_RESUME',
    `${dir}: expected at least ${begun} epochs, for epoch ${begun} has begun already; got ${epochs}`,
  );
}

/** The options that a run was trained with, as a Trainer takes them. */
export function optionsOfRun({ options, data }: RunConfig): Record<string, unknown> {
  const { overwrite, out, ...recipe } = withoutNull(options);
  void [overwrite, out];
  return { ...recipe, ...(data.source === undefined ? {} : { dataSource: data.source }) };
}

/** JSON has null where an option was not given. */
function withoutNull(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined));
}

/** Brings the environment, a configuration file and the flags of `covidct train` together; flags win. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../files/json';
import { checkOptions } from '../options/check';
import { RUN_FORMAT, runConfigSchema } from '../train/run-schema';
import type { RunConfig } from '../train/run-schema';
import { trainCommandSchema } from './options';
import type { TrainCommandOptions } from './options';
import { datasetFingerprint } from '../data/fingerprint';
import { InvalidOptionError } from '../index';
import type { DatasetSplits, TrainEvent } from '../index';

/** How the origin of weights that a training has made begins; see Trainer. */
const TRAINED = 'trained on ';

/** What a training is to be, and the run that it is to be like. */
export interface TrainRequest {
  readonly options: TrainCommandOptions;
  /** Where the configuration was a run's own. */
  readonly run: RunConfig | null;
}

/**
 * @param file a JSON file whose keys are the options (`learningRate`, `batchSize`, ...), or a run's `config.json` or
 *   folder, whose training is done again; undefined for none
 * @param flags what was given on the command line, by the same names
 * @param fallback what holds where neither says anything, e.g. from the environment
 * @throws CovidCtError ERR_INVALID_OPTION when the file cannot be read, for an option that does not exist or is out of
 *   range
 */
export async function gatherTrainOptions(
  file: string | undefined,
  flags: Readonly<Record<string, unknown>>,
  fallback: Readonly<Record<string, unknown>> = {},
): Promise<TrainRequest> {
  const { options, run } = file === undefined ? { options: {}, run: null } : await readConfig(file);
  const began = run?.model.startedFrom ?? '';
  if (began.startsWith(TRAINED) && flags['weights'] === undefined) {
    throw new InvalidOptionError(
      `${file}: it went on from another model (${began}), which no ` +
        'file is named for; give its weights with --weights FILE',
      [{ path: 'weights', message: 'missing' }],
    );
  }
  const where = file === undefined ? 'covidct train' : `covidct train (flags and ${file})`;
  return { options: checkOptions(trainCommandSchema, { ...given(fallback), ...options, ...given(flags) }, where), run };
}

function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

async function readConfig(named: string): Promise<{ options: Record<string, unknown>; run: RunConfig | null }> {
  const isFolder = await stat(named).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(named, 'config.json') : named;
  const about = {
    code: 'ERR_INVALID_OPTION',
    what: '--config, a JSON object whose keys are the options, or the config.json of a run',
    pipes: true,
  } as const;
  const json = await readJson(file, z.record(z.string(), z.unknown()), about);
  if (json['format'] !== RUN_FORMAT) return { options: json, run: null };
  const run = checkOptions(runConfigSchema, json, file);
  return { options: optionsOfRun(run), run };
}

/**
 * The options with which a run is done again. Its folder is left out, for it is taken; the transforms follow from the
 * options, and whether they are the run's is seen when the training starts.
 */
function optionsOfRun({ options, model }: RunConfig): Record<string, unknown> {
  const { out, overwrite, trainTransform, evalTransform, ...recipe } = options;
  void [out, overwrite, trainTransform, evalTransform];
  const { architecture, classes, dropout, precision, convolution, channels, startedFrom } = model;
  const isFile = startedFrom?.startsWith('random (') === false && !startedFrom.startsWith(TRAINED);
  const weights = isFile ? startedFrom : null;
  // JSON has null where an option was not given.
  const all = { ...recipe, architecture, classes, dropout, precision, convolution, channels, weights };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined));
}

/**
 * What of the data and of the start is not the run's, in words; the
 * training goes on, but need not give the same numbers.
 */
export function differencesOfData(run: RunConfig, data: DatasetSplits): string[] {
  return (['train', 'validation'] as const).flatMap((name) => {
    const [before, now] = [
      run.data[name]?.fingerprint,
      data[name] === null ? undefined : datasetFingerprint(data[name]),
    ];
    return before === now
      ? []
      : [
          `the ${name === 'train' ? 'training' : 'validation'} images ` +
            'or their labels are not those of the run in --config',
        ];
  });
}

/** The same of how images become input. */
export function differencesOfTransforms(run: RunConfig, { config }: Extract<TrainEvent, { type: 'start' }>): string[] {
  return (['trainTransform', 'evalTransform'] as const).flatMap((name) => {
    const [before, now] = [run.options[name], config[name]].map((value) => JSON.stringify(value ?? null));
    return before === now || before === 'null'
      ? []
      : [`the ${name} is not that of the run in --config, which was ${before}`];
  });
}

/** Brings the environment, a configuration file and the flags of `covidct train` together; flags win. */
import { readFile } from 'node:fs/promises';
import { InvalidOptionError, messageOf } from '../errors';
import { checkOptions } from '../options/check';
import { trainCommandSchema } from '../options/cli';
import type { TrainCommandOptions } from '../options/cli';

/**
 * @param file a JSON file whose keys are the options (`learningRate`, `batchSize`, ...); undefined for none
 * @param flags what was given on the command line, by the same names
 * @param fallback what holds where neither says anything, e.g. from the environment
 * @throws InvalidOptionError when the file cannot be read, or for an option that does not exist or is out of range
 */
export async function resolveTrainOptions(file: string | undefined, flags: Readonly<Record<string, unknown>>, fallback: Readonly<Record<string, unknown>> = {}): Promise<TrainCommandOptions> {
  const fromFile = file === undefined ? {} : await readConfig(file);
  return checkOptions(trainCommandSchema, { ...given(fallback), ...fromFile, ...given(flags) }, file === undefined ? 'covidct train' : `covidct train (flags and ${file})`);
}

function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  const refuse = (what: string, cause?: unknown): never => {
    const error = new InvalidOptionError(`--config ${file}: ${what}`, [{ path: 'config', message: what }]);
    error.cause = cause;
    throw error;
  };
  const text = await readFile(file, 'utf8').catch((error: unknown) => refuse(`it cannot be read: ${messageOf(error)}`, error));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse(`expected JSON: ${messageOf(error)}`, error);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse('expected a JSON object whose keys are the options');
  return json as Record<string, unknown>;
}

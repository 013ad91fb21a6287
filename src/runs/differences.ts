/** Tells in what the configurations of runs differ. */
import { isDeepStrictEqual } from 'node:util';
import type { RunConfig } from '../train/run-schema';
import type { RunDifference } from './types';

/** Where a run lies and whether it replaced another is no part of what was trained. */
const PLACE = new Set(['out', 'overwrite']);

type Plain = Readonly<Record<string, unknown>>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isListOfObjects(value: unknown): value is readonly Plain[] {
  return Array.isArray(value) && value.every(isPlain);
}

/** Goes as deep as all runs have the same kind of thing; what is of different kinds is one difference. */
function differ(values: readonly unknown[], option: string): RunDifference[] {
  if (values.every((value) => isDeepStrictEqual(value, values[0]))) return [];
  if (values.every(isPlain)) {
    const keys = [...new Set(values.flatMap((value) => Object.keys(value)))];
    return keys.flatMap((key) =>
      differ(
        values.map((value) => (Object.hasOwn(value, key) ? value[key] : undefined)),
        option === '' ? key : `${option}.${key}`,
      ),
    );
  }
  if (values.every(isListOfObjects) && values.every(({ length }) => length === (values[0] as unknown[]).length))
    return (values[0] as unknown[]).flatMap((_, index) =>
      differ(
        values.map((value) => (value as unknown[])[index]),
        `${option}[${index}]`,
      ),
    );
  return [{ option, values }];
}

/** What is not the same in all configurations: options, model, data and versions. */
export function differencesOf(configs: readonly RunConfig[]): RunDifference[] {
  return differ(
    configs.map(({ options, model, data, versions }) => ({
      ...Object.fromEntries(Object.entries(options).filter(([name]) => !PLACE.has(name))),
      model,
      data,
      versions,
    })),
    '',
  );
}

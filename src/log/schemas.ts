/** Schemas of loggers as arguments. */
import { z } from 'zod';
import { faultless, listFault, methodsSchema, wrong } from '../options/atoms';
import type { TrainLogger } from './types';

/** Schema of a logger. */
export const loggerSchema = methodsSchema<TrainLogger>('expected a logger with log() and close()', ['log', 'close']);

/** Schema of a list of loggers. */
export const loggersSchema = faultless<readonly TrainLogger[]>((value) =>
  listFault(value, 'loggers', (entry) => {
    const result = loggerSchema.safeParse(entry);
    return result.success ? null : wrong(result.error.issues[0]?.message ?? 'expected a logger');
  }),
);

/** Milliseconds that a logger may take for a call, at most what a timer can count; 0: without end. */
export const loggerTimeoutSchema = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .default(30_000);

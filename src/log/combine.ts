/** Combines several loggers into one. */
import { CovidCtError, messageOf } from '../errors';
import { loggersSchema } from './schemas';
import { checkArgument } from '../options/check';
import type { TrainEvent, TrainLogger } from './types';

/** Calls `action` for every logger in order, even after a failure, and then throws the failures. */
async function forEvery(
  loggers: readonly TrainLogger[],
  what: string,
  action: (logger: TrainLogger) => void | Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const logger of loggers) {
    try {
      await action(logger);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) {
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${failures.length} loggers failed to ${what}: ${failures.map(messageOf).join('; ')}`,
      { cause: new AggregateError(failures) },
    );
  }
}

/**
 * Creates a logger that passes every event to each of `loggers` in order. When one fails, the others still receive the
 * event and are still closed; its error is thrown afterward (several become one CovidCtError ERR_RUN_FOLDER that names
 * them all).
 */
export function combine(loggers: readonly TrainLogger[]): TrainLogger {
  checkArgument(loggersSchema, loggers, 'combine', 'loggers');
  return {
    log: (event: TrainEvent) => forEvery(loggers, 'write', (logger) => logger.log(event)),
    close: () => forEvery(loggers, 'close', (logger) => logger.close()),
  };
}

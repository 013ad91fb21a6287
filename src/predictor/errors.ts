/** The errors of a predictor that carry more than a code. */
import { CovidCtError } from '../errors';
import type { Text } from '../text/printable';

/**
 * A predictor is full. `limit` says of what: `items` (images) or `bytes` of input; it held `used` of at most `most`,
 * and `asked` more were given, of which none was taken.
 *
 * @example
 * ```ts
 * import { Predictor, QueueFullError } from 'covidct-torch';
 *
 * using predictor = await Predictor.load('runs/first', { maxQueue: 64 });
 * try {
 *   await predictor.predict('slice.png');
 * } catch (error) {
 *   if (!(error instanceof QueueFullError)) throw error;
 *   console.log(error.limit, error.used, error.most); // answer 503 with Retry-After
 * }
 * ```
 */
export class QueueFullError extends CovidCtError {
  readonly limit: 'items' | 'bytes';
  readonly used: number;
  readonly asked: number;
  readonly most: number;

  constructor(message: Text, facts: Pick<QueueFullError, 'limit' | 'used' | 'asked' | 'most'>) {
    super('ERR_QUEUE_FULL', message);
    this.limit = facts.limit;
    this.used = facts.used;
    this.asked = facts.asked;
    this.most = facts.most;
  }
}

/**
 * A model did not pass a gate: the one before it goes on answering. `checks` says what was looked at, in order; the
 * last one failed.
 *
 * @example
 * ```ts
 * import { GateError, Predictor } from 'covidct-torch';
 *
 * using predictor = await Predictor.load('runs/first');
 * try {
 *   await predictor.promote('runs/second');
 * } catch (error) {
 *   if (!(error instanceof GateError)) throw error;
 *   for (const { name, passed, detail } of error.checks) console.log(name, passed, detail);
 * }
 * ```
 */
export class GateError extends CovidCtError {
  readonly version: string;
  readonly checks: readonly GateFinding[];

  constructor(version: string, failed: GateFinding, checks: readonly GateFinding[]) {
    super('ERR_GATE', `version ${version} does not pass the gate: ${failed.name}: ${failed.detail}`);
    this.version = version;
    this.checks = checks;
  }
}

/** What a gate found. */
export interface GateFinding {
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

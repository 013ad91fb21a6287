/** Why a predictor gives no answer: the errors, and the reason that its metrics count. */
import { AbortedError, BadImageError, CovidCtError } from '../errors';
import { QueueFullError } from './errors';
import type { RejectionReason } from './types';

/** Throws QueueFullError: `most` items or bytes, of which `used` are taken and `asked` were asked for. */
export function queueFull(limit: 'items' | 'bytes', used: number, asked: number, most: number): QueueFullError {
  const option = limit === 'items' ? 'maxQueue' : 'maxQueueBytes';
  const what = limit === 'items' ? 'images' : 'bytes of input';
  const advice =
    asked > most
      ? `give fewer at a time, or raise ${option}`
      : `try again when answers have come, or raise ${option} (now ${most})`;
  return new QueueFullError(
    `the predictor is full: it holds ${used} of ${most} ${what}, and ${asked} more were given; ${advice}`,
    { limit, used, asked, most },
  );
}

/** What a request that came too late is refused with. */
export function closing(): CovidCtError {
  return new CovidCtError('ERR_CLOSING', 'the predictor is being closed and takes no more images; use another one');
}

/** What is asked of a predictor after its end is refused with. */
export function disposed(): CovidCtError {
  return new CovidCtError('ERR_DISPOSED', 'the predictor was disposed');
}

/** What an image that was not answered in time is refused with. */
export function timedOut(timeoutMs: number): CovidCtError {
  return new CovidCtError(
    'ERR_TIMEOUT',
    `there was no answer within ${timeoutMs} ms: more is asked than can be computed, or an image takes too long; ` +
      `give a longer timeoutMs, or fewer images at once`,
  );
}

/** What a metric counts an error as. */
export function reasonOf(error: unknown): RejectionReason {
  if (error instanceof BadImageError) return 'bad_image';
  if (error instanceof AbortedError) return 'aborted';
  switch ((error as { code?: unknown } | null)?.code) {
    case 'ERR_QUEUE_FULL':
      return 'queue_full';
    case 'ERR_TIMEOUT':
      return 'timeout';
    case 'ERR_CLOSING':
      return 'closing';
    default:
      return 'failed';
  }
}

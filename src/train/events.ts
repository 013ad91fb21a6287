/** The events of a training as they are given to the one loop that reads them. */
import type { TrainEvent } from '../log/types';
import type { TrainingHistory } from './history';

/** A training as an async generator: it yields the events and returns the history. */
export type TrainingEvents = AsyncGenerator<TrainEvent, TrainingHistory, undefined>;

/**
 * Passes the events of a training on and ends the training cleanly when the reader leaves before the end.
 *
 * A plain generator that is left (`break`, `return`, `throw`) stops at once, wherever it is. A training must still
 * write its last weights and close its loggers: it is aborted through the signal and run to its end, unread.
 *
 * @param start begins the training; `left` fires when the reader leaves
 */
export async function* stoppedWhenLeft(start: (left: AbortSignal) => TrainingEvents): TrainingEvents {
  const left = new AbortController();
  const training = start(left.signal);
  try {
    for (;;) {
      const step = await training.next();
      if (step.done === true) return step.value;
      yield step.value;
    }
  } finally {
    left.abort();
    await historyOf(training);
  }
}

/** Runs a training to its end, unread. */
export async function historyOf(training: TrainingEvents): Promise<TrainingHistory> {
  for (;;) {
    const step = await training.next();
    if (step.done === true) return step.value;
  }
}

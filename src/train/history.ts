/** What a training leaves behind, as plain data, and how it is read back from its lines. */
import { parseJson } from '../files/json';
import type { EpochRecord, StopReason, TrainEvent } from '../log/types';
import { storedEventSchema } from '../log/event-schema';
import type { BestBy } from '../metrics/registry';

/** The epoch whose weights were kept as the best. */
export interface BestEpoch {
  readonly epoch: number;
  /** `last` where there was no validation split to choose by. */
  readonly metric: BestBy | 'last';
  readonly value: number | null;
}

/** The result of {@link Trainer.fit}. */
export interface TrainingHistory {
  /** One record for each finished epoch, in order. */
  readonly epochs: readonly EpochRecord[];
  /** Null until an epoch has finished. */
  readonly best: BestEpoch | null;
  readonly stop: { readonly reason: StopReason; readonly message: string };
  /** Which weights the model holds now. */
  readonly restored: 'best' | 'last';
  /** Files left out because they could not be decoded. */
  readonly skipped: readonly { readonly split: string; readonly id: string; readonly reason: string }[];
  /** The run folder, absolute; null when nothing was kept. */
  readonly out: string | null;
}

/** The same as read from a run folder, where a training may have failed before it could say why it stopped. */
export interface StoredHistory {
  readonly epochs: readonly EpochRecord[];
  readonly events: readonly TrainEvent[];
  readonly stop: Extract<TrainEvent, { type: 'stop' }> | null;
  /** The last `start` line. */
  readonly start: Extract<TrainEvent, { type: 'start' }> | null;
}

/**
 * Reads `history.jsonl`: one event a line, steps left out.
 *
 * @throws CovidCtError ERR_RUN_FOLDER naming the line that is not an event
 */
export function parseHistory(text: string, file: string): StoredHistory {
  const events: TrainEvent[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    events.push(
      parseJson(
        line,
        storedEventSchema,
        file,
        { code: 'ERR_RUN_FOLDER', what: 'one training event as JSON' },
        index + 1,
      ),
    );
  }
  const last = <T extends TrainEvent['type']>(type: T): Extract<TrainEvent, { type: T }> | null =>
    (events.findLast((event) => event.type === type) as Extract<TrainEvent, { type: T }> | undefined) ?? null;
  const epochs = events.flatMap((event) => (event.type === 'epoch' ? [recordOf(event)] : []));
  return { epochs, events, stop: last('stop'), start: last('start') };
}

/** The metrics of an epoch event; of one that was read back without the time of its line, which is no metric. */
export function recordOf(event: Extract<TrainEvent, { type: 'epoch' }> & { readonly time?: string }): EpochRecord {
  const { type, time, ...record } = event;
  void [type, time];
  return record;
}

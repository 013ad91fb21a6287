/** Sums one run up from its files; what is damaged is told and leaves the rest in place. */
import type { OwnedFolder } from '../files/owner';
import { METRICS } from '../metrics/registry';
import type { MetricValues } from '../metrics/registry';
import type { Evaluation } from '../metrics/types';
import { bestAfter, readProgress } from '../train/progress';
import type { BestEpoch, StoredHistory } from '../train/history';
import { RunFolder } from '../train/run-folder';
import type { RunConfig } from '../train/run-schema';
import { problemOf, weigh } from './find';
import { stateOf } from './state';
import type { OwnerOf } from './state';
import type { RunProblem, RunSummary, SplitMetrics } from './types';

/** What the outside world is asked. */
export interface World {
  readonly ownerOf: OwnerOf;
  /** Holds a folder against others, or throws ERR_BUSY. */
  readonly own: (dir: string, signal: AbortSignal | undefined) => Promise<Pick<OwnedFolder, 'assertHeld' | 'release'>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

function splitMetrics(evaluation: Evaluation): SplitMetrics {
  const values = Object.fromEntries(METRICS.map(({ key }) => [key, evaluation[key] ?? null]));
  return { n: evaluation.n, loss: evaluation.loss, ...(values as unknown as MetricValues) };
}

function bestOf(history: StoredHistory | null): BestEpoch | null {
  let best: BestEpoch | null = null;
  for (const event of history?.events ?? []) if (event.type === 'checkpoint') best = bestAfter(best, event);
  return best;
}

function plannedEpochs(history: StoredHistory | null, config: RunConfig | null): number | null {
  const option = config?.options['epochs'];
  return history?.start?.epochs ?? (typeof option === 'number' ? option : null);
}

/** Sums a run up; adds to `problems` what cannot be read of it. Null where it has vanished meanwhile. */
export async function summarizeRun(dir: string, world: World, problems: RunProblem[]): Promise<RunSummary | null> {
  const folder = await RunFolder.open(dir).catch(() => null);
  if (folder === null) return null;
  const tried = async <T>(path: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      problems.push(problemOf(path, error));
      return undefined;
    }
  };
  // The owner before the history: one that ends in between has written its end by then.
  const owner = await tried(folder.file('owner.lock'), () => world.ownerOf(dir));
  const progress = (await tried(folder.file('progress.json'), () => readProgress(dir))) ?? null;
  const history = (await tried(folder.file('history.jsonl'), () => folder.history())) ?? null;
  const config = (await tried(folder.file('config.json'), () => folder.config())) ?? null;
  const metrics = (await tried(folder.file('metrics.json'), () => folder.metrics())) ?? {};
  const { bytes, changed } = await weigh(dir, problems);
  return {
    dir: folder.dir,
    ...stateOf({ owner, history, progress, changed, now: world.now() }),
    created: config?.created ?? null,
    changed: new Date(changed).toISOString(),
    architecture: config?.model.architecture ?? null,
    data: config?.data.train.name ?? null,
    epochs: { finished: history?.epochs.length ?? 0, planned: plannedEpochs(history, config) },
    best: bestOf(history),
    metrics: Object.fromEntries(Object.entries(metrics).map(([split, each]) => [split, splitMetrics(each)])),
    seconds: (history?.epochs ?? []).reduce((sum, { seconds }) => sum + seconds, 0),
    bytes,
    progress,
  };
}

/** Made-up run folders in every state. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainEvent } from '../../src/log/types';
import type { Evaluation } from '../../src/metrics/types';
import { RunFolder } from '../../src/train/run-folder';
import { madeUpEvaluation } from './report-data';
import { epochEvent, startEvent, stopEvent } from './events';

const DATA = { name: 'made up train', samples: 30, fingerprint: 'f', classes: { NonCOVID: 15, COVID: 15 } };

/** The configuration of a made-up run. */
export const madeUpConfig = (options: Record<string, unknown> = {}): Parameters<RunFolder['writeConfig']>[0] => ({
  options: { seed: 1, epochs: 3, learningRate: 0.01, out: 'somewhere', ...options },
  model: { architecture: 'tiny', classes: ['NonCOVID', 'COVID'], device: 'cpu', dropout: null, startedFrom: null },
  data: { train: DATA, validation: { ...DATA, name: 'made up validation' } },
  versions: { node: '20' },
});

/** The weights of an epoch kept as the best. */
export const bestKept = (epoch: number, value = 0.7): TrainEvent => ({
  type: 'checkpoint',
  epoch,
  kind: 'best',
  path: 'weights/best.safetensors',
  metric: 'accuracy',
  value,
});

/** The events of a training of two of its three epochs. */
export const TWO_EPOCHS: readonly TrainEvent[] = [
  startEvent(),
  epochEvent({ epoch: 1, seconds: 10 }),
  bestKept(1),
  epochEvent({ epoch: 2, seconds: 12.5, best: false }),
];

/** A run as it lies on the disk. */
export interface MadeUpRun {
  readonly options?: Record<string, unknown>;
  readonly events?: readonly TrainEvent[];
  readonly evaluations?: readonly Evaluation[];
  readonly files?: Readonly<Record<string, string>>;
}

/** Makes a run folder; one that has finished where nothing else is said. Returns its path. */
export async function makeRun(dir: string, run: MadeUpRun = {}): Promise<string> {
  const folder = await RunFolder.create(dir);
  await folder.writeConfig(madeUpConfig(run.options));
  const events = run.events ?? [...TWO_EPOCHS, stopEvent({ reason: 'early-stopping', message: 'no better.' })];
  await folder.write('history.jsonl', `${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
  for (const evaluation of run.evaluations ?? [madeUpEvaluation(40, { split: 'validation' })])
    await folder.writeMetrics(evaluation);
  await folder.write('weights/best.safetensors', 'x'.repeat(100_000));
  for (const [name, text] of Object.entries(run.files ?? {})) await writeFile(join(dir, name), text);
  return dir;
}

/** What progress.json says of a made-up training. */
export const madeUpProgress = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    format: 'covidct-torch/progress',
    formatVersion: 1,
    state: 'running',
    message: null,
    started: '2026-01-01T00:00:00.000Z',
    updated: '2026-01-01T00:01:00.000Z',
    epoch: 3,
    epochs: 3,
    step: 1,
    steps: 4,
    secondsLeft: 90,
    best: null,
    pid: 1,
    host: 'here',
    ...more,
  });

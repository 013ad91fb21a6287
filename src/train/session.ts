/** One training from the checks to the last file: everything around the loop. */
import type { StopReason, TrainEvent } from '../log/types';
import { BatchSource } from './batch-source';
import type { TrainingEvents } from './events';
import type { TrainingHistory } from './history';
import { keepPixels, openSession } from './open-session';
import type { Session } from './open-session';
import { stepsPerEpoch } from './plan';
import type { TrainingPlan } from './plan';
import type { ResumePoint } from './resume';
import { leftOutOf } from './run-config';
import type { RunFolder } from './run-folder';
import { checkRequest, withStoredResize } from './training-request';
import type { TrainingRequest } from './training-request';

interface Ending {
  readonly reason: StopReason;
  readonly message: string;
}

/** Trains; yields every event once it is written down, and returns the history. `left`: the reader wants no more. */
export async function* runTraining(asked: TrainingRequest, left: AbortSignal): TrainingEvents {
  const classWeights = checkRequest(asked);
  const request = withStoredResize(asked);
  const unlock = request.network.lock('Trainer.fit');
  let history: TrainingHistory;
  let stop: TrainEvent;
  let failed = false;
  try {
    const session = await openSession(request, classWeights, left);
    try {
      yield* session.recorder.record(startEvent(session));
      const ending = yield* recordedLoop(session, left);
      // An aborted training goes on from here; one that has ended needs its last checkpoint, which may be under way.
      if (ending.reason === 'aborted') await session.checkpoints.write();
      await session.checkpoints.settle();
      const last = await session.plan.kept.keepLast(session.recorder.epochs.length);
      if (last !== null) yield* session.recorder.record(last);
      history = await finish(session, ending);
      stop = stopEvent(history);
      await session.recorder.write(stop);
      await session.recorder.close();
    } catch (error) {
      failed = true;
      await rescue(session, error);
      throw error;
    } finally {
      await session.plan.kept.close();
      await session.owned?.release().catch((error: unknown) => {
        if (!failed) throw error; // must not hide the first failure
      });
    }
  } finally {
    unlock();
  }
  yield stop;
  return history;
}

/** The loop with every event written down; an abort becomes an ending. */
async function* recordedLoop(
  { plan, loop: training, recorder }: Session,
  left: AbortSignal,
): AsyncGenerator<TrainEvent, Ending, undefined> {
  const loop = training.events();
  try {
    for (;;) {
      const step = await loop.next();
      if (step.done === true) return step.value;
      yield* recorder.record(step.value);
    }
  } catch (error) {
    if (!plan.signal.aborted || (error as { code?: unknown } | null)?.code !== 'ERR_ABORTED') throw error;
    const who = left.aborted ? 'the loop over the events was left' : 'the signal was aborted';
    return { reason: 'aborted', message: `${who} after ${recorder.epochs.length} finished epochs.` };
  }
}

async function finish({ plan, folder, recorder }: Session, { reason, message }: Ending): Promise<TrainingHistory> {
  await keepPixels(plan.network, 0);
  await plan.network.configureOptimizer(null);
  await plan.freezing.restore();
  const restored = await plan.kept.restoreBest();
  if (reason !== 'aborted') await completeMetrics(plan, folder);
  await plan.kept.removeUnnamed();
  return {
    epochs: recorder.epochs,
    best: plan.kept.best,
    stop: { reason, message },
    restored,
    skipped: recorder.skipped,
    out: folder?.dir ?? null,
  };
}

/**
 * A run that went on from before its best weights so far has lost their metrics; where no epoch was better than the
 * best then, they are computed again.
 */
async function completeMetrics(plan: TrainingPlan, folder: RunFolder | null): Promise<void> {
  if (folder === null || plan.validation === null || plan.kept.best === null) return;
  if ((await folder.metrics())['validation'] !== undefined) return;
  const { signal } = new AbortController(); // what is asked for by now comes too late
  const evaluation = await new BatchSource({ ...plan, signal, features: null }).validate();
  if (evaluation !== null) await plan.kept.writeMetrics(evaluation);
}

/** After a failure: keeps what can be kept and closes what is open. What fails here must not hide the first failure. */
async function rescue({ plan, checkpoints, recorder }: Session, error: unknown): Promise<void> {
  const mayBeNaN = (error as { code?: unknown } | null)?.code === 'ERR_DIVERGED';
  const attempts = [
    async () =>
      void (mayBeNaN || recorder.epochs.length === 0 ? null : await plan.kept.keepLast(recorder.epochs.length)),
    async () => void (await plan.kept.restoreBest()),
    () => keepPixels(plan.network, 0),
    () => plan.averaging.close(),
    () => plan.freezing.restore(),
    () => plan.network.configureOptimizer(null),
    () => checkpoints.settle(),
    () => recorder.fail(error),
    () => recorder.close(),
  ];
  for (const attempt of attempts) await attempt().catch(() => undefined);
}

function startEvent({ plan, folder, needs, resume }: Session): TrainEvent {
  const { network, options, train, validation, trainTransform, evalTransform } = plan;
  return {
    type: 'start',
    epochs: options.epochs,
    stepsPerEpoch: stepsPerEpoch(plan),
    trainSamples: train.samples.length,
    validationSamples: validation?.samples.length ?? 0,
    architecture: network.architecture,
    device: network.device,
    out: folder?.dir ?? null,
    config: { ...options, trainTransform, evalTransform },
    ...leftOutOf(train, validation),
    needs,
    ...resumedAt(resume),
  };
}

/** Nothing where not even the beginning was told by the earlier process. */
function resumedAt(resume: ResumePoint | null): { resumed?: { epoch: number; step: number } } {
  if (resume === null || resume.checkpoint.state.recorder.lines === 0) return {};
  const { epoch, begun, stepper } = resume.checkpoint.state.loop;
  return { resumed: { epoch, step: begun ? stepper.step : 0 } };
}

function stopEvent({ stop, epochs, best }: TrainingHistory): TrainEvent {
  return {
    type: 'stop',
    ...stop,
    epochs: epochs.length,
    bestEpoch: best?.epoch ?? null,
    bestValue: best?.value ?? null,
  };
}

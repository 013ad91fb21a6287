/** One training from the checks to the last file: everything around the loop. */
import { findMetric } from '../metrics/registry';
import { countClasses } from '../data/splits';
import { datasetFingerprint } from '../data/fingerprint';
import { PixelStore } from '../data/store';
import { withPackedResize, packedResize, storedSixteenBit } from '../data/packed/packed-resize';
import type { Dataset, Transform } from '../data/types';
import { DatasetError } from '../errors';
import { mergeLeftOut } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import type { StopReason, TrainEvent, TrainingNeeds, TrainLogger } from '../log/types';
import type { Network } from '../model/types';
import { imageOptionsOf } from '../data/images/options';
import type { ResolvedTrainOptions } from './options';
import { Averaging } from './averaging';
import { Checkpoints } from './checkpoints';
import { KeptWeights } from './kept-weights';
import { resolveClassWeights } from './class-weights';
import { checkDataset } from './evaluate';
import { planFeatures } from './feature-cache';
import type { TrainingHistory } from './history';
import { TrainingLoop } from './loop';
import { stepsPerEpoch } from './plan';
import type { TrainingPlan } from './plan';
import { checkNeeds } from './needs';
import { optimizerOptions } from './configure-optimizer';
import { Recorder } from './recorder';
import { RunFolder } from './run-folder';
import type { DataSummary } from './run-schema';
import { FreezeSchedule } from './freeze-schedule';
import { acceptDifferences, differencesOf } from './resume';
import type { ResumePoint } from './resume';
import type { TrainingEvents } from './events';

/** What `Trainer.fit` was asked for, options checked. */
export interface TrainingRequest {
  readonly network: Network;
  readonly train: Dataset;
  readonly validation: Dataset | null;
  readonly options: ResolvedTrainOptions;
  readonly loggers: readonly TrainLogger[];
  readonly trainTransform: Transform;
  readonly evalTransform: Transform;
  readonly signal: AbortSignal | undefined;
  /** How the splits were opened; kept in the run folder for who goes on with it. */
  readonly dataSource: Readonly<Record<string, unknown>> | undefined;
  /** Null: the training begins. */
  readonly resume: ResumePoint | null;
}

interface Session {
  readonly plan: TrainingPlan;
  readonly loop: TrainingLoop;
  readonly resume: ResumePoint | null;
  readonly folder: RunFolder | null;
  readonly recorder: Recorder;
  readonly needs: TrainingNeeds;
}

interface Ending {
  readonly reason: StopReason;
  readonly message: string;
}

/** Trains; yields every event once it is written down, and returns the history. `left`: the reader wants no more. */
export async function* runTraining(asked: TrainingRequest, left: AbortSignal): TrainingEvents {
  const classWeights = check(asked);
  const request = withStoredResize(asked);
  const unlock = request.network.lock('Trainer.fit');
  let history: TrainingHistory;
  let stop: TrainEvent;
  try {
    const session = await open(request, classWeights, left);
    try {
      yield* session.recorder.record(startEvent(session));
      const ending = yield* recordedLoop(session, left);
      // An aborted training goes on from here; one that has ended needs its last checkpoint, which may be under way.
      if (ending.reason === 'aborted') await session.plan.checkpoints.write();
      await session.plan.checkpoints.settle();
      const last = await session.plan.kept.keepLast(session.recorder.epochs.length);
      if (last !== null) yield* session.recorder.record(last);
      history = await finish(session, ending);
      stop = stopEvent(history);
      await session.recorder.write(stop);
      await session.recorder.close();
    } catch (error) {
      await rescue(session, error);
      throw error;
    } finally {
      await session.plan.kept.close();
    }
  } finally {
    unlock();
  }
  yield stop;
  return history;
}

/** What was done to packed images before is a part of what the model is trained for. */
function withStoredResize(request: TrainingRequest): TrainingRequest {
  const datasets = [request.train, ...(request.validation === null ? [] : [request.validation])];
  const resized = packedResize(datasets);
  const sixteenBit = storedSixteenBit(
    datasets,
    request.options.sixteenBit ?? request.network.belongings.sixteenBit ?? undefined,
  );
  return {
    ...request,
    options: { ...request.options, sixteenBit },
    trainTransform: withPackedResize(request.trainTransform, resized),
    evalTransform: withPackedResize(request.evalTransform, resized),
  };
}

/** Refuses what can be refused before a file is touched. Returns the class weights. */
function check({ network, train, validation, options }: TrainingRequest): Float32Array {
  checkDataset(network, train);
  if (validation !== null) checkDataset(network, validation);
  if (
    validation !== null &&
    findMetric(options.bestBy)?.needsEveryClass === true &&
    new Set(validation.samples.map(({ label }) => label)).size < network.classes.length
  ) {
    throw new DatasetError(
      `${validation.name}: bestBy '${options.bestBy}' needs samples of every class; choose bestBy 'accuracy' or 'loss'`,
    );
  }
  return resolveClassWeights(options.classWeights, train);
}

/** Checks what depends on the network, makes the run folder and gets the network ready. */
async function open(request: TrainingRequest, classWeights: Float32Array, left: AbortSignal): Promise<Session> {
  const { network, train, validation, options, resume } = request;
  const config = configOf(request);
  const changes =
    resume === null
      ? []
      : acceptDifferences(
          options.out!,
          differencesOf(resume.config, { network, train, validation, options: asStored(config.options) }),
          resume.accept,
        );
  const freezing = new FreezeSchedule(network, options.freeze);
  const averaging = new Averaging(network, options.ema);
  const optimizer = optimizerOptions(network, options);
  const features = planFeatures(request, freezing.backboneFrozen(1));
  const needs = await checkNeeds(network, options, train.samples.length + (validation?.samples.length ?? 0));
  const folder = await openFolder(request);
  const recorder = new Recorder(request.loggers, folder);
  const checkpoints = new Checkpoints({
    network,
    averaging,
    recorder,
    kept: () => plan.kept,
    folder,
    options,
    belongings: network.belongings,
    assertHeld: () => Promise.resolve(),
  });
  const plan: TrainingPlan = {
    ...request,
    classWeights,
    freezing,
    averaging,
    features,
    kept: openKept(request, averaging, folder, checkpoints),
    checkpoints,
    store: new PixelStore({
      ...imageOptionsOf(options),
      maxCacheBytes: options.maxCacheBytes - (features?.bytes ?? 0),
      onBadFile: options.onBadFile,
    }),
    signal: AbortSignal.any([left, ...(request.signal === undefined ? [] : [request.signal])]),
    onSkip: (split, file) => recorder.skip(split, file),
  };
  await network.configureOptimizer(optimizer);
  const loop = new TrainingLoop(plan, resume?.checkpoint.state.loop ?? null);
  checkpoints.follow(() => loop.state());
  if (folder !== null) {
    if (resume === null) await begin(plan, folder, config);
    else await goOn(plan, folder, recorder, { resume, config, changes });
  }
  await keepPixels(network, options.maxDeviceCacheBytes);
  return { plan, loop, resume, folder, recorder, needs };
}

/** A run is one from the moment at which it can be resumed: its configuration is written after its first checkpoint. */
async function begin({ checkpoints }: TrainingPlan, folder: RunFolder, config: NewConfig): Promise<void> {
  await checkpoints.write();
  await checkpoints.settle();
  await folder.writeConfig(config);
}

/** Puts network, files and loggers back to where the checkpoint was written. */
async function goOn(
  { network, freezing, averaging, kept, checkpoints }: TrainingPlan,
  folder: RunFolder,
  recorder: Recorder,
  { resume, config, changes }: { resume: ResumePoint; config: NewConfig; changes: readonly string[] },
): Promise<void> {
  const { state, path, tensors } = resume.checkpoint;
  const { epoch, begun, stepper } = state.loop;
  await checkpoints.adopt();
  // Before the tensors are read: freezing drops the optimizer's state of what is no longer trained.
  await freezing.resume(begun ? epoch : epoch - 1);
  await network.readTensors(path, tensors, { restore: true });
  if (state.averaging) averaging.resume();
  await kept.restore(folder, state.kept);
  await recorder.restore(folder, state.recorder);
  const resumption = { time: new Date().toISOString(), epoch, step: stepper.step, changes };
  const { created, resumed = [], data, versions } = resume.config;
  await folder.writeConfig({
    ...config,
    created,
    data: { ...config.data, ...(config.data.source === undefined ? { source: data.source } : {}) },
    // What the run was begun with; a change of it is among the changes.
    versions,
    resumed: [...resumed, resumption],
  });
}

async function openFolder({ options: { out, overwrite }, resume }: TrainingRequest): Promise<RunFolder | null> {
  if (out === undefined) return null;
  return resume === null ? await RunFolder.create(out, { overwrite }) : await RunFolder.open(out);
}

type NewConfig = Parameters<RunFolder['writeConfig']>[0];

/** Options as they come back from the run folder. */
function asStored(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(options)) as Record<string, unknown>;
}

/** Returns what the run folder says of a training before it begins. */
function configOf(request: TrainingRequest): NewConfig {
  const { network, train, validation, options, trainTransform, evalTransform, dataSource } = request;
  const { architecture, classes, device, dropout, precision, convolution, channels, threads, belongings, versions } = network;
  return {
    options: { ...options, trainTransform, evalTransform },
    model: {
      architecture,
      classes,
      device,
      dropout,
      precision,
      convolution,
      channels,
      threads,
      startedFrom: belongings.origin,
    },
    data: {
      train: summary(train),
      validation: validation === null ? null : summary(validation),
      ...(dataSource === undefined ? {} : { source: dataSource }),
    },
    versions,
  };
}

function openKept(
  { network, train, options, evalTransform }: TrainingRequest,
  averaging: Averaging,
  folder: RunFolder | null,
  checkpoints: Checkpoints,
): KeptWeights {
  return new KeptWeights({
    network,
    averaging,
    folder,
    transform: evalTransform,
    sixteenBit: options.sixteenBit,
    threshold: options.preset === 'tutorial' && options.threshold === 'validation' ? 0.5 : options.threshold,
    keep: options.keep,
    origin: `trained on ${train.name} from ${network.belongings.origin}`,
    alsoNeeded: () => checkpoints.needs,
  });
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

/** On a GPU: images stay there from the first epoch on. */
async function keepPixels(network: Network, bytes: number): Promise<void> {
  if (network.device !== 'cpu') await network.keepPixels(bytes);
}

async function finish({ plan, folder, recorder }: Session, { reason, message }: Ending): Promise<TrainingHistory> {
  await keepPixels(plan.network, 0);
  await plan.network.configureOptimizer(null);
  await plan.freezing.restore();
  const restored = await plan.kept.restoreBest();
  return {
    epochs: recorder.epochs,
    best: plan.kept.best,
    stop: { reason, message },
    restored,
    skipped: recorder.skipped,
    out: folder?.dir ?? null,
  };
}

/** After a failure: keeps what can be kept and closes what is open. What fails here must not hide the first failure. */
async function rescue({ plan, recorder }: Session, error: unknown): Promise<void> {
  const mayBeNaN = (error as { code?: unknown } | null)?.code === 'ERR_DIVERGED';
  const attempts = [
    async () =>
      void (mayBeNaN || recorder.epochs.length === 0 ? null : await plan.kept.keepLast(recorder.epochs.length)),
    async () => void (await plan.kept.restoreBest()),
    () => keepPixels(plan.network, 0),
    () => plan.averaging.close(),
    () => plan.freezing.restore(),
    () => plan.network.configureOptimizer(null),
    () => plan.checkpoints.settle(),
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
  const { epoch, stepper } = resume.checkpoint.state.loop;
  return { resumed: { epoch, step: stepper.step } };
}

/** Absent where nothing was left out. */
function leftOutOf(...datasets: readonly (Dataset | null)[]): { leftOut?: readonly LeftOut[] } {
  const leftOut = mergeLeftOut(...datasets.map((dataset) => dataset?.leftOut));
  return leftOut.length === 0 ? {} : { leftOut };
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

function summary(dataset: Dataset): DataSummary {
  return {
    name: dataset.name,
    samples: dataset.samples.length,
    classes: countClasses(dataset),
    fingerprint: datasetFingerprint(dataset),
    ...leftOutOf(dataset),
  };
}

/** Makes everything ready for the loop: at the beginning of a training, or where an earlier process has stopped. */
import { basename, dirname } from 'node:path';
import type { NativeOptimizerOptions } from '../addon/optimizers';
import { PixelStore } from '../data/store';
import type { SkippedFile } from '../data/types';
import { imageOptionsOf } from '../data/images/options';
import { CovidCtError } from '../errors';
import { ownFolder } from '../files/owner';
import type { OwnedFolder } from '../files/owner';
import type { TrainingNeeds } from '../log/types';
import type { Network } from '../model/types';
import { Averaging } from './averaging';
import { Checkpoints } from './checkpoints';
import { optimizerOptions } from './configure-optimizer';
import { planFeatures } from './feature-cache';
import type { FeaturePlan } from './feature-cache';
import { FreezeSchedule } from './freeze-schedule';
import { KeptWeights } from './kept-weights';
import { TrainingLoop } from './loop';
import { checkNeeds } from './needs';
import type { TrainingPlan } from './plan';
import { Recorder } from './recorder';
import { acceptDifferences, differencesOf } from './resume';
import type { ResumePoint } from './resume';
import { asStored, configOf } from './run-config';
import type { NewConfig } from './run-config';
import { assertRunFolderFree, RunFolder } from './run-folder';
import { checkpointNames, readLatestCheckpoint } from './checkpoint';
import { removeUnfinished } from './leftovers';
import type { TrainingRequest } from './training-request';

/** A training that is ready to run. */
export interface Session {
  readonly plan: TrainingPlan;
  readonly loop: TrainingLoop;
  readonly checkpoints: Checkpoints;
  readonly resume: ResumePoint | null;
  readonly folder: RunFolder | null;
  readonly recorder: Recorder;
  readonly needs: TrainingNeeds;
  /** Null without a run folder. */
  readonly owned: OwnedFolder | null;
}

/** Checks what depends on the network, makes the run folder, which it owns from then on, and gets the network ready. */
export async function openSession(
  request: TrainingRequest,
  classWeights: Float32Array,
  left: AbortSignal,
): Promise<Session> {
  const { network, train, validation, options, resume } = request;
  // Without a run folder nobody reads it, and a look at every file of a large data set takes a while.
  const config = options.out === undefined ? null : await configOf(request);
  const optimizer = optimizerOptions(network, options);
  const freezing = new FreezeSchedule(network, options.freeze);
  const features = planFeatures(request, freezing.backboneFrozen(1));
  const images = train.samples.length + (validation?.samples.length ?? 0);
  const needs = await checkNeeds(network, options, { images, resumes: resume !== null });
  const owned = await own(request);
  try {
    const present = { ...request, resume: resume === null ? null : await withLatest(resume) };
    const changes = acceptedChanges(present, config);
    const folder = await openFolder(present);
    const parts = { request: present, classWeights, freezing, features, folder, left, owned };
    const session = await start(parts, { config, changes, optimizer });
    return { ...session, needs, resume: present.resume };
  } catch (error) {
    await owned?.release().catch(() => undefined); // must not hide the first failure
    throw error;
  }
}

/** Takes the run folder; null where there is to be none. Throws RunBusyError while another training has it. */
async function own({ options: { out, overwrite }, resume, signal }: TrainingRequest): Promise<OwnedFolder | null> {
  if (out === undefined) return null;
  if (resume === null) await assertRunFolderFree(out, overwrite);
  // A signal that has fired already ends the training in the loop, as one that fires later does.
  return await ownFolder(out, 'Trainer.fit', signal?.aborted === true ? {} : { signal });
}

/**
 * The owner before may have gone on since the checkpoint was read.
 *
 * @throws CovidCtError ERR_RESUME where it has begun another run there
 */
async function withLatest(resume: ResumePoint): Promise<ResumePoint> {
  const dir = dirname(dirname(resume.checkpoint.path));
  const config = await (await RunFolder.open(dir)).config();
  if (config.created !== resume.config.created)
    throw new CovidCtError(
      'ERR_RESUME',
      `${dir}: expected the run that was begun at ${resume.config.created}; it was replaced by one of ` +
        `${config.created}; call Trainer.resume again to go on with that`,
    );
  const [latest] = await checkpointNames(dir);
  if (latest !== undefined && latest.name === basename(resume.checkpoint.path)) return { ...resume, config };
  return { ...resume, config, checkpoint: await readLatestCheckpoint(dir, () => undefined) };
}

interface StartParts {
  /** Null without a run folder. */
  readonly config: NewConfig | null;
  readonly changes: readonly string[];
  readonly optimizer: NativeOptimizerOptions;
}

/** Begins the training, or puts everything back to where it goes on from. */
async function start(
  parts: Omit<PlanParts, 'recorder'>,
  { config, changes, optimizer }: StartParts,
): Promise<Omit<Session, 'needs' | 'resume'>> {
  const { request, folder, owned } = parts;
  const { network, options, resume } = request;
  const recorder = new Recorder(request.loggers, folder, {
    loggerTimeout: request.loggerTimeout,
    best: resume?.checkpoint.state.kept.best ?? null,
    assertHeld: async () => await owned?.assertHeld(),
  });
  const { plan, checkpoints } = planOf({ ...parts, recorder });
  const loop = new TrainingLoop(plan, resume?.checkpoint.state.loop ?? null);
  checkpoints.follow(() => loop.state());
  try {
    await network.configureOptimizer(optimizer);
    if (folder !== null && config !== null) {
      if (resume === null) await begin(checkpoints, folder, config);
      else await goOn({ plan, checkpoints, recorder }, folder, { resume, config, changes });
    }
    await keepPixels(network, options.maxDeviceCacheBytes);
  } catch (error) {
    // A logger that goes on with a file has it open; what fails here must not hide the first failure.
    if (resume !== null) await recorder.abandon().catch(() => undefined);
    await plan.freezing.restore().catch(() => undefined);
    await network.configureOptimizer(null).catch(() => undefined);
    throw error;
  }
  return { plan, loop, checkpoints, folder, recorder, owned };
}

/** What is not as when the run began, in words; none at a beginning. Throws ERR_RESUME for what was not accepted. */
function acceptedChanges({ network, options, resume }: TrainingRequest, config: NewConfig | null): string[] {
  if (resume === null || config === null) return [];
  const now = { network, data: config.data, options: asStored(config.options) };
  return acceptDifferences(options.out!, differencesOf(resume.config, now), resume.accept);
}

interface PlanParts {
  readonly request: TrainingRequest;
  readonly classWeights: Float32Array;
  readonly freezing: FreezeSchedule;
  readonly features: FeaturePlan | null;
  readonly folder: RunFolder | null;
  readonly recorder: Recorder;
  readonly left: AbortSignal;
  readonly owned: OwnedFolder | null;
}

function planOf({ request, folder, recorder, left, owned, ...parts }: PlanParts): {
  plan: TrainingPlan;
  checkpoints: Checkpoints;
} {
  const { network, options } = request;
  const averaging = new Averaging(network, options.ema);
  const { belongings } = network;
  const assertHeld = async (): Promise<void> => await owned?.assertHeld();
  const checkpoints = new Checkpoints({
    network,
    averaging,
    recorder,
    kept: () => kept,
    folder,
    options,
    belongings,
    assertHeld,
  });
  const kept = openKept({ request, averaging, folder, checkpoints, assertHeld });
  const plan = {
    ...request,
    ...parts,
    averaging,
    kept,
    checkpoints,
    store: new PixelStore({
      ...imageOptionsOf(options),
      maxCacheBytes: options.maxCacheBytes - (parts.features?.bytes ?? 0),
      onBadFile: options.onBadFile,
    }),
    signal: AbortSignal.any([left, ...(request.signal === undefined ? [] : [request.signal])]),
    onSkip: (split: string, file: SkippedFile) => recorder.skip(split, file),
  };
  return { plan, checkpoints };
}

/** A run is one from the moment at which it can be resumed: its configuration is written after its first checkpoint. */
async function begin(checkpoints: Checkpoints, folder: RunFolder, config: NewConfig): Promise<void> {
  await checkpoints.write();
  await checkpoints.settle();
  await folder.writeConfig(config);
}

/** Puts network, files and loggers back to where the checkpoint was written. */
async function goOn(
  { plan, checkpoints, recorder }: Pick<Session, 'plan' | 'checkpoints' | 'recorder'>,
  folder: RunFolder,
  { resume, config, changes }: { resume: ResumePoint; config: NewConfig; changes: readonly string[] },
): Promise<void> {
  const { network, freezing, averaging, kept } = plan;
  const { state, path, tensors } = resume.checkpoint;
  const { epoch, begun, stepper } = state.loop;
  await checkpoints.adopt(basename(path));
  // Before the tensors are read: freezing drops the optimizer's state of what is no longer trained.
  await freezing.resume(begun ? epoch : epoch - 1);
  await network.readTensors(path, tensors, { restore: true });
  if (state.averaging) averaging.resume();
  await kept.restore(folder, state.kept);
  await recorder.restore(folder, state.recorder);
  const resumption = { time: new Date().toISOString(), epoch, step: begun ? stepper.step : 0, changes };
  const { created, resumed = [], data } = resume.config;
  await folder.writeConfig({
    ...config,
    created,
    data: { ...config.data, ...(config.data.source === undefined ? { source: data.source } : {}) },
    resumed: [...resumed, resumption],
  });
}

async function openFolder({ options: { out, overwrite }, resume }: TrainingRequest): Promise<RunFolder | null> {
  if (out === undefined) return null;
  if (resume === null) return await RunFolder.createOwned(out, overwrite);
  const folder = await RunFolder.open(out);
  await removeUnfinished(folder.dir);
  return folder;
}

interface KeptParts {
  readonly request: TrainingRequest;
  readonly averaging: Averaging;
  readonly folder: RunFolder | null;
  readonly checkpoints: Checkpoints;
  readonly assertHeld: () => Promise<void>;
}

function openKept({ request, averaging, folder, checkpoints, assertHeld }: KeptParts): KeptWeights {
  const { network, train, options, evalTransform } = request;
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
    assertHeld,
  });
}

/** On a GPU: images stay there from the first epoch on. */
export async function keepPixels(network: Network, bytes: number): Promise<void> {
  if (network.device !== 'cpu') await network.keepPixels(bytes);
}

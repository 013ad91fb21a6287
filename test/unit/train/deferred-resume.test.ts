/**
 * Resuming where steps are deferred, as on a GPU: a checkpoint waits for what is under way, so that nothing is counted
 * twice or forgotten, and the events are those of one training.
 */
import { join } from 'node:path';
import { optionsOfRun } from '../../../src/train/open-run';
import { readLatestCheckpoint } from '../../../src/train/checkpoint';
import type { TrainEvent } from '../../../src/log/types';
import { RunFolder } from '../../../src/train/run-folder';
import { runTraining } from '../../../src/train/session';
import { Trainer } from '../../../src/train/trainer';
import type { TrainerOptions } from '../../../src/train/trainer';
import { stoppedWhenLeft } from '../../../src/train/events';
import type { NativeTrainOutputs } from '../../../src/addon/types';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, inTemporaryFolder, makeDataset, RECIPE } from './made-up';

/** A fake that says it is on a GPU, and refuses to have its state taken while outputs are pending. */
class FakeGpu extends FakeNetwork {
  override readonly device: string = 'cuda:0';
  underWay = 0;
  states = 0;

  protected override async step(...[batch, options]: Parameters<FakeNetwork['step']>): Promise<NativeTrainOutputs> {
    if (options.deferred === true) this.underWay += 1;
    return await super.step(batch, options);
  }

  override readOutputs(): Promise<NativeTrainOutputs> {
    this.underWay -= 1;
    return super.readOutputs();
  }

  override trainingState(): ReturnType<FakeNetwork['trainingState']> {
    if (this.underWay > 0) throw new Error(`${this.underWay} steps are under way`);
    this.states += 1;
    return super.trainingState();
  }
}

const recipe = { ...RECIPE, epochs: 3, checkpointEvery: { steps: 1 } } as const;
const splitsOf = async () => ({
  train: await makeDataset('train', 18),
  validation: await makeDataset('validation', 10, { seed: 2 }),
});
type Splits = Awaited<ReturnType<typeof splitsOf>>;

/** What a run folder keeps of its events, without clock and places. */
async function historyOf(out: string): Promise<unknown[]> {
  const { events } = await (await RunFolder.open(out)).history();
  return events.map((event) => ({ ...event, time: '', seconds: 0, path: '', out: '', needs: null, config: null }));
}

/** The training of a Trainer whose network cannot be made from a run folder, for it is a fake. */
async function goOn(out: string, model: FakeNetwork, { train, validation }: Splits) {
  const config = await (await RunFolder.open(out)).config();
  const checkpoint = await readLatestCheckpoint(out, (message) => {
    throw new Error(message);
  });
  model.belongings = checkpoint.state.belongings;
  const stored = optionsOfRun(config) as Partial<TrainerOptions>;
  const { options } = new Trainer({ ...recipe, model: model.classifier, out });
  const request = {
    network: model,
    train,
    validation,
    options,
    loggers: [],
    loggerTimeout: 0,
    trainTransform: stored.trainTransform!,
    evalTransform: stored.evalTransform!,
    signal: undefined,
    dataSource: undefined,
    resume: { checkpoint, config, accept: [] },
  };
  return stoppedWhenLeft((left) => runTraining(request, left));
}

/** Reads events until `count` steps have come; whether that was before the end. */
async function read(events: AsyncGenerator<TrainEvent>, count: number): Promise<boolean> {
  let steps = 0;
  for await (const event of events) {
    if (event.type === 'step' && (steps += 1) >= count) return true;
  }
  return false;
}

test.each([1, 2, 3, 4, 7])('left after every %i steps: the weights and the history of one training', async (count) => {
  await inTemporaryFolder(async (dir) => {
    const splits = await splitsOf();
    const whole = new FakeGpu(CLASSES);
    const trainer = new Trainer({ ...recipe, model: whole.classifier, out: join(dir, 'whole') });
    await trainer.fit(splits.train, splits.validation);
    expect(whole.states).toBeGreaterThan(9);

    const out = join(dir, 'pieces');
    let model = new FakeGpu(CLASSES);
    const first = new Trainer({ ...recipe, model: model.classifier, out });
    let isLeft = await read(first.events(splits.train, splits.validation), count);
    let parts = 1;
    for (; isLeft; parts += 1) {
      model = new FakeGpu(CLASSES);
      isLeft = await read(await goOn(out, model, splits), count);
    }
    expect(parts).toBeGreaterThan(2);
    expect(model.weights).toEqual(whole.weights);
    expect(await historyOf(out)).toEqual(await historyOf(join(dir, 'whole')));
  });
});

/** Training a network on a GPU: steps are started ahead of their figures; what comes out is what a network that is waited for gives. */
import { messageOf } from '../../../src/errors';
import type { TrainEvent } from '../../../src/log/types';
import { Trainer } from '../../../src/train/trainer';
import type { NativeBatch, NativeTrainOutputs, NativeTrainStepOptions } from '../../../src/addon/types';
import { FakeNetwork } from './fake-network';
import { CLASSES, Memory, RECIPE, makeDataset } from './made-up';

/** A fake that says it is on a GPU: outputs are fetched later, and the optimizer leaves weights alone after a bad loss. */
class FakeGpu extends FakeNetwork {
  override readonly device = 'cuda:0' as 'cpu';
  readonly order: string[] = [];
  private readonly started: NativeTrainOutputs[] = [];
  private halted = false;

  override trainStep(...call: Parameters<FakeNetwork['trainStep']>): Promise<NativeTrainOutputs> {
    this.order.push('step');
    return super.trainStep(...call);
  }

  async startStep(batch: NativeBatch, options: NativeTrainStepOptions): Promise<void> {
    this.order.push('start');
    const outputs = await super.trainStep(batch, options);
    this.halted ||= !outputs.losses.every(Number.isFinite);
    this.started.push(outputs);
  }

  fetchOutputs(): Promise<NativeTrainOutputs> {
    this.order.push('fetch');
    return Promise.resolve(this.started.shift()!);
  }

  override async optimizerStep(...options: Parameters<FakeNetwork['optimizerStep']>): Promise<void> {
    this.order.push('update');
    if (!this.halted) await super.optimizerStep(...options);
  }

  override async resetOptimizer(): Promise<void> {
    this.started.length = 0;
    this.halted = false;
    await super.resetOptimizer();
  }

  keepPixels(bytes: number): Promise<void> {
    this.order.push(`keep ${bytes}`);
    return Promise.resolve();
  }
}

/** As a logger sees them, without clock, device, options and temporary paths. */
const seen = (events: readonly TrainEvent[]): unknown[] =>
  events.map((event) => ({ ...event, seconds: 0, device: '', config: null, path: '' }));

async function train(
  model: FakeNetwork,
  options: {
    signal?: AbortSignal;
    maxDeviceCacheBytes?: number;
    maxGradientNorm?: number;
    onEvent?: (event: TrainEvent) => void;
  } = {},
) {
  const { signal, onEvent, ...rest } = options;
  const memory = new Memory();
  const log = memory.log.bind(memory);
  memory.log = (event) => {
    log(event);
    onEvent?.(event);
  };
  const trainer = new Trainer({ model, ...RECIPE, epochs: 3, loggers: [memory], ...rest });
  const run = trainer.fit(await makeDataset('train', 18), await makeDataset('validation', 10, { seed: 2 }), { signal });
  const error = await run.then(() => '', messageOf);
  return { error, reason: error === '' ? (await run).stop.reason : null, events: memory.events };
}

test('the same events, figures and weights; three steps are under way before the first is waited for; pixels are kept while it trains', async () => {
  const [cpu, gpu] = [new FakeNetwork(CLASSES), new FakeGpu(CLASSES)];
  const [expected, found] = [await train(cpu), await train(gpu, { maxDeviceCacheBytes: 12345 })];
  expect(seen(found.events)).toEqual(seen(expected.events));
  expect(gpu.weights).toEqual(cpu.weights);
  // 5 micro-batches an epoch in windows of 2.
  const epoch = 'start start update start fetch start fetch update start fetch update fetch fetch';
  expect(gpu.order.join(' ')).toBe(`keep 12345 ${epoch} ${epoch} ${epoch} keep 0`);
});

test('a loss that is not finite ends the training under its own step, and no weight has seen it', async () => {
  const [cpu, gpu] = [new FakeNetwork(CLASSES), new FakeGpu(CLASSES)];
  for (const model of [cpu, gpu]) model.sabotage = { atStep: 7, loss: NaN };
  const [expected, found] = [await train(cpu), await train(gpu)];
  expect(found.error).toMatch(/NaN in epoch 2, step 2/);
  expect(found.error).toBe(expected.error);
  expect(gpu.weights).toEqual(cpu.weights);
  expect(gpu.order.at(-1)).toBe('keep 0');
});

/** Aborts at the first step of the second epoch whose figures are known, when two more are under way. */
async function abortedInEpochTwo(gpu: FakeGpu) {
  const stop = new AbortController();
  return await train(gpu, {
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'step' && event.epoch === 2) stop.abort();
    },
  });
}

test('an abort waits for what is under way, and tells of it', async () => {
  const gpu = new FakeGpu(CLASSES);
  const found = await abortedInEpochTwo(gpu);
  expect(found.reason).toBe('aborted');
  expect(found.events.flatMap((event) => (event.type === 'step' && event.epoch === 2 ? [event.step] : []))).toEqual([
    1, 2, 3,
  ]);
  expect(gpu.order.at(-1)).toBe('keep 0');
  // And the next training begins anew.
  gpu.order.length = 0;
  expect((await train(gpu)).reason).toBe('epochs');
});

test('a loss that is not finite and under way at an abort, or at another failure, is what the training ends by', async () => {
  const aborted = new FakeGpu(CLASSES);
  aborted.sabotage = { atStep: 7, loss: NaN };
  expect((await abortedInEpochTwo(aborted)).error).toMatch(/NaN in epoch 2, step 2/);

  class Broken extends FakeGpu {
    override async optimizerStep(...options: Parameters<FakeNetwork['optimizerStep']>): Promise<void> {
      if (this.order.filter((each) => each === 'update').length === 4) throw new Error('the cable was pulled');
      await super.optimizerStep(...options);
    }
  }
  for (const [loss, message] of [
    [NaN, /NaN in epoch 2, step 2/],
    [1, /cable/],
  ] as const) {
    const broken = new Broken(CLASSES);
    broken.sabotage = { atStep: 7, loss };
    expect((await train(broken)).error).toMatch(message);
    expect(broken.order.at(-1)).toBe('keep 0');
  }
});

test('a weighted loss that is not finite is a divergence too', async () => {
  class Heavy extends FakeNetwork {
    override async trainStep(...call: Parameters<FakeNetwork['trainStep']>): Promise<NativeTrainOutputs> {
      return { ...(await super.trainStep(...call)), objective: Infinity };
    }
  }
  expect((await train(new Heavy(CLASSES))).error).toMatch(/the loss became Infinity in epoch 1, step 1/);
});

test('with clipped gradients, whose norm every optimizer step waits for, steps are waited for', async () => {
  const gpu = new FakeGpu(CLASSES);
  expect((await train(gpu, { maxGradientNorm: 1 })).reason).toBe('epochs');
  expect(new Set(gpu.order)).toEqual(new Set([`keep ${1024 ** 3}`, 'step', 'update', 'keep 0']));
});

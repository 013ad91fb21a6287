/** Training on a GPU: steps are deferred, and events and weights are those of a training that waits for each step. */
import { messageOf } from '../../../src/errors';
import type { TrainEvent } from '../../../src/log/types';
import { Trainer } from '../../../src/train/trainer';
import type { NativeOptimizerOptions } from '../../../src/addon/optimizers';
import type { NativeTrainOutputs } from '../../../src/addon/types';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, Memory, RECIPE, makeDataset } from './made-up';

/** A fake that says it is on a GPU: outputs are read later, and the optimizer leaves weights alone after a bad loss. */
class FakeGpu extends FakeNetwork {
  override readonly device: string = 'cuda:0';
  readonly order: string[] = [];
  private foundInf = false;

  protected override async step(...[batch, options]: Parameters<FakeNetwork['step']>): Promise<NativeTrainOutputs> {
    this.order.push(options.deferred === true ? 'start' : 'step');
    const outputs = await super.step(batch, options);
    this.foundInf ||= !outputs.losses.every(Number.isFinite);
    return outputs;
  }

  override readOutputs(): Promise<NativeTrainOutputs> {
    this.order.push('read');
    return super.readOutputs();
  }

  override async optimizerStep(learningRate: number): Promise<number | null> {
    this.order.push('update');
    return this.foundInf ? null : await super.optimizerStep(learningRate);
  }

  override async configureOptimizer(options: NativeOptimizerOptions | null): Promise<void> {
    this.foundInf = false;
    await super.configureOptimizer(options);
  }

  override keepPixels(bytes: number): Promise<void> {
    this.order.push(`keep ${bytes}`);
    return Promise.resolve();
  }
}

/** As a logger sees them, without clock, device, options and temporary paths. */
const seen = (events: readonly TrainEvent[]): unknown[] =>
  events.map((event) => ({ ...event, seconds: 0, device: '', config: null, needs: null, path: '' }));

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
  const trainer = new Trainer({ model: model.classifier, ...RECIPE, epochs: 3, loggers: [memory], ...rest });
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
  const epoch = 'start start update start read start read update start read update read read';
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
    override async optimizerStep(learningRate: number): Promise<number | null> {
      if (this.order.filter((each) => each === 'update').length === 4) throw new Error('the cable was pulled');
      return await super.optimizerStep(learningRate);
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
    protected override async step(...call: Parameters<FakeNetwork['step']>): Promise<NativeTrainOutputs> {
      return { ...(await super.step(...call)), objective: Infinity };
    }
  }
  expect((await train(new Heavy(CLASSES))).error).toMatch(/the loss became Infinity in epoch 1, step 1/);
});

test('with clipped gradients, whose norm every optimizer step waits for, steps are waited for', async () => {
  const gpu = new FakeGpu(CLASSES);
  expect((await train(gpu, { maxGradientNorm: 1 })).reason).toBe('epochs');
  expect(new Set(gpu.order)).toEqual(new Set([`keep ${1024 ** 3}`, 'step', 'update', 'keep 0']));
});

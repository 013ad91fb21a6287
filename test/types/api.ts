/** The public types, checked by `npm run typecheck`; nothing here runs. */
import { expectTypeOf } from 'expect-type';
import { Classifier, EarlyStopping, evaluate, PackedDataset, preparePacked, Trainer } from '../../src';
import { runBenchmark } from '../../src/bench/index';
import type { BenchRow, Spread as BenchSpread } from '../../src/bench/index';
import { compareRuns, listRuns, pruneRuns, readProgress } from '../../src/runs/index';
import type { RunState, TrainingProgress } from '../../src/runs/index';
import type {
  BestEpoch,
  CovidCtDataset,
  Dataset,
  DatasetSplits,
  EpochRecord,
  Evaluation,
  Explanation,
  Interval,
  Precision,
  Prediction,
  StopReason,
  TrainEvent,
  TrainingHistory,
  Transform,
} from '../../src';

export async function fitted(model: Classifier, data: CovidCtDataset): Promise<void> {
  expectTypeOf(data.train).toExtend<Dataset>();
  const trainer = new Trainer({ model });
  for await (const event of trainer.events(data.train, null)) {
    expectTypeOf(event).toEqualTypeOf<TrainEvent>();
    if (event.type === 'epoch') expectTypeOf(event).toExtend<EpochRecord>();
    if (event.type === 'stop') expectTypeOf(event.reason).toEqualTypeOf<StopReason>();
    // @ts-expect-error a step has no such figure
    if (event.type === 'step') expectTypeOf(event.validationLoss).toBeNever();
  }
  expectTypeOf(await trainer.fit(data.train, null)).toEqualTypeOf<TrainingHistory>();
  expectTypeOf(await evaluate(model, data.test)).toEqualTypeOf<Evaluation>();
  expectTypeOf(await model.predict('slice.png')).toEqualTypeOf<Prediction[]>();
  expectTypeOf(await model.explain([new Uint8Array()])).toEqualTypeOf<Explanation[]>();
  expectTypeOf(model.transform).toEqualTypeOf<Transform>();
  expectTypeOf(model.precision).toEqualTypeOf<Precision>();
  expectTypeOf(new EarlyStopping().stop()).toEqualTypeOf<0 | 1 | 2 | 3>();
  expectTypeOf(new EarlyStopping().decision()).toEqualTypeOf<'continue' | 'stop' | 'accuracyPlateau' | 'lossPlateau'>();
  using scoped = await Classifier.load('runs/first');
  expectTypeOf(scoped).toEqualTypeOf<Classifier>();
}

export async function measured(): Promise<void> {
  for await (const row of runBenchmark({ batchSizes: [8], peers: ['pytorch', 'onnxruntime'] })) {
    expectTypeOf(row).toEqualTypeOf<BenchRow>();
    if (row.type === 'target') expectTypeOf(row.ratio).toEqualTypeOf<BenchSpread | null>();
    if (row.type === 'result') expectTypeOf(row.mode).toEqualTypeOf<'train' | 'predict' | 'cold'>();
  }
  // @ts-expect-error not a peer
  runBenchmark({ peers: ['tensorflow'] });
}

export async function packed(data: CovidCtDataset): Promise<void> {
  expectTypeOf((await preparePacked(data, 'all.pack', { resize: 256 })).fingerprint).toEqualTypeOf<string>();
  const opened = await PackedDataset.open('all.pack');
  expectTypeOf(opened).toExtend<DatasetSplits>();
  expectTypeOf(opened.resize).toEqualTypeOf<number | null>();
  // @ts-expect-error not an option
  await preparePacked(data, 'all.pack', { size: 256 });
}

export async function overseen(): Promise<void> {
  const { runs } = await listRuns('runs');
  expectTypeOf(runs[0]!.state).toEqualTypeOf<RunState>();
  expectTypeOf(runs[0]!.best).toEqualTypeOf<BestEpoch | null>();
  const { metrics, pairs } = await compareRuns(['runs/a', 'runs/b'], { split: 'test' });
  expectTypeOf(metrics[0]!.intervals).toEqualTypeOf<readonly (Interval | null)[]>();
  expectTypeOf(pairs[0]!.mcnemar.p).toBeNumber();
  expectTypeOf(await readProgress('runs/a')).toEqualTypeOf<TrainingProgress | null>();
  expectTypeOf((await pruneRuns('runs', { states: ['killed'], dryRun: false })).bytes).toBeNumber();
  // @ts-expect-error a running training is never removed
  await pruneRuns('runs', { states: ['running'] });
  // @ts-expect-error not a split that runs are compared by
  await compareRuns(['runs/a', 'runs/b'], { split: 'train' });
}

export async function refused(model: Classifier): Promise<void> {
  // @ts-expect-error classes are needed
  await Classifier.create({ architecture: 'vgg19_bn' });
  // @ts-expect-error not a precision
  await Classifier.load('runs/first', { precision: 'fp16' });
  // @ts-expect-error a trainer needs a model
  new Trainer({ epochs: 3 });
  // @ts-expect-error misspelled
  new Trainer({ model, learningrate: 0.1 });
  // @ts-expect-error not a metric
  new Trainer({ model, bestBy: 'f2' });
}

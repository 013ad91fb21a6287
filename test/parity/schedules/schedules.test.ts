/** Learning rates step by step, equal to torch.optim.lr_scheduler's; make_reference.py beside this wrote them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScheduleOptions } from '../../../src/train/fine-tuning-options';
import { EarlyStopping } from '../../../src/train/early-stopping';
import { LearningRateSchedule } from '../../../src/train/schedule';

type Case = { schedule: ScheduleOptions; learningRate: number; stepsPerEpoch: number; epochs: number; rates: number[] };
const { cases } = JSON.parse(readFileSync(join(__dirname, 'reference.json'), 'utf8')) as { cases: Case[] };

test.each(cases.map((each) => [JSON.stringify(each.schedule), each] as const))('%s', (_name, { rates, ...options }) => {
  const schedule = new LearningRateSchedule({ factor: 0.1, ...options });
  expect(rates).toHaveLength(options.epochs * options.stepsPerEpoch);
  for (const [step, expected] of rates.entries()) {
    if (step % options.stepsPerEpoch === 0) schedule.beginEpoch(step / options.stepsPerEpoch + 1);
    const { learningRate } = schedule;
    // Torch sums many small steps; beside a rate that is all but 0 its own error shows.
    expect(Math.abs(learningRate - expected)).toBeLessThan(1e-12 * expected + 1e-15 * options.learningRate);
    schedule.stepped();
  }
});

test('an epoch with fewer steps than planned does not delay the next; beyond the end the last rate stays', () => {
  const make = () =>
    new LearningRateSchedule({
      learningRate: 1,
      factor: 0.1,
      schedule: { type: 'cosine', warmupEpochs: 0, warmupStart: 0.1, minLearningRate: 0 },
      stepsPerEpoch: 10,
      epochs: 2,
    });
  const [short, whole] = [make(), make()];
  for (let step = 0; step < 10; step += 1) whole.stepped();
  short.stepped();
  short.beginEpoch(2);
  expect(short.learningRate).toBe(whole.learningRate);
  expect(short.state()).toEqual({ plateauRate: 1, step: 10 });
  for (let step = 0; step < 50; step += 1) whole.stepped();
  expect(whole.learningRate).toBeCloseTo((1 + Math.cos((Math.PI * 19) / 20)) / 2, 12);
});

test('other schedules than plateau leave code 3 alone, and stop at code 1', () => {
  const worse = new EarlyStopping({ patience: 0 });
  worse.addData(1, 0.5);
  worse.addData(2, 0.6);
  expect(worse.stop()).toBe(3);
  expect(
    new LearningRateSchedule({ learningRate: 1, factor: 0.1, schedule: { type: 'constant' } }).decide(worse),
  ).toMatchObject({ action: 'continue' });
  expect(
    new LearningRateSchedule({ learningRate: 1, factor: 0.1, schedule: { type: 'plateau', factor: 0.5 } }).decide(
      worse,
    ),
  ).toMatchObject({ action: 'reduce', from: 1, to: 0.5 });
  worse.addData(3, 0.1);
  worse.addData(4, 0.1);
  expect(worse.stop()).toBe(1);
  expect(
    new LearningRateSchedule({ learningRate: 1, factor: 0.1, schedule: { type: 'constant' } }).decide(worse),
  ).toMatchObject({ action: 'stop' });
});

/** EarlyStopping against a reference written from the description in Python, and its own promises. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EarlyStopping } from '../../../src/train/early-stopping';
import { LearningRateSchedule } from '../../../src/train/schedule';

interface Case {
  patience: number;
  steps: { loss: number; accuracy: number; code: number; running: [number, number]; reset: boolean }[];
}
const cases = JSON.parse(readFileSync(join(__dirname, 'fixtures/early-stopping.json'), 'utf8')) as Case[];

/** Feeds the same loss and accuracy until the stopper's code is not 0; gives the number of epochs it took. */
function feed(stopper: EarlyStopping, values: [number, number][]): number[] {
  return values.map(([loss, accuracy]) => {
    stopper.addData(loss, accuracy);
    return stopper.stop();
  });
}

test('follows the reference through 60 random sequences, ties and resets included', () => {
  const seen = new Set<number>();
  for (const { patience, steps } of cases) {
    const stopper = new EarlyStopping({ patience });
    for (const step of steps) {
      stopper.addData(step.loss, step.accuracy);
      expect(stopper.stop()).toBe(step.code);
      expect(stopper.decision()).toBe(['continue', 'stop', 'accuracyPlateau', 'lossPlateau'][step.code]);
      expect(stopper.runningLoss).toBeCloseTo(step.running[0], 12);
      expect(stopper.runningAccuracy).toBeCloseTo(step.running[1], 12);
      seen.add(step.code);
      if (step.reset) stopper.reset();
    }
  }
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
});

test('a state put into JSON and back continues exactly', () => {
  for (const { patience, steps } of cases) {
    let stopper = new EarlyStopping({ patience });
    for (const step of steps) {
      stopper = EarlyStopping.fromState(JSON.parse(JSON.stringify(stopper.state())));
      stopper.addData(step.loss, step.accuracy);
      expect(stopper.stop()).toBe(step.code);
      if (step.reset) stopper.reset();
    }
  }
});

test('patience is exceeded only by more epochs than it names, and equal values never count', () => {
  expect(
    feed(new EarlyStopping({ patience: 1 }), [
      [1, 0.5],
      [2, 0.4],
      [2, 0.4],
      [2, 0.4],
    ]),
  ).toEqual([0, 0, 1, 1]);
  expect(
    feed(new EarlyStopping({ patience: 0 }), [
      [1, 0.5],
      [1, 0.5],
      [1, 0.5],
    ]),
  ).toEqual([0, 0, 0]);
  expect(
    feed(new EarlyStopping({ patience: 0 }), [
      [1, 0.5],
      [2, 0.5],
    ]),
  ).toEqual([0, 3]);
  expect(
    feed(new EarlyStopping({ patience: 0 }), [
      [1, 0.5],
      [1, 0.4],
    ]),
  ).toEqual([0, 2]);
});

test('reset clears the counts and keeps the bests', () => {
  const stopper = new EarlyStopping({ patience: 0 });
  feed(stopper, [
    [1, 0.5],
    [2, 0.5],
  ]);
  stopper.reset();
  expect(stopper.stop()).toBe(0);
  expect(stopper.state()).toMatchObject({ bestRunningLoss: 1, runningLoss: expect.closeTo(1.2, 12), lossCount: 0 });
});

test('tells its reason in words for every code', () => {
  const reason = (values: [number, number][]): string => {
    const stopper = new EarlyStopping({ patience: 0 });
    feed(stopper, values);
    return stopper.reason();
  };
  expect(reason([[1, 0.5]])).toContain('within the patience of 0');
  expect(
    reason([
      [1, 0.5],
      [2, 0.4],
    ]),
  ).toMatch(/running loss \(1\.2000\).*and the running accuracy.*both more than/);
  expect(
    reason([
      [1, 0.5],
      [1, 0.4],
    ]),
  ).toMatch(/running accuracy.*for 1 epoch.*loss still improves/);
  expect(
    reason([
      [1, 0.5],
      [2, 0.5],
    ]),
  ).toMatch(/running loss.*accuracy still improves/);
});

test('refuses values that would poison the averages, and options it does not know', () => {
  expect(() => new EarlyStopping().addData(NaN, 0.5)).toThrow(expect.objectContaining({ code: 'ERR_METRICS' }));
  expect(() => new EarlyStopping({ patience: -1 })).toThrow(/patience/);
  expect(() => new EarlyStopping({ patiense: 1 } as never)).toThrow(/patiense/);
  expect(() => EarlyStopping.fromState({ patience: 1 })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
  );
});

test('the schedule lowers the rate once on code 3 and resets, stops on code 1, goes on otherwise', () => {
  const stopper = new EarlyStopping({ patience: 0 });
  const schedule = new LearningRateSchedule({ learningRate: 0.01, factor: 0.1 });
  stopper.addData(1, 0.5);
  expect(schedule.decide(stopper).action).toBe('continue');
  stopper.addData(2, 0.5);
  expect(schedule.decide(stopper)).toMatchObject({
    action: 'reduce',
    from: 0.01,
    to: 0.001,
    reason: expect.stringContaining('running loss'),
  });
  expect(schedule.learningRate).toBe(0.001);
  expect(schedule.decide(stopper).action).toBe('continue');
  stopper.addData(1, 0.4);
  expect(stopper.stop()).toBe(1);
  expect(schedule.decide(stopper)).toMatchObject({ action: 'stop', reason: expect.stringContaining('both') });
  expect(schedule.state()).toEqual({ plateauRate: 0.001, step: 0 });
});

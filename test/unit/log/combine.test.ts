/** Several loggers as one: all are told and all are closed, whatever one of them does. */
import { combine } from '../../../src/log/combine';
import type { TrainEvent, TrainLogger } from '../../../src/log/types';
import { stepEvent } from '../../helpers/events';

function recorder(calls: string[], name: string, fails = false): TrainLogger {
  const act = (what: string) => {
    calls.push(`${name} ${what}`);
    if (fails) throw new Error(`${name} is broken`);
  };
  return { log: (event: TrainEvent) => act(event.type), close: () => act('close') };
}

test('order is kept and a failure reaches the caller after the others were served', async () => {
  const calls: string[] = [];
  const logger = combine([recorder(calls, 'a'), recorder(calls, 'b', true), recorder(calls, 'c')]);
  await expect(logger.log(stepEvent())).rejects.toThrow('b is broken');
  await expect(logger.close()).rejects.toThrow('b is broken');
  expect(calls).toEqual(['a step', 'b step', 'c step', 'a close', 'b close', 'c close']);
});

test('several failures are all named', async () => {
  const logger = combine([recorder([], 'a', true), recorder([], 'b', true)]);
  await expect(logger.close()).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: '2 loggers failed to close: a is broken; b is broken',
  });
});

test('no loggers, no trouble', async () => {
  const logger = combine([]);
  await logger.log(stepEvent());
  await logger.close();
});

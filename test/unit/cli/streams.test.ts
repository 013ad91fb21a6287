/** A stream whose reader has gone: told once, later writes dropped, nobody fails. */
import { Writable } from 'node:stream';
import { ignoreBrokenPipe } from '../../../src/cli/streams';
import { JsonLinesLogger } from '../../../src/log/jsonl';
import { startEvent, stepEvent } from '../../helpers/events';

/** Takes `good` writes and then fails as a closed pipe does. */
class Pipe extends Writable {
  text = '';
  constructor(private good: number) {
    super();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.good -= 1;
    if (this.good < 0) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    this.text += chunk.toString();
    done();
  }
}

test('a logger on a closed pipe goes on, and the first failure is told once', async () => {
  const pipe = new Pipe(2);
  const gone: (string | undefined)[] = [];
  ignoreBrokenPipe(pipe, ({ code }) => gone.push(code));
  const logger = new JsonLinesLogger({ stream: pipe });
  await logger.log(startEvent());
  await logger.log(stepEvent());
  expect(gone).toEqual([]);
  for (let step = 2; step < 6; step += 1) await logger.log(stepEvent({ step }));
  await logger.close();
  pipe.write('more');
  pipe.write('more', 'utf8');
  await new Promise<void>((resolve) => {
    pipe.write('more', () => resolve());
  });
  expect(gone).toEqual(['EPIPE']);
  expect(pipe.text.trimEnd().split('\n')).toHaveLength(2);
});

test('a stream that works is written to as before', async () => {
  const pipe = new Pipe(9);
  ignoreBrokenPipe(pipe, (error) => {
    throw error;
  });
  await new Promise<void>((resolve) => {
    pipe.write('61', 'hex', () => resolve());
  });
  pipe.write(Buffer.from('b'));
  pipe.write('c');
  expect(pipe.text).toBe('abc');
});

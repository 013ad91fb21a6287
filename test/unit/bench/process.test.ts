import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureIn, runTask } from '../../../src/bench/process';

const run = (program: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  runTask<object>(process.execPath, ['-e', program, '--'], { side: 3 }, { timeoutMs: 30_000, ...options });

/** Starts a grandchild that would live for a minute, and writes both ids. */
const family = (file: string): string => `
  const sleep = ['-e', 'setTimeout(() => {}, 60000)'];
  const child = require('child_process').spawn(process.execPath, sleep, { stdio: 'inherit' });
  require('fs').writeFileSync(${JSON.stringify(file)}, process.pid + ' ' + child.pid); setTimeout(() => {}, 60000);`;

async function gone(file: string): Promise<boolean> {
  const alive = (id: number): boolean => {
    try {
      // One that has ended and waits for its parent to notice is not alive.
      return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${id}/status`, 'utf8'))
        ? process.kill(id, 0)
        : false;
    } catch {
      return false;
    }
  };
  const ids = readFileSync(file, 'utf8').split(' ').map(Number);
  for (let tries = 0; tries < 50 && ids.some(alive); tries += 1) await new Promise((done) => setTimeout(done, 100));
  return !ids.some(alive);
}

test('the task goes in, the last line comes out, and the time to the first is taken', async () => {
  const outcome = await run(
    `console.log('noise'); setTimeout(() => console.log(JSON.stringify({ ` +
      'task: JSON.parse(process.argv.at(-1)) })), 300)',
  );
  expect(outcome).toMatchObject({ result: { task: { side: 3 } } });
  expect((outcome as { firstLineMs: number }).firstLineMs).toBeGreaterThan(0);
});

test.each([
  [
    `console.error('Traceback'); console.error('ValueError: too small\\n  of many lines'); process.exit(1)`,
    'ValueError: too small',
  ],
  [`console.error('torchvision has no tiny'); process.exit(1)`, 'torchvision has no tiny'],
  ['process.exit(4)', 'the process ended with 4 without a word'],
  [`console.log('hello')`, "expected a line of JSON; got 'hello'"],
  [`process.kill(process.pid, 'SIGKILL')`, 'the process was killed, most likely for want of memory'],
])('%s is told', async (program, problem) => {
  expect(await run(program)).toEqual({ problem });
});

test('a program that is not there is told', async () => {
  expect(await runTask('/nowhere/python', [], {}, { timeoutMs: 1000 })).toEqual({
    problem: expect.stringContaining('spawn /nowhere/python ENOENT'),
  });
});

test('an exception is found before the lines of its message', () => {
  expect(
    failureIn('warning\ntorch.onnx.errors.SymbolicValueError: Unsupported [Caused by\n  (node)\n )  (type Tensor)\n'),
  ).toBe('torch.onnx.errors.SymbolicValueError: Unsupported [Caused by');
});

describe('nobody is left behind', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'covidct-family-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('after the time limit', async () => {
    const file = join(dir, 'ids');
    expect(await run(family(file), { timeoutMs: 1500 })).toEqual({
      problem: 'it took longer than 1.5 s and was ended',
    });
    expect(await gone(file)).toBe(true);
  });

  test('after the signal', async () => {
    const file = join(dir, 'ids');
    await expect(run(family(file), { signal: AbortSignal.timeout(1500) })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(await gone(file)).toBe(true);
  });

  test('a signal that has fired starts nobody', async () => {
    await expect(run(family(join(dir, 'ids')), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(() => readFileSync(join(dir, 'ids'))).toThrow('ENOENT');
  });
});

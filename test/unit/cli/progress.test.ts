/**
 * Long work is never silent: the one line of progress, on a terminal and
 * elsewhere, and the command that was silent longest.
 */
import { during, progressLine } from '../../../src/cli/io';
import { runCommandLine } from '../../../src/cli/program';
import { makeIo } from '../../helpers/command-line';
import { setUpNative } from '../../../src/install/set-up';

jest.mock('../../../src/install/set-up');

const ioOf = (tty: boolean) => makeIo({ tty, columns: 40 });

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const MINUTE = 60_000;

test('in a log: a word after ten seconds, then one per minute, whether anything new has come or not', () => {
  const { io, stderr } = ioOf(false);
  const line = progressLine(io, {});
  line.show('1 of 100 images', 0.01);
  line.show('2 of 100 images', 0.02);
  jest.advanceTimersByTime(9_999);
  expect(stderr.take()).toBe('');
  jest.advanceTimersByTime(1);
  expect(stderr.take()).toBe('2 of 100 images (10 s gone, about 8 min left)\n');
  for (let share = 0.03; share < 0.5; share += 0.01) {
    line.show(`${Math.round(share * 100)} of 100 images`, share);
    jest.advanceTimersByTime(5_000);
  }
  const lines = stderr.take().trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[2]).toMatch(/^\d+ of 100 images \(3 min gone, about \d min left\)$/);
  jest.advanceTimersByTime(7 * MINUTE);
  expect(stderr.take().trimEnd().split('\n')).toHaveLength(7);
  line.clear();
  jest.advanceTimersByTime(7 * MINUTE);
  expect(stderr.take()).toBe('');
});

test('work in many short parts is told once a minute in all', () => {
  const { io, stderr } = ioOf(false);
  const line = progressLine(io, {});
  for (let part = 0; part < 60; part += 1) {
    line.show(`measuring ${part}`);
    jest.advanceTimersByTime(15_000);
    line.clear();
  }
  expect(stderr.take().trimEnd().split('\n')).toHaveLength(15);
});

test('what is done at once says nothing', async () => {
  const { io, stderr } = ioOf(false);
  expect(await during(io, {}, 'loading', () => Promise.resolve(7))).toBe(7);
  await expect(during(io, {}, 'loading', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(stderr.text).toBe('');
});

test('on a terminal: one line, overwritten, as wide as it is, with the time left; a part that begins anew is timed anew', () => {
  const { io, stderr } = ioOf(true);
  const line = progressLine(io, {});
  line.show('fetching', 0.01);
  expect(stderr.take()).toBe('\r\u001b[Kfetching');
  jest.advanceTimersByTime(10_000);
  line.show('fetching', 0.5);
  expect(stderr.take()).toBe('\r\u001b[Kfetching, about 10 s left');
  line.show('unpacking', 0.1);
  expect(stderr.take()).toBe('\r\u001b[Kunpacking');
  line.show('x'.repeat(200));
  expect(stderr.take()).toBe(`\r\u001b[K${'x'.repeat(39)}`);
  line.clear();
  expect(stderr.take()).toBe('\r\u001b[K');
});

test.each([true, false])('--quiet says nothing (terminal: %s)', (isTTY) => {
  const { io, stderr } = ioOf(isTTY);
  const line = progressLine(io, { quiet: true });
  line.show('1 of 2');
  jest.advanceTimersByTime(10 * MINUTE);
  line.clear();
  expect(stderr.text).toBe('');
});

test('install-libtorch through a pipe: seven minutes in which pip and the compiler tell nothing new', async () => {
  jest.mocked(setUpNative).mockImplementation(async (options) => {
    const pause = (minutes: number) => new Promise<void>((resolve) => void setTimeout(resolve, minutes * MINUTE + 1));
    options?.onProgress?.({ phase: 'fallback', reason: 'the archive could not be fetched' });
    await pause(7);
    options?.onProgress?.({ phase: 'build', line: '[1/9] Building CXX object' });
    await pause(4);
    return {
      libtorch: { version: '2.13.0', variant: 'cpu', root: '/x' },
      installed: true,
      addon: 'a.node',
      built: true,
    } as Awaited<ReturnType<typeof setUpNative>>;
  });
  const { io, stderr, stdout } = ioOf(false);
  const done = runCommandLine(['install-libtorch'], io);
  await jest.advanceTimersByTimeAsync(7 * MINUTE);
  const lines = stderr.take().trimEnd().split('\n');
  expect(lines.slice(0, 2)).toEqual([
    'the archive could not be fetched',
    "taking PyTorch's CPU wheel through pip instead",
  ]);
  expect(lines.slice(2)).toHaveLength(7);
  expect(lines.at(-1)).toBe("taking PyTorch's CPU wheel through pip instead (6 min gone)");
  await jest.advanceTimersByTimeAsync(5 * MINUTE);
  expect(stderr.take().match(/^compiling the addon: .* gone\)$/gm)).toHaveLength(4);
  expect(await done).toBe(0);
  expect(stdout.text).toContain('LibTorch 2.13.0');
});

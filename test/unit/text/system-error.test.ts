/** The system's failures in words. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CovidCtError, messageOf } from '../../../src/errors';
import { systemErrorText } from '../../../src/text/system-error';

function failure(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

test("words first, the system's code and call behind them", () => {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-system-'));
  symlinkSync(join(dir, 'loop'), join(dir, 'loop'));
  const of = (path: string): string => messageOf(failure(() => readFileSync(path)));
  expect(of(join(dir, 'none'))).toBe(`it does not exist (ENOENT: open '${dir}/none')`);
  expect(of(dir)).toBe('it is a folder, not a file (EISDIR: read)');
  expect(of(join(dir, 'loop'))).toBe(`its links lead in a circle (ELOOP: open '${dir}/loop')`);
  expect(of(join(dir, 'x'.repeat(300)))).toMatch(/^the name is too long \(ENAMETOOLONG: open /);
  rmSync(dir, { recursive: true });
});

test.each([
  ['ENOSPC', 'the disk is full (ENOSPC: write)'],
  ['EACCES', 'this user has no permission (EACCES: write)'],
  ['EROFS', 'the file system is read-only (EROFS: write)'],
  ['EDQUOT', 'the disk quota is used up (EDQUOT: write)'],
])('%s', (code, words) => {
  expect(
    systemErrorText(Object.assign(new Error(`${code}: whatever it says, write`), { code, syscall: 'write' })),
  ).toBe(words);
});

test('other errors keep their own words', () => {
  for (const error of [
    new Error('x'),
    new CovidCtError('ERR_DATASET', 'y'),
    null,
    undefined,
    7,
    'ENOENT',
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' }),
    Object.assign(new Error('spawn x ENOENT'), { code: 'ENOENT', syscall: 'spawn x' }),
    Object.assign(new Error('z'), { code: 'constructor', syscall: 'q' }),
  ])
    expect(systemErrorText(error)).toBeNull();
});

/** The process-wide setting behind float32 and tf32 on CUDA, which needs neither CUDA nor LibTorch to be tried. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCompiler } from '../../src/install/tools';

test('is changed only while nobody uses it; who wants another value waits, then is refused', () => {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-setting-'));
  try {
    const program = join(dir, 'shared_setting');
    execFileSync(findCompiler()?.command ?? 'c++', [
      '-std=c++20',
      '-pthread',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-I',
      join(__dirname, '../../native'),
      join(__dirname, 'child/shared_setting.cc'),
      '-o',
      program,
    ]);
    const lines = execFileSync(program, { encoding: 'utf8', timeout: 30_000 }).trim().split('\n');
    expect(lines).toEqual([
      'set 1',
      'true: joined', // the first
      'true: joined', // of the same mind
      'false: refused',
      'false: refused', // one of the two has left
      'set 0',
      'false: joined', // waited for the other
      'false: joined',
      'set 0',
      'false: joined', // all had left
    ]);
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 60_000);

/** The CI script: what it runs, the line it ends with, and that nothing can fail unseen; npm is a stand-in. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

let folder: string;

/** Notes what it is asked, writes the result jest would write, and fails where FAILING says so. */
const NPM = `#!/bin/sh
echo "npm $*" >> "$CALLS"
for each in "$@"; do case $each in --outputFile=*) [ -n "$RESULT" ] && echo "$RESULT" > "\${each#--outputFile=}";; esac; done
case " $* " in *" $FAILING "*) exit 1;; esac
exit 0
`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'covidct-ci-'));
  for (const name of ['.ci', 'bin']) mkdirSync(join(folder, name));
  copyFileSync(resolve(__dirname, '../../.ci/run'), join(folder, '.ci/run'));
  writeFileSync(join(folder, 'bin/npm'), NPM, { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(
  result: { passed: number; failed: number; broken?: number } | undefined,
  failing = 'nothing',
): { status: number | null; lines: string[] } {
  const RESULT =
    result === undefined
      ? ''
      : JSON.stringify({
          numPassedTests: result.passed,
          numFailedTests: result.failed,
          numRuntimeErrorTestSuites: result.broken ?? 0,
        });
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
    CALLS: join(folder, 'calls'),
    RESULT,
    FAILING: failing,
  };
  const { status, stdout } = spawnSync(join(folder, '.ci/run'), { encoding: 'utf8', env });
  return { status, lines: stdout.trim().split('\n') };
}

test('set-up, tests, lint and types, in that order; the count stands alone on the last line', () => {
  const { status, lines } = run({ passed: 412, failed: 0 });
  expect(status).toBe(0);
  expect(lines.filter((line) => line.startsWith('== ')).map((line) => line.replace(/ --.*/, ''))).toEqual([
    '== npm install',
    '== npm test',
    '== npm run lint',
    '== npm run typecheck',
  ]);
  expect(lines.at(-1)).toBe('412 passed, 0 failed');
});

test.each([
  ['a test', { passed: 10, failed: 2 }, 'test', '10 passed, 2 failed'],
  ['a test, although npm says nothing of it', { passed: 10, failed: 1 }, 'nothing', '10 passed, 1 failed'],
  ['a suite that cannot start', { passed: 10, failed: 0, broken: 1 }, 'test', '10 passed, 1 failed'],
  ['the build before the tests', undefined, 'test', '0 passed, 1 failed'],
  ['no test at all', { passed: 0, failed: 0 }, 'nothing', '0 passed, 0 failed'],
  ['lint', { passed: 10, failed: 0 }, 'lint', '10 passed, 0 failed'],
  ['types', { passed: 10, failed: 0 }, 'typecheck', '10 passed, 0 failed'],
  ['the installation', { passed: 10, failed: 0 }, 'install', '10 passed, 0 failed'],
])('what fails makes it fail: %s', (_, result, failing, last) => {
  const { status, lines } = run(result, failing);
  expect(status).toBe(1);
  expect(lines.at(-1)).toBe(last);
});

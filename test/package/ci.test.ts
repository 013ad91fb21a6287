/** The CI script: what it runs, the line it ends with, and that nothing can fail unseen; npm is a stand-in. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

let folder: string;

/** Notes what it is asked, writes the result jest would write, and fails where FAILING says so. */
const NPM = `#!/bin/sh
echo "npm $*" >> "$CALLS"
for each in "$@"; do case $each in
  --outputFile=*slow.json) [ -n "$SLOW" ] && echo "$SLOW" > "\${each#--outputFile=}";;
  --outputFile=*) [ -n "$RESULT" ] && echo "$RESULT" > "\${each#--outputFile=}";;
esac; done
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

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly broken?: number;
}

/** What jest would write; nothing where it never ran. */
function toResult(counts: Counts | null): string {
  if (counts === null) return '';
  const { passed, failed, broken = 0 } = counts;
  return JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numRuntimeErrorTestSuites: broken });
}

function run(
  result: Counts | null,
  failing = 'nothing',
  slow: Counts | null = { passed: 0, failed: 0 },
): { status: number | null; lines: string[] } {
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
    CALLS: join(folder, 'calls'),
    RESULT: toResult(result),
    SLOW: toResult(slow),
    FAILING: failing,
  };
  const { status, stdout } = spawnSync(join(folder, '.ci/run'), { encoding: 'utf8', env });
  return { status, lines: stdout.trim().split('\n') };
}

test('every step, in order; the count stands alone on the last line', () => {
  const { status, lines } = run({ passed: 412, failed: 0 }, 'nothing', { passed: 88, failed: 0 });
  expect(status).toBe(0);
  expect(lines.filter((line) => line.startsWith('== ')).map((line) => line.replace(/ --.*/, ''))).toEqual([
    '== npm install',
    '== npm test',
    '== npm run test:slow',
    '== npm run lint',
    '== npm run format:check',
    '== npm run typecheck',
    '== npm run check:clang',
    '== npm run docs',
  ]);
  expect(lines.at(-1)).toBe('500 passed, 0 failed');
});

test.each([
  ['a test', { passed: 10, failed: 2 }, 'test', '10 passed, 2 failed'],
  ['a test, although npm says nothing of it', { passed: 10, failed: 1 }, 'nothing', '10 passed, 1 failed'],
  ['a suite that cannot start', { passed: 10, failed: 0, broken: 1 }, 'test', '10 passed, 1 failed'],
  ['the build before the tests', null, 'test', '0 passed, 1 failed'],
  ['no test at all', { passed: 0, failed: 0 }, 'nothing', '0 passed, 0 failed'],
  ['lint', { passed: 10, failed: 0 }, 'lint', '10 passed, 0 failed'],
  ['types', { passed: 10, failed: 0 }, 'typecheck', '10 passed, 0 failed'],
  ['formatting', { passed: 10, failed: 0 }, 'format:check', '10 passed, 0 failed'],
  ['clang', { passed: 10, failed: 0 }, 'check:clang', '10 passed, 0 failed'],
  ['the installation', { passed: 10, failed: 0 }, 'install', '10 passed, 0 failed'],
])('what fails makes it fail: %s', (_, result, failing, last) => {
  const { status, lines } = run(result, failing);
  expect(status).toBe(1);
  expect(lines.at(-1)).toBe(last);
});

test.each([
  ['one of them', { passed: 5, failed: 1 }, '15 passed, 1 failed'],
  ['a suite that cannot start', { passed: 5, failed: 0, broken: 2 }, '15 passed, 2 failed'],
  ['all, since they never ran', null, '10 passed, 1 failed'],
])('the slow tests count too: %s', (_, slow, last) => {
  const { status, lines } = run({ passed: 10, failed: 0 }, 'nothing', slow);
  expect(status).toBe(1);
  expect(lines.at(-1)).toBe(last);
});

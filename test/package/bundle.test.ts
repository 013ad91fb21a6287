/**
 * A consumer's program in one file, as esbuild makes it: with the package left external, and with the package inside.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { libtorchFiles, writeFiles } from '../unit/install/fake-libtorch';
import { makeConsumer, type Consumer } from './consumer';

jest.setTimeout(240_000); // compilers and processes of their own, on a machine that may be busy

let project: Consumer;
beforeAll(() => {
  project = makeConsumer();
});
afterAll(() => project.remove());

const PROGRAM = `
import { Classifier, CovidCtError } from 'covidct-torch';
import { rocAuc } from 'covidct-torch/metrics';
import { diagnose, packageVersion } from 'covidct-torch/setup';
const failure = (error: any) => ({ code: error.code, known: error instanceof CovidCtError, message: error.message });
const main = async () => {
  const outcome = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'] }).then((model) => {
    model.dispose();
    return 'a classifier';
  }, failure);
  const doctor = await diagnose().then((diagnosis) => diagnosis.problems.length, failure);
  console.log(JSON.stringify({ outcome, doctor, version: packageVersion(), auc: rocAuc([0, 1], [0.1, 0.9]) }));
};
void main();
`;

function bundle(name: string, format: 'cjs' | 'esm', external: string[]): string {
  writeFileSync(join(project.folder, 'program.ts'), PROGRAM);
  const outfile = join(project.folder, 'out', name);
  buildSync({
    entryPoints: [join(project.folder, 'program.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format,
    external,
    logLevel: 'error',
    absWorkingDir: project.folder,
  });
  return outfile;
}

interface Outcome {
  outcome: 'a classifier' | { code: string; known: boolean; message: string };
  doctor: unknown;
  version: string;
  auc: number;
}

function run(file: string, env?: NodeJS.ProcessEnv): Outcome {
  const { status, stdout, stderr } = project.node([file], env);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Outcome;
}

test.each(['cjs', 'esm'] as const)('with the package left external it is the package itself (%s)', (format) => {
  const { outcome, auc, doctor } = run(
    bundle(`external.${format === 'cjs' ? 'cjs' : 'mjs'}`, format, ['covidct-torch', 'sharp']),
  );
  expect(outcome).toMatchObject({ code: 'ERR_LIBTORCH_NOT_FOUND', known: true });
  expect({ auc, doctor }).toEqual({ auc: 1, doctor: expect.any(Number) });
});

describe('with the package inside', () => {
  let file: string;
  beforeAll(() => {
    file = bundle('inside.cjs', 'cjs', ['sharp']);
  });

  test('the pure parts work, and what needs its files says what to leave external', () => {
    writeFiles(join(project.folder, 'libtorch'), libtorchFiles());
    const env = {
      PATH: join(project.folder, 'nothing'),
      XDG_CACHE_HOME: join(project.folder, 'cache'),
      COVIDCT_TORCH_LIBTORCH: join(project.folder, 'libtorch'),
    };
    const { outcome, auc, version, doctor } = run(file, env);
    expect({ auc, version }).toEqual({ auc: 1, version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    for (const each of [outcome, doctor]) {
      expect(each).toMatchObject({
        code: 'ERR_PACKAGE_FILES',
        known: true,
        message: expect.stringContaining('--external:covidct-torch --external:sharp'),
      });
      expect(each).toMatchObject({ message: expect.stringContaining('COVIDCT_TORCH_ADDON') });
    }
  });

  test('an addon that was built before is loaded from the cache', () => {
    expect(run(file, process.env).outcome).toBe('a classifier');
  });
});

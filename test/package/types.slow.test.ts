/** The published types in a project of its own, with the settings that find most fault. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeConsumer, type Consumer } from './consumer';

jest.setTimeout(240_000); // compilers and processes of their own, on a machine that may be busy

let project: Consumer;
beforeAll(() => {
  project = makeConsumer();
});
afterAll(() => project.remove());

const PROGRAM = `
import { Classifier, EarlyStopping, Trainer, evaluate, type DatasetSplits, type TrainEvent } from 'covidct-torch';
import { runBenchmark, type Spread } from 'covidct-torch/bench';
import { rocAuc, type RocCurve } from 'covidct-torch/metrics';
import { lossCurve, type Chart } from 'covidct-torch/report';
import { listRuns, type RunSummary } from 'covidct-torch/runs';
import { setUpNative } from 'covidct-torch/setup';
import { openWeightFile, type WeightFile } from 'covidct-torch/weights';

const code: 0 | 1 | 2 | 3 = new EarlyStopping({ patience: 2 }).stop();
const area: number = rocAuc([0, 1], [0.1, 0.9]);
export const open: (file: string) => Promise<WeightFile> = openWeightFile;
export const entries: [(typeof runBenchmark), (typeof lossCurve)] = [runBenchmark, lossCurve];
export const list: typeof listRuns = listRuns;
export type Named = Spread | RocCurve | Chart | RunSummary;
// @ts-expect-error patience is a number
new EarlyStopping({ patience: 'two' });

interface Given { readonly signal?: AbortSignal; readonly out?: string; readonly threads?: number }

/** Hands on what it was given, or not given: allowed with exactOptionalPropertyTypes too. */
export async function train(data: DatasetSplits, given: Given): Promise<number | null> {
  const { signal, out, threads } = given;
  await setUpNative({ signal, force: undefined, onProgress: undefined });
  MODEL
  const trainer = new Trainer({ model, out });
  for await (const event of trainer.events(data.train, data.validation, { signal }))
    if (event.type === 'epoch') console.log(event.epoch);
  console.log((await trainer.fit(data.train, data.validation, { signal })).stop.reason);
  if (data.test === null) return null;
  const { transform, threshold } = model;
  const { accuracy } = await evaluate(model, data.test, { transform, threshold, signal });
  await model.predict(Buffer.from([1]), { signal });
  return accuracy;
}
export type Events = TrainEvent['type'];
export { code, area };
`;

function check(
  name: string,
  text: string,
  more: Record<string, unknown> = {},
): { status: number | null; stdout: string } {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: 'es2022',
    lib: ['es2022'],
    module: 'node16',
    moduleResolution: 'node16',
    types: [],
    ...more,
  };
  const folder = join(project.folder, name.replace(/\W/g, '-'));
  mkdirSync(folder);
  writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
  return spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', folder], {
    cwd: project.folder,
    encoding: 'utf8',
  });
}

const using = PROGRAM.replace(
  'MODEL',
  "using model = await Classifier.create({ architecture: 'tiny', classes: data.train.classes, threads });",
);
const plain = PROGRAM.replace(
  'MODEL',
  "const model = await Classifier.create({ architecture: 'tiny', classes: data.train.classes, threads });",
);

test.each<[string, string, string, Record<string, unknown>]>([
  ['an ES module', 'module.mts', using, {}],
  ['a CommonJS module', 'module.cts', plain, {}],
  ['an ES module of nodenext', 'next.mts', using, { module: 'nodenext', moduleResolution: 'nodenext' }],
  [
    'a CommonJS module of the older resolution',
    'older.cts',
    plain,
    { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true },
  ],
  ['a bundler', 'bundled.ts', using, { module: 'esnext', moduleResolution: 'bundler' }],
  ['a browser project that has the DOM and Node', 'dom.mts', using, { lib: ['es2022', 'dom', 'dom.iterable'] }],
])(
  'are clean in %s: lib es2022, every declaration checked, exactOptionalPropertyTypes, no types named',
  (_, name, text, more) => {
    expect(check(name, text, more)).toMatchObject({ stdout: '', status: 0 });
  },
);

test('every optional property of every declaration may be undefined', () => {
  const dist = join(project.folder, 'node_modules/covidct-torch/dist');
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'));
  expect(files.length).toBeGreaterThan(100);
  const narrow = files.flatMap((name) =>
    readFileSync(join(dist, name), 'utf8')
      .split('\n')
      .filter((line) => /^ +(readonly )?\w+\?: [^{]*;$/.test(line) && !line.includes('undefined')),
  );
  expect(narrow).toEqual([]);
});

/** --precision from the command line to the run folder and back. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { covidct, jsonLines } from './command';

let dir: string;
let data: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-precision-'));
  data = join(dir, 'data');
  await makePhantoms(data, { count: 24, size: 64 });
}, 60_000);
afterAll(() => rm(dir, { recursive: true }));

const train = (out: string, ...flags: string[]) =>
  covidct([
    'train',
    '--data',
    data,
    '--out',
    out,
    '--arch',
    'tiny',
    '--epochs',
    '1',
    '--image-size',
    '32',
    '--device',
    'cpu',
    '--json',
    ...flags,
  ]);

test('a training in bf16 says so in its folder; it is evaluated and predicts in either precision', async () => {
  const out = join(dir, 'run');
  expect(await train(out, '--precision', 'bf16')).toMatchObject({ code: 0 });
  expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toMatchObject({ model: { precision: 'bf16' } });
  expect(JSON.parse(await readFile(join(out, 'model.json'), 'utf8'))).toMatchObject({ precision: 'bf16' });
  const losses: unknown[] = [];
  const answers: unknown[] = [];
  for (const precision of ['bf16', 'float32']) {
    const model = ['--model', out, '--device', 'cpu', '--precision', precision, '--json'];
    const evaluation = await covidct(['evaluate', ...model, '--data', data, '--split', 'validation']);
    expect(evaluation).toMatchObject({ code: 0 });
    losses.push(jsonLines(evaluation.stdout)[0]?.['loss']);
    answers.push(
      jsonLines((await covidct(['predict', ...model, join(data, 'Images-processed', 'CT_COVID')])).stdout).map(
        ({ probabilities }) => probabilities,
      ),
    );
  }
  expect(Math.abs((losses[0] as number) - (losses[1] as number))).toBeLessThan(0.05);
  expect(losses[0]).not.toBe(losses[1]);
  expect(answers[0]).not.toEqual(answers[1]);
}, 120_000);

test('tf32 on the CPU is an error before a run folder is made', async () => {
  const { code, stderr } = await train(join(dir, 'none'), '--precision', 'tf32');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/--precision tf32 is arithmetic of CUDA GPUs.*use --precision float32 or 'bf16'/);
  await expect(readFile(join(dir, 'none', 'config.json'))).rejects.toMatchObject({ code: 'ENOENT' });
}, 60_000);

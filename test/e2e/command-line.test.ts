/** The command line as a child process: train, evaluate, predict, explain, report; misuse; Ctrl-C; the real data. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms';
import { covidct, jsonLines } from './command';

const REAL_DATA = join(__dirname, '../../../shared/covid-ct');
const QUICK = ['--arch', 'tiny', '--image-size', '32', '--threads', '1'];

let dir: string;
let phantoms: string;
let image: string;
let run: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-cli-'));
  phantoms = join(dir, 'phantoms');
  image = join(phantoms, 'Images-processed', 'CT_COVID', 'phantom-covid-0001.png');
  run = join(dir, 'run');
  await makePhantoms(phantoms, { count: 40, size: 64 });
}, 120_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

test('train --json: events line by line, the result last, everything in the run folder', async () => {
  const { code, stdout, stderr } = await covidct(['train', '--data', phantoms, '--out', run, ...QUICK, '--epochs', '2', '--class-weights', 'balanced', '--json']);
  expect(stderr).toContain('tiny, 0.09 million parameters, on cpu');
  expect(code).toBe(0);
  const events = jsonLines(stdout);
  expect(events[0]).toMatchObject({ type: 'start', trainSamples: 24, validationSamples: 8 });
  expect(events.filter(({ type }) => type === 'epoch')).toHaveLength(2);
  expect(events.at(-1)).toMatchObject({ type: 'result', epochs: 2, out: run, stop: { reason: 'epochs' } });
  expect((await readdir(run)).sort()).toEqual(['config.json', 'history.jsonl', 'metrics.json', 'model.json', 'pictures', 'report.html', 'tensorboard', 'weights']);
  expect(await readdir(join(run, 'tensorboard'))).toHaveLength(1);
}, 120_000);

test('evaluate --json prints one object and brings the run folder up to date', async () => {
  const { code, stdout } = await covidct(['evaluate', '--model', run, '--split', 'test', '--json', '--threads', '1'], { env: { COVIDCT_DATA: phantoms } });
  expect(code).toBe(0);
  const [figures, ...more] = jsonLines(stdout);
  expect(more).toEqual([]);
  expect(figures).toMatchObject({ split: 'test', n: 8, loss: expect.any(Number), accuracy: expect.any(Number), sensitivity: expect.any(Number), specificity: expect.any(Number), auc: expect.any(Number), confusionMatrix: [[expect.any(Number), expect.any(Number)], [expect.any(Number), expect.any(Number)]], intendedUse: expect.stringContaining('Not a medical device') });
  const metrics = JSON.parse(await readFile(join(run, 'metrics.json'), 'utf8'));
  expect(Object.keys(metrics).sort()).toEqual(['test', 'validation']);
  expect(metrics.test.accuracy).toBe(figures?.accuracy);
  const pictures = await readdir(join(run, 'pictures'));
  expect(pictures).toEqual(expect.arrayContaining(['accuracy.png', 'accuracy.svg', 'confusion-matrix.png', 'loss.svg', 'misclassified.png', 'roc.svg', 'samples-0.png', 'samples-1.png']));
  expect(pictures.some((name) => name.startsWith('grad-cam-'))).toBe(true);
  expect(await readFile(join(run, 'report.html'), 'utf8')).toContain('not for diagnosis');
}, 120_000);

test('evaluate gives the same figures twice, whatever the batch size, and speaks to people without --json', async () => {
  const [one, other, words] = await Promise.all([
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'validation', '--json']),
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'validation', '--json', '--batch-size', '3']),
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'train']),
  ]);
  const [a, b] = [one, other].map(({ stdout }) => jsonLines(stdout)[0] as { loss: number; confusionMatrix: number[][] });
  expect(b?.loss).toBeCloseTo(a?.loss as number, 5);
  expect(b?.confusionMatrix).toEqual(a?.confusionMatrix);
  expect(words.stdout).toMatch(/train: 24 images[^]*accuracy +\d[^]*95 % interval[^]*confusion matrix/);
}, 120_000);

test('predict: one line an image, folders, files that are no image', async () => {
  const broken = join(dir, 'broken.png');
  await writeFile(broken, 'not an image');
  const answers = await covidct(['predict', '--model', run, '--json', '--on-bad-file', 'skip', image, broken, join(phantoms, 'Images-processed', 'CT_NonCOVID')]);
  expect(answers.code).toBe(0);
  const lines = jsonLines(answers.stdout);
  expect(lines).toHaveLength(22);
  expect(lines[0]).toMatchObject({ path: image, label: expect.stringMatching(/^(Non)?COVID$/), probabilities: { COVID: expect.any(Number), NonCOVID: expect.any(Number) }, intendedUse: expect.any(String) });
  expect(lines[1]).toEqual({ path: broken, error: expect.any(String) });
  const strict = await covidct(['predict', '--model', run, '--json', broken]);
  expect(strict).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('broken.png') });
}, 120_000);

test('explain writes overlays, one name each; report writes the report anew', async () => {
  const out = join(dir, 'overlays');
  const { code, stdout } = await covidct(['explain', '--model', run, '--out', out, '--class', 'COVID', '--json', image, image]);
  expect(code).toBe(0);
  expect(jsonLines(stdout).map(({ overlay, explained }) => [overlay, explained])).toEqual([[join(out, 'phantom-covid-0001-COVID.png'), 'COVID'], [join(out, 'phantom-covid-0001-COVID-2.png'), 'COVID']]);
  expect((await readFile(join(out, 'phantom-covid-0001-COVID.png'))).subarray(1, 4).toString()).toBe('PNG');
  await rm(join(run, 'report.html'));
  const report = await covidct(['report', run, '--json']);
  expect(report.code).toBe(0);
  expect(jsonLines(report.stdout)).toEqual([{ report: join(run, 'report.html') }]);
  expect(existsSync(join(run, 'report.html'))).toBe(true);
}, 120_000);

test('a configuration file fills in what flags do not say', async () => {
  const config = join(dir, 'recipe.json');
  await writeFile(config, JSON.stringify({ data: phantoms, out: join(dir, 'configured'), architecture: 'tiny', imageSize: 32, epochs: 5, learningRate: 0.02 }));
  const { code, stdout } = await covidct(['train', '--config', config, '--epochs', '1', '--json', '--quiet']);
  expect(code).toBe(0);
  expect(jsonLines(stdout)[0]).toMatchObject({ epochs: 1, config: { learningRate: 0.02, imageSize: 32 } });
}, 120_000);

test('Ctrl-C ends the training after the step, with code 130 and a usable run folder', async () => {
  const out = join(dir, 'interrupted');
  let sent = false;
  const { code, stdout, stderr } = await covidct(['train', '--data', phantoms, '--out', out, ...QUICK, '--epochs', '100000', '--patience', '100000', '--json'], {
    onLine: (line, kill) => {
      if (sent || !line.includes('"type":"step","epoch":2')) return;
      sent = true;
      kill('SIGINT');
    },
  });
  expect(code).toBe(130);
  expect(stderr).toContain('once more to quit at once');
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'result', stop: { reason: 'aborted' } });
  expect(await readdir(join(out, 'weights'))).toEqual(expect.arrayContaining(['best.safetensors', 'last.safetensors']));
  const evaluation = await covidct(['evaluate', '--model', out, '--data', phantoms, '--which', 'last', '--json']);
  expect(evaluation.code).toBe(0);
  expect(jsonLines(evaluation.stdout)[0]).toMatchObject({ n: 8 });
}, 120_000);

test('demo: phantoms, training, test figures and report in one go', async () => {
  const { code, stdout } = await covidct(['demo', '--count', '20', '--epochs', '1', '--threads', '1', '--quiet'], { cwd: dir });
  expect(code).toBe(0);
  expect(stdout).toMatch(/test: 4 images[^]*runs\/demo\/report\.html/);
  expect(existsSync(join(dir, 'runs/demo/report.html'))).toBe(true);
}, 120_000);

test('exit code 3 without LibTorch, from every verb that needs it', async () => {
  const env = { COVIDCT_TORCH_LIBTORCH: join(dir, 'nowhere') };
  const [doctor, predict] = await Promise.all([covidct(['doctor', '--json'], { env }), covidct(['predict', '--model', run, image], { env })]);
  expect(doctor.code).toBe(3);
  expect(jsonLines(doctor.stdout)[0]).toMatchObject({ problems: [{ what: expect.stringContaining('nowhere') }] });
  expect(predict).toMatchObject({ code: 3, stderr: expect.stringContaining('nowhere') });
  expect((await covidct(['doctor'])).stdout).toContain('Nothing is wrong.');
}, 60_000);

(existsSync(REAL_DATA) ? test : test.skip)('the real data: one epoch of the tiny row, then the 203 test slices', async () => {
  const out = join(dir, 'real');
  const trained = await covidct(['train', '--data', REAL_DATA, '--out', out, ...QUICK, '--epochs', '1', '--json', '--quiet']);
  expect(trained.stderr).toBe('');
  expect(trained.code).toBe(0);
  expect(jsonLines(trained.stdout)[0]).toMatchObject({ trainSamples: 425, validationSamples: 118 });
  const { code, stdout } = await covidct(['evaluate', '--model', out, '--data', REAL_DATA, '--json', '--quiet']);
  expect(code).toBe(0);
  const [figures] = jsonLines(stdout) as [{ n: number; confusionMatrix: number[][]; auc: number }];
  expect(figures.n).toBe(203);
  expect(figures.confusionMatrix.map((row) => row.reduce((a, b) => a + b))).toEqual([105, 98]);
  expect(figures.auc).toBeGreaterThan(0);
}, 300_000);

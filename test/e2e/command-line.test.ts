/** The command line as a child process: train, evaluate, predict, explain, report, one after another on one run. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { weightsIn } from '../helpers/kept';
import { covidct, jsonLines } from './command';

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
  const { code, stdout, stderr } = await covidct([
    'train',
    '--data',
    phantoms,
    '--out',
    run,
    ...QUICK,
    '--epochs',
    '2',
    '--class-weights',
    'balanced',
    '--keep',
    'both',
    '--json',
  ]);
  expect(stderr).toContain('tiny, 0.09 million parameters, on cpu');
  expect(code).toBe(0);
  const events = jsonLines(stdout);
  expect(events[0]).toMatchObject({ type: 'start', trainSamples: 24, validationSamples: 8 });
  expect(events.filter(({ type }) => type === 'epoch')).toHaveLength(2);
  expect(events.at(-1)).toMatchObject({ type: 'result', epochs: 2, out: run, stop: { reason: 'epochs' } });
  expect((await readdir(run)).sort()).toEqual([
    'checkpoints',
    'config.json',
    'history.jsonl',
    'metrics.json',
    'model.json',
    'pictures',
    'progress.json',
    'report.html',
    'tensorboard',
    'weights',
  ]);
  // The figures while it trained, and the pictures in the end.
  expect(await readdir(join(run, 'tensorboard'))).toHaveLength(2);
  expect(await readdir(join(run, 'pictures'))).toEqual(
    expect.arrayContaining(['loss.png', 'roc.png', 'samples-0.png', 'samples-1.png']),
  );
}, 120_000);

test('evaluate --json prints one object and brings the run folder up to date', async () => {
  const { code, stdout } = await covidct(['evaluate', '--model', run, '--split', 'test', '--json', '--threads', '1'], {
    env: { COVIDCT_DATA: phantoms },
  });
  expect(code).toBe(0);
  const [figures, ...more] = jsonLines(stdout);
  expect(more).toEqual([]);
  expect(figures).toMatchObject({
    split: 'test',
    n: 8,
    loss: expect.any(Number),
    accuracy: expect.any(Number),
    sensitivity: expect.any(Number),
    specificity: expect.any(Number),
    auc: expect.any(Number),
    confusionMatrix: [
      [expect.any(Number), expect.any(Number)],
      [expect.any(Number), expect.any(Number)],
    ],
    intendedUse: expect.stringContaining('Not a medical device'),
  });
  const metrics = JSON.parse(await readFile(join(run, 'metrics.json'), 'utf8'));
  expect(Object.keys(metrics).sort()).toEqual(['test', 'validation']);
  expect(metrics.test.accuracy).toBe(figures?.accuracy);
  const pictures = await readdir(join(run, 'pictures'));
  expect(pictures).toEqual(
    expect.arrayContaining([
      'accuracy.png',
      'accuracy.svg',
      'confusion-matrix.png',
      'loss.svg',
      'misclassified.png',
      'roc.svg',
      'samples-0.png',
      'samples-1.png',
    ]),
  );
  expect(pictures.some((name) => name.startsWith('grad-cam-'))).toBe(true);
  expect(await readFile(join(run, 'report.html'), 'utf8')).toContain('not for diagnosis');
}, 120_000);

test('evaluate returns the same metrics twice, whatever the batch size, and speaks to people without --json', async () => {
  const [one, other, words] = await Promise.all([
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'validation', '--json']),
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'validation', '--json', '--batch-size', '3']),
    covidct(['evaluate', '--model', run, '--data', phantoms, '--split', 'train']),
  ]);
  const [a, b] = [one, other].map(
    ({ stdout }) => jsonLines(stdout)[0] as { loss: number; confusionMatrix: number[][] },
  );
  expect(b?.loss).toBeCloseTo(a?.loss!, 5);
  expect(b?.confusionMatrix).toEqual(a?.confusionMatrix);
  expect(words.stdout).toMatch(/train: 24 images[^]*Accuracy +\d[^]*95 % interval[^]*Confusion matrix/);
}, 120_000);

test('predict: one line an image, folders, files that are no image', async () => {
  const broken = join(dir, 'broken.png');
  await writeFile(broken, 'not an image');
  const answers = await covidct([
    'predict',
    '--model',
    run,
    '--json',
    '--on-bad-file',
    'skip',
    image,
    broken,
    join(phantoms, 'Images-processed', 'CT_NonCOVID'),
  ]);
  expect(answers.code).toBe(0);
  const lines = jsonLines(answers.stdout);
  expect(lines).toHaveLength(22);
  expect(lines[0]).toMatchObject({
    path: image,
    label: expect.stringMatching(/^(Non)?COVID$/),
    probabilities: { COVID: expect.any(Number), NonCOVID: expect.any(Number) },
    intendedUse: expect.any(String),
  });
  expect(lines[1]).toEqual({ path: broken, error: expect.any(String) });
  const strict = await covidct(['predict', '--model', run, '--json', broken]);
  expect(strict).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('broken.png') });
}, 120_000);

test('explain writes overlays, one name each; report writes the report anew', async () => {
  const out = join(dir, 'overlays');
  const { code, stdout } = await covidct([
    'explain',
    '--model',
    run,
    '--out',
    out,
    '--class',
    'COVID',
    '--json',
    image,
    image,
  ]);
  expect(code).toBe(0);
  expect(jsonLines(stdout).map(({ overlay, explained }) => [overlay, explained])).toEqual([
    [join(out, 'phantom-covid-0001-COVID.png'), 'COVID'],
    [join(out, 'phantom-covid-0001-COVID-2.png'), 'COVID'],
  ]);
  expect((await readFile(join(out, 'phantom-covid-0001-COVID.png'))).subarray(1, 4).toString()).toBe('PNG');
  await rm(join(run, 'report.html'));
  const report = await covidct(['report', run, '--json']);
  expect(report.code).toBe(0);
  expect(jsonLines(report.stdout)).toEqual([{ report: join(run, 'report.html') }]);
  expect(existsSync(join(run, 'report.html'))).toBe(true);
}, 120_000);

test('a configuration file fills in what flags do not say', async () => {
  const config = join(dir, 'recipe.json');
  await writeFile(
    config,
    JSON.stringify({
      data: phantoms,
      out: join(dir, 'configured'),
      architecture: 'tiny',
      imageSize: 32,
      epochs: 5,
      learningRate: 0.02,
    }),
  );
  const { code, stdout } = await covidct(['train', '--config', config, '--epochs', '1', '--json', '--quiet']);
  expect(code).toBe(0);
  expect(jsonLines(stdout)[0]).toMatchObject({ epochs: 1, config: { learningRate: 0.02, imageSize: 32 } });
}, 120_000);

test('the config.json of a run does its training again, to the last bit; other data and another start are told', async () => {
  const again = join(dir, 'again');
  const { code, stderr } = await covidct([
    'train',
    '--config',
    join(run, 'config.json'),
    '--data',
    phantoms,
    '--out',
    again,
    '--threads',
    '1',
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('--config') });
  for (const which of ['best', 'last'] as const)
    expect(await readFile(await weightsIn(again, which))).toEqual(await readFile(await weightsIn(run, which)));
  const other = join(dir, 'other-data');
  await makePhantoms(other, { count: 20, size: 64, seed: 2 });
  const told = await covidct([
    'train',
    '--config',
    run,
    '--data',
    other,
    '--out',
    again,
    '--overwrite',
    '--epochs',
    '1',
    '--image-size',
    '48',
  ]);
  expect(told.code).toBe(0);
  expect(told.stderr).toMatch(/the training images or their labels are not those of the run in --config/);
  expect(told.stderr).toMatch(/the trainTransform is not that of the run in --config, which was \{"steps"/);
}, 120_000);

test('predict and explain take lists and standard input; --csv of predict, explain and evaluate', async () => {
  const list = join(dir, 'list.txt');
  const folder = join(phantoms, 'Images-processed', 'CT_NonCOVID');
  await writeFile(list, `${image}\n${join(dir, 'gone.png')}\n${folder}\n`);
  const table = await covidct(['predict', '--model', run, '--csv', '--on-bad-file', 'skip', `@${list}`]);
  expect(table.code).toBe(0);
  const rows = parse<Record<string, string>>(table.stdout, { columns: true });
  expect(rows).toHaveLength(22);
  expect(Object.keys(rows[0] ?? {})).toEqual(['path', 'label', 'probability_NonCOVID', 'probability_COVID', 'error']);
  expect(rows[1]).toMatchObject({
    path: join(dir, 'gone.png'),
    label: '',
    error: expect.stringContaining('it does not exist'),
  });
  expect(Number(rows[0]?.['probability_COVID']) + Number(rows[0]?.['probability_NonCOVID'])).toBeCloseTo(1, 6);
  const strict = await covidct(['predict', '--model', run, `@${list}`]);
  expect(strict).toMatchObject({ code: 2, stderr: expect.stringMatching(/list\.txt:2: .*gone\.png/) });
  const [fromFile, fromInput, fromList] = await Promise.all([
    covidct(['predict', '--model', run, '--json', image]),
    covidct(['predict', '--model', run, '--json', '-'], { input: await readFile(image) }),
    covidct(['predict', '--model', run, '--json', '@-'], { input: Buffer.from(`${image}\0`) }),
  ]);
  expect(jsonLines(fromInput.stdout)).toEqual([{ ...jsonLines(fromFile.stdout)[0], path: '-' }]);
  expect(fromList.stdout).toBe(fromFile.stdout);
  const overlays = await covidct([
    'explain',
    '--model',
    run,
    '--out',
    join(dir, 'overlays-csv'),
    '--csv',
    '--on-bad-file',
    'skip',
    list,
    image,
  ]);
  expect(
    parse<Record<string, string>>(overlays.stdout, { columns: true }).map(({ path, error }) => [path, error === '']),
  ).toEqual([
    [list, false],
    [image, true],
  ]);
  const scores = await covidct(['evaluate', '--model', run, '--data', phantoms, '--csv']);
  const scored = parse<Record<string, string>>(scores.stdout, { columns: true });
  expect(scored).toHaveLength(8);
  expect(Object.keys(scored[0] ?? {})).toEqual([
    'id',
    'label',
    'predicted',
    'correct',
    'loss',
    'probability_NonCOVID',
    'probability_COVID',
    'error',
  ]);
  expect((await covidct(['predict', '--model', run, '--csv', '--json', image])).code).toBe(2);
}, 120_000);

test('an evaluation of other data, other weights or at another threshold is printed and leaves the run as it is', async () => {
  const other = join(dir, 'other');
  await makePhantoms(other, { count: 20, size: 64, seed: 1 });
  const contents = async (): Promise<string[]> =>
    Promise.all(
      ['metrics.json', 'report.html', 'pictures/pictures.json'].map((name) => readFile(join(run, name), 'utf8')),
    );
  const before = await contents();
  for (const [flags, reason] of [
    [['--data', other], 'metrics on other data'],
    [['--data', phantoms, '--threshold', '0.123'], 'these are the metrics at 0.123'],
    [['--data', phantoms, '--which', 'last'], 'these are the metrics of the last'],
  ] as const) {
    const { code, stdout, stderr } = await covidct(['evaluate', '--model', run, ...flags, '--json']);
    expect(code).toBe(0);
    expect(jsonLines(stdout)[0]).toMatchObject({ split: 'test', accuracy: expect.any(Number) });
    expect(stderr).toContain(`${run} was left as it was`);
    expect(stderr).toContain(reason);
    expect(await contents()).toEqual(before);
  }
}, 180_000);

test('exit code 3 without LibTorch, from every verb that needs it', async () => {
  const env = { COVIDCT_TORCH_LIBTORCH: join(dir, 'nowhere') };
  const [doctor, predict] = await Promise.all([
    covidct(['doctor', '--json'], { env }),
    covidct(['predict', '--model', run, image], { env }),
  ]);
  expect(doctor.code).toBe(3);
  expect(jsonLines(doctor.stdout)[0]).toMatchObject({ problems: [{ what: expect.stringContaining('nowhere') }] });
  expect(predict).toMatchObject({ code: 3, stderr: expect.stringContaining('nowhere') });
  expect((await covidct(['doctor'])).stdout).toContain('Nothing is wrong.');
}, 60_000);

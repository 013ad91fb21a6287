/**
 * Trainings of the command line that end early, on folders of classes, on made-up slices (demo) and on the real data.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { keptWeights } from '../helpers/kept';
import { covidct, jsonLines } from './command';

const REAL_DATA = join(__dirname, '../../../shared/covid-ct');
const QUICK = ['--arch', 'tiny', '--image-size', '32', '--threads', '1'];

let dir: string;
let phantoms: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-cli-'));
  phantoms = join(dir, 'phantoms');
  await makePhantoms(phantoms, { count: 40, size: 64 });
}, 120_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

/** The arguments of a training that goes on until it is ended from outside. */
const endless = (out: string): string[] =>
  ['train', '--data', phantoms, '--out', out, ...QUICK, '--epochs', '100000', '--patience', '100000'].concat([
    '--keep',
    'both',
    '--json',
  ]);

test('Ctrl-C ends the training after the step, with code 130 and a usable run folder', async () => {
  const out = join(dir, 'interrupted');
  let sent = false;
  const { code, stdout, stderr } = await covidct(endless(out), {
    onLine: (line, kill) => {
      if (sent || !line.includes('"type":"step","epoch":2')) return;
      sent = true;
      kill('SIGINT');
    },
  });
  expect(code).toBe(130);
  expect(stderr).toContain('Ctrl-C to quit at once');
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'result', stop: { reason: 'aborted' } });
  expect(await keptWeights(out)).toEqual(['best', 'last']);
  const evaluation = await covidct(['evaluate', '--model', out, '--data', phantoms, '--which', 'last', '--json']);
  expect(evaluation.code).toBe(0);
  expect(jsonLines(evaluation.stdout)[0]).toMatchObject({ n: 8 });
}, 120_000);

test('a folder of classes, with a file that is no image and an order of its own, from training to report', async () => {
  const folders = join(dir, 'folders');
  for (const [split, range] of [
    ['train', [1, 6]],
    ['val', [7, 9]],
    ['test', [10, 13]],
  ] as const) {
    for (const [name, packed, stem] of [
      ['ill', 'CT_COVID', 'covid'],
      ['healthy', 'CT_NonCOVID', 'noncovid'],
    ] as const) {
      for (let index: number = range[0]; index <= range[1]; index += 1) {
        const file = `phantom-${stem}-${String(index).padStart(4, '0')}.png`;
        await cp(join(phantoms, 'Images-processed', packed, file), join(folders, split, name, file));
      }
      await writeFile(join(folders, split, name, 'broken.png'), 'not an image');
    }
  }
  const out = join(dir, 'of-folders');
  const { code, stdout } = await covidct([
    'train',
    '--data',
    folders,
    '--classes',
    'ill,healthy',
    '--out',
    out,
    ...QUICK,
    '--epochs',
    '1',
    '--on-bad-file',
    'skip',
    '--test',
    '--json',
  ]);
  expect(code).toBe(0);
  const lines = jsonLines(stdout);
  expect(lines.slice(-2)).toMatchObject([
    {
      type: 'evaluation',
      split: 'test',
      n: 8,
      classes: ['ill', 'healthy'],
      skipped: [{ id: 'test/ill/broken.png' }, { id: 'test/healthy/broken.png' }],
    },
    { type: 'result' },
  ]);
  const alone = await covidct(['evaluate', '--model', out, '--data', folders, '--on-bad-file', 'skip', '--json']);
  expect(alone.stderr).toContain('report.html');
  expect(jsonLines(alone.stdout)).toEqual([
    expect.objectContaining({ classes: ['ill', 'healthy'], accuracy: (lines.at(-2) as { accuracy: number }).accuracy }),
  ]);
}, 120_000);

test('nobody reads on (`| head`): the training stops after the step, keeps its weights and does not say 0', async () => {
  const out = join(dir, 'unread');
  let closed = false;
  const { code } = await covidct(endless(out), {
    onLine: (line, _, close) => {
      if (closed || !line.includes('"type":"step","epoch":2')) return;
      closed = true;
      close();
    },
  });
  expect(code).toBe(141);
  expect(await keptWeights(out)).toEqual(['best', 'last']);
  expect(await readFile(join(out, 'history.jsonl'), 'utf8')).toContain('"type":"stop","reason":"aborted"');
  expect(existsSync(join(out, 'report.html'))).toBe(true);
}, 120_000);

test('demo: its recipe learns what made-up slices show, and tells it on slices that were held out', async () => {
  // The made-up slices go where it is started.
  const cwd = join(dir, 'demo');
  await mkdir(cwd);
  const { code, stdout } = await covidct(['demo', '--epochs', '25', '--threads', '1', '--quiet', '--json'], { cwd });
  expect(code).toBe(0);
  const lines = jsonLines(stdout);
  const [evaluation, result] = lines.slice(-2) as [{ accuracy: number; n: number }, unknown];
  expect(evaluation).toMatchObject({ type: 'evaluation', split: 'test', n: 48 });
  expect(result).toMatchObject({ type: 'result', out: join(cwd, 'runs/demo') });
  expect(evaluation.accuracy).toBeGreaterThan(0.7);
  expect(await readFile(join(cwd, 'runs/demo/report.html'), 'utf8')).toContain('Grad-CAM');
}, 600_000);

test('demo: Ctrl-C after a finished epoch leaves a report, and says where', async () => {
  const out = join(dir, 'demo-interrupted');
  let sent = false;
  const { code, stdout } = await covidct(
    ['demo', '--data', phantoms, '--image-size', '32', '--epochs', '100000', '--threads', '1', '--out', out, '--json'],
    {
      onLine: (line, kill) => {
        if (sent || !line.includes('"type":"step","epoch":2')) return;
        sent = true;
        kill('SIGINT');
      },
    },
  );
  expect(code).toBe(130);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'result', stop: { reason: 'aborted' } });
  expect(await readFile(join(out, 'report.html'), 'utf8')).toContain('Ended (aborted)');
  const words = await covidct([
    'demo',
    '--data',
    phantoms,
    '--image-size',
    '32',
    '--epochs',
    '1',
    '--threads',
    '1',
    '--out',
    out,
    '--overwrite',
  ]);
  expect(words.code).toBe(0);
  expect(words.stdout).toMatch(/^Stopped after 1 epoch[^]*test: 8 images[^]*demo-interrupted\/report\.html/);
  expect(words.stdout.match(/stopped after/gi)).toHaveLength(1);
}, 120_000);

(existsSync(REAL_DATA) ? test : test.skip)(
  'the real data: one epoch of the tiny row, then the 203 test slices',
  async () => {
    const out = join(dir, 'real');
    const trained = await covidct([
      'train',
      '--data',
      REAL_DATA,
      '--out',
      out,
      ...QUICK,
      '--epochs',
      '1',
      '--json',
      '--quiet',
    ]);
    expect(trained.stderr).toBe('');
    expect(trained.code).toBe(0);
    expect(jsonLines(trained.stdout)[0]).toMatchObject({ trainSamples: 425, validationSamples: 118 });
    const { code, stdout } = await covidct(['evaluate', '--model', out, '--data', REAL_DATA, '--json', '--quiet']);
    expect(code).toBe(0);
    const [figures] = jsonLines(stdout) as [{ n: number; confusionMatrix: number[][]; auc: number }];
    expect(figures.n).toBe(203);
    expect(figures.confusionMatrix.map((row) => row.reduce((a, b) => a + b))).toEqual([105, 98]);
    expect(figures.auc).toBeGreaterThan(0);
  },
  300_000,
);

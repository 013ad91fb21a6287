/** The command line without a child process: help, flags, configuration, exit codes. No native code runs. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatherTrainOptions } from '../../../src/cli/config';
import { exitCodeOf } from '../../../src/cli/exit-codes';
import { bytes, classWeights, dataFolder, names, number, threshold } from '../../../src/cli/flags';
import type { Io } from '../../../src/cli/io';
import { givenImages } from '../../../src/cli/sources';
import { evaluationText, percent } from '../../../src/cli/format/format';
import { openFolder } from '../../../src/data/folder';
import { CovidCtError, DatasetError, InvalidOptionError, LibTorchNotFoundError } from '../../../src/errors';
import { aspectEval, compose, randomErasing, randomRotation, resize, toTensor } from '../../../src/index';
import { resolveTrainOptions } from '../../../src/train/options';
import { summarize } from '../../../src/metrics/evaluation';
import { runCommand } from '../../helpers/command-line';

const run = (args: string[], env: Record<string, string> = {}) => runCommand(args, { env });

const VERBS = ['train', 'evaluate', 'predict', 'explain', 'report', 'runs', 'doctor', 'install-libtorch', 'demo'];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-flags-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('--help names every verb, what it is not, and the exit codes', async () => {
  const { code, stdout, stderr } = await run(['--help']);
  expect(code).toBe(0);
  for (const verb of VERBS) expect(stdout).toContain(`  ${verb} `);
  expect(stdout).toMatch(/Not a medical device/);
  expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 LibTorch');
  expect(stderr).toBe('');
});

test.each(VERBS)('%s --help has examples and the exit codes', async (verb) => {
  const { code, stdout } = await run([verb, '--help']);
  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: covidct ${verb}`);
  expect(stdout).toMatch(/Examples:\n {2}\$ covidct/);
  expect(stdout).toContain('Exit codes:');
});

test.each([
  [['bogus'], /unknown command 'bogus'/],
  [['train', '--lr', 'fast'], /expected a number/],
  [['train', '--data', 'x', '--out', 'y', '--lr', '0'], /^ {2}--lr: .*got 0/m],
  [['train', '--out', 'y'], /--data PATH or set COVIDCT_DATA/],
  [['train', '--data', 'x'], /--out DIR/],
  [['train', '--unknown'], /unknown option/],
  [['evaluate', '--data', 'x'], /--model/],
  [['evaluate', '--model', 'x', '--split', 'most'], /train, validation, test/],
  [['evaluate', '--model', 'x'], /COVIDCT_DATA/],
  [['predict', '--model', 'x', 'no-such-file.png'], /no-such-file.png: it does not exist/],
  [['predict', '--model', 'x', '--batch-size', '0', 'a.png'], /--batch-size: .*got 0/],
  [['predict', '--model', 'x', '--batch-size', '2.5', 'a.png'], /--batch-size: .*got 2.5/],
  [['predict', '--model', 'x', '--batch-size', '4097', 'a.png'], /--batch-size: .*got 4097/],
  [['train', '--data', 'x', '--out', 'y', '--classes', 'a,a'], /class names must differ/],
  [['explain', '--model', 'x', 'a.png'], /--out/],
  ...['train', 'evaluate', 'predict', 'explain', 'demo'].map(
    (verb) => [[verb, '--precision', 'half'], /Allowed choices are float32, tf32, bf16/] as const,
  ),
  [['report'], /missing required argument 'run'/],
  [['runs'], /missing required argument 'dir'/],
  [['runs', 'compare', 'a'], /missing required argument 'others'/],
  [['runs', 'compare', 'a', 'b', '--split', 'train'], /Allowed choices are validation, test/],
  [['runs', 'prune', 'a', '--state', 'killed,running'], /expected states out of finished, stopped, failed, killed/],
  [['runs', 'prune', 'a', '--older-than', '30'], /such as 12h, 30d or 4w/],
  [['runs', 'prune', 'a', '--keep', '-1'], /--keep: .*got -1/],
  [['runs', 'prune', 'a', '--by', 'f2'], /Allowed choices are accuracy, auc/],
] as const)('wrong usage exits with 2: %j', async (args, message) => {
  const { code, stdout, stderr } = await run([...args]);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
});

test('a failure exits with 1 and says what failed', async () => {
  expect(await run(['report', join(dir, 'nowhere')])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nowhere'),
    stdout: '',
  });
  expect((await run(['report', join(dir, 'nowhere')], { COVIDCT_DEBUG: '1' })).stderr).toMatch(/\n +at /);
});

test('exit codes by failure', () => {
  expect(exitCodeOf(new LibTorchNotFoundError('none', []))).toBe(3);
  expect(exitCodeOf(new CovidCtError('ERR_ADDON_LOAD', ''))).toBe(3);
  expect(exitCodeOf(new InvalidOptionError(''))).toBe(2);
  expect(exitCodeOf(new DatasetError(''))).toBe(1);
  expect(exitCodeOf('odd')).toBe(1);
});

test('values of flags', () => {
  expect(number('1e-3')).toBe(0.001);
  expect(() => number('')).toThrow('expected a number');
  expect([bytes('500000'), bytes('64KiB'), bytes('1.5GB'), bytes('2 GiB'), bytes('7B')]).toEqual([
    500000, 65536, 1.5e9, 2147483648, 7,
  ]);
  expect(() => bytes('lots')).toThrow('expected a number of bytes');
  expect([classWeights('balanced'), classWeights('1,2.5')]).toEqual(['balanced', [1, 2.5]]);
  expect([threshold('validation'), threshold('0.3')]).toEqual(['validation', 0.3]);
  expect(names('NonCOVID, COVID')).toEqual(['NonCOVID', 'COVID']);
  const io = { env: { COVIDCT_DATA: 'from-env' } } as unknown as Io;
  expect([dataFolder(io, undefined), dataFolder(io, 'given')]).toEqual(['from-env', 'given']);
});

test('flags win over the file, the file over the environment and the defaults; unknown keys are refused', async () => {
  const file = join(dir, 'recipe.json');
  await writeFile(file, JSON.stringify({ data: 'd', out: 'o', learningRate: 0.5, epochs: 3 }));
  expect((await gatherTrainOptions(file, { epochs: 4, momentum: undefined })).options).toMatchObject({
    data: 'd',
    out: 'o',
    learningRate: 0.5,
    epochs: 4,
    accumulate: 8,
    architecture: 'vgg19_bn',
  });
  expect((await gatherTrainOptions(file, {}, { data: 'from-env' })).options).toMatchObject({ data: 'd' });
  expect((await gatherTrainOptions(file, { data: 'flag' }, { data: 'from-env' })).options).toMatchObject({
    data: 'flag',
  });
  await writeFile(file, JSON.stringify({ out: 'o' }));
  expect((await gatherTrainOptions(file, {}, { data: 'from-env' })).options).toMatchObject({
    data: 'from-env',
    out: 'o',
  });
  await writeFile(file, JSON.stringify({ data: 'd', out: 'o', lr: 0.5 }));
  await expect(gatherTrainOptions(file, {})).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/recipe\.json[^]*lr/),
  });
  await writeFile(file, `\ufeff${JSON.stringify({ data: 'd', out: 'o', epochs: 3 })}`);
  expect((await gatherTrainOptions(file, {})).options).toMatchObject({ epochs: 3 });
  for (const [text, message] of [
    ['{', /recipe\.json:1:2: .*not JSON here/],
    ['[]', /JSON object/],
    ['', /it is empty/],
  ] as const) {
    await writeFile(file, text);
    await expect(gatherTrainOptions(file, {})).rejects.toThrow(message);
  }
});

test('a configuration file may name the transforms, as their JSON', async () => {
  const file = join(dir, 'transforms.json');
  const trainTransform = compose([randomRotation(10), resize([32, 32]), toTensor(), randomErasing()]);
  const evalTransform = aspectEval({ size: 32 });
  await writeFile(file, JSON.stringify({ data: 'd', out: 'o', trainTransform, evalTransform }));
  expect((await gatherTrainOptions(file, {})).options).toMatchObject({ trainTransform, evalTransform });
  await writeFile(file, JSON.stringify({ data: 'd', out: 'o', trainTransform: { steps: [{ type: 'rotate' }] } }));
  await expect(gatherTrainOptions(file, {})).rejects.toThrow(/trainTransform\.steps\[0\]\.type: .*'randomRotation'/);
});

/** The config.json of a run, as a training writes it. */
function runConfig(options: object, model: object): object {
  const train = { name: 'd train', samples: 2, classes: { a: 1, b: 1 }, fingerprint: 'x' };
  return {
    format: 'covidct-torch/run',
    formatVersion: 1,
    created: '2026-01-01T00:00:00.000Z',
    options,
    model: { classes: ['a', 'b'], device: 'cpu', dropout: null, ...model },
    data: { train, validation: null },
    versions: {},
  };
}

const RECIPES: Record<string, unknown>[] = [
  {},
  { optimizer: 'adamw', betas: [0.8, 0.9], weightDecay: 0.1, schedule: { type: 'cosine', warmupEpochs: 2 } },
  { optimizer: 'adam', schedule: { type: 'step', every: 3 } },
  { optimizer: 'rmsprop', alpha: 0.9, centered: true, momentum: 0.5 },
  { schedule: { type: 'oneCycle' }, ema: { decay: 0.99 }, labelSmoothing: 0.1, maxGradientNorm: 1 },
  { preset: 'tutorial', threshold: 0.3, classWeights: [1, 2], nesterov: true },
  {
    freeze: { parameters: ['features'], unfreeze: [{ epoch: 2, parameters: 'all' }] },
    groups: [{ match: ['head'], learningRate: 0.1 }],
    classWeights: 'balanced',
  },
  { freeze: { depth: 2 }, cacheFeatures: { augmentations: 3 }, bestBy: 'auc', onBadFile: 'skip', imageSize: 64 },
];

test.each(RECIPES)('the config.json of a run gives the options that the run was made with: %j', async (recipe) => {
  const file = join(dir, 'recipe.json');
  await writeFile(
    file,
    JSON.stringify({
      ...recipe,
      data: 'd',
      out: 'o',
      channels: 1,
      architecture: 'tiny',
      dropout: 0.25,
      convolution: 'libtorch',
      classes: ['b', 'a'],
    }),
  );
  const { options: first } = await gatherTrainOptions(file, {});
  const {
    data,
    out,
    architecture,
    weights,
    classes,
    channels,
    dropout,
    device,
    threads,
    precision,
    convolution,
    ...rest
  } = first;
  void [weights, device, threads];
  const run = join(dir, 'run-config');
  await mkdir(run, { recursive: true });
  const model = {
    architecture,
    classes,
    channels,
    dropout,
    precision,
    convolution,
    startedFrom: 'random (seed 0)',
  };
  const trainer = resolveTrainOptions(rest);
  const options = { ...trainer, out, trainTransform: { steps: [] }, evalTransform: {} };
  await writeFile(join(run, 'config.json'), `\ufeff${JSON.stringify(runConfig(options, model))}`);
  for (const named of [run, join(run, 'config.json')]) {
    const { options: again, run: stored } = await gatherTrainOptions(named, { data, out: 'other' });
    expect(again).toEqual({ ...first, ...trainer, out: 'other' });
    expect(stored?.data.train.fingerprint).toBe('x');
  }
  await expect(gatherTrainOptions(run, { data })).rejects.toThrow('give --out DIR');
});

test('a run that began with weights begins with them again; a config.json of another shape is refused', async () => {
  const file = join(dir, 'config.json');
  const write = (options: object, model: object): Promise<void> =>
    writeFile(file, JSON.stringify(runConfig(options, model)));
  await write({}, { architecture: 'resnet18', startedFrom: '/weights/resnet18.pth' });
  expect((await gatherTrainOptions(file, { data: 'd', out: 'o' })).options).toMatchObject({
    weights: '/weights/resnet18.pth',
    architecture: 'resnet18',
  });
  // What a training has made is in no file that its origin names.
  const startedFrom = 'trained on COVID-CT train from random (seed 0), epoch 1';
  await write({}, { architecture: 'resnet18', startedFrom });
  await expect(gatherTrainOptions(file, { data: 'd', out: 'o' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(
      /it went on from another model \(trained on COVID-CT train .*give its weights with --weights FILE/,
    ),
  });
  expect((await gatherTrainOptions(file, { data: 'd', out: 'o', weights: 'w.pth' })).options).toMatchObject({
    weights: 'w.pth',
    architecture: 'resnet18',
  });
  await write({}, { startedFrom: null });
  await expect(gatherTrainOptions(file, { data: 'd', out: 'o' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/model\.architecture/),
  });
  await write({ newOption: 1 }, { architecture: 'resnet18', startedFrom: null });
  await expect(gatherTrainOptions(file, { data: 'd', out: 'o' })).rejects.toThrow(/newOption/);
});

test('a folder stands for the images that a data set reads from it', async () => {
  const root = join(dir, 'endings');
  const endings = [
    'png',
    'PNG',
    'jpg',
    'jpeg',
    'jpe',
    'jfif',
    'webp',
    'gif',
    'tif',
    'tiff',
    'avif',
    'heic',
    'heif',
    'bmp',
    'txt',
    'dcm',
    '',
  ];
  await mkdir(join(root, 'a'), { recursive: true });
  for (const ending of endings) await writeFile(join(root, 'a', `x-${ending}.${ending}`), '');
  await writeFile(join(root, 'a', '.hidden.png'), '');
  const { train } = await openFolder(root);
  expect(train.samples.length).toBeGreaterThan(8);
  const names: string[] = [];
  for await (const image of (await givenImages([join(root, 'a')], { env: {} } as unknown as Io)).images(
    () => undefined,
  ))
    names.push(image.name);
  expect(names.sort()).toEqual(train.samples.map(({ source }) => source as string).sort());
});

test('what cannot be done in the end is refused before a training begins', async () => {
  const data = join(dir, 'no-test');
  for (const name of ['train/a', 'train/b', 'val/a', 'val/b']) {
    await mkdir(join(data, name), { recursive: true });
    await writeFile(join(data, name, 'x.png'), 'not looked at');
  }
  expect(await run(['train', '--data', data, '--out', join(dir, 'new'), '--test'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('expected a test split; it has train and validation'),
  });
  expect(await run(['demo', '--data', join(data, 'train'), '--out', join(dir, 'new')])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('expected a test or validation split'),
  });
  expect(await run(['train', '--data', data, '--out', join(dir, 'new'), '--classes', 'b,c'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/a" is not one of the classes b, c/),
  });
});

test('a run folder that cannot be written is refused before data are opened', async () => {
  const taken = join(dir, 'taken');
  await mkdir(taken, { recursive: true });
  await writeFile(join(taken, 'thesis.txt'), '');
  for (const verb of ['train', 'demo']) {
    expect(await run([verb, '--data', join(dir, 'no-such-data'), '--out', taken])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/it holds thesis\.txt and is not a run; choose another folder \(--out\)/),
    });
  }
  await writeFile(join(taken, 'config.json'), JSON.stringify({ format: 'covidct-torch/run' }));
  for (const verb of ['train', 'demo']) {
    expect(await run([verb, '--data', join(dir, 'no-such-data'), '--out', taken])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/choose another folder \(--out\), or have it replaced \(--overwrite\)/),
    });
    expect((await run([verb, '--data', join(dir, 'no-such-data'), '--out', taken, '--overwrite'])).stderr).toContain(
      'no-such-data',
    );
  }
});

test('metrics in words, with what is not defined as a dash', () => {
  const evaluation = summarize({
    split: 'test',
    classes: ['no', 'yes'],
    samples: [{ id: 'i', path: null, label: 1, probabilities: [0.2, 0.8], loss: 0.22 }],
    skipped: [{ id: 'x.png', reason: 'broken' }],
  });
  const text = evaluationText(evaluation).join('\n');
  expect(text).toContain('test: 1 images, yes at a probability of 0.500 or more');
  expect(text).toMatch(/Sensitivity +100\.0 % \(1 of 1; 95 % interval/);
  expect(text).toMatch(/Specificity +– \(0 of 0\)/);
  expect(text).toContain('left out: x.png: broken');
  expect(percent(null)).toBe('–');
});

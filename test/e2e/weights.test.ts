/** Weights that PyTorch wrote, through the command line to predictions; and what is said where something is missing. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { phantomPixels } from '../../src/data/phantoms/phantoms';
import { encodePng } from '../../src/data/images/decode';
import { weightsIn } from '../helpers/kept';
import { covidct } from './command';

const CHECKPOINT = join(__dirname, '../parity/weights/fixtures/tiny-half.pth');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-import-'));
});
afterAll(() => rm(dir, { recursive: true }));

test('a checkpoint becomes a model folder that predicts; a second import needs --overwrite', async () => {
  const out = join(dir, 'model');
  const args = [
    'import',
    '--arch',
    'tiny',
    '--weights',
    CHECKPOINT,
    '--classes',
    'NonCOVID,COVID',
    '--image-size',
    '64',
    '--out',
    out,
  ];
  const first = await covidct(args);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toMatch(/27 tensors loaded[^]*the prefix 'module\.' was taken off[^]*an assumption/);
  const card = JSON.parse(await readFile(join(out, 'model.json'), 'utf8')) as { pretraining: { assumed: boolean } };
  expect(card.pretraining.assumed).toBe(true);
  const slice = join(dir, 'slice.png');
  await writeFile(slice, await encodePng(phantomPixels({ positive: true })));
  const answer = await covidct(['predict', '--model', out, '--json', slice]);
  expect(answer.code).toBe(0);
  expect(JSON.parse(answer.stdout)).toMatchObject({
    path: slice,
    probabilities: { COVID: expect.any(Number) as number },
  });
  expect((await covidct(args)).stderr).toMatch(/--overwrite/);
  expect((await covidct([...args, '--overwrite'])).code).toBe(0);
});

test('another number of classes: the head is random, and that is said', async () => {
  const { code, stderr, stdout } = await covidct([
    'import',
    '--arch',
    'tiny',
    '--weights',
    CHECKPOINT,
    '--classes',
    'a,b,c',
    '--out',
    join(dir, 'three'),
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/a new head starts at random: classifier\.6\.weight \[2, 64\] in the file, \[3, 64\] here/);
  expect(stderr).toMatch(/predictions mean nothing until it is trained/);
  const names = ['--allow-missing', 'classifier.6.', '--allow-unexpected', 'classifier.9.'];
  const file = join(dir, 'headless.safetensors');
  const whole = await readFile(await weightsIn(join(dir, 'three')), 'latin1');
  await writeFile(file, whole.replaceAll('"classifier.6.', '"classifier.9.'), 'latin1');
  const headless = await covidct([
    'import',
    '--arch',
    'tiny',
    '--weights',
    file,
    '--classes',
    'a,b',
    '--out',
    join(dir, 'headless'),
    ...names,
  ]);
  expect(headless).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /classifier\.6\.weight, classifier\.6\.bias are as a new network has them, at random\. Its predictions mean nothing/,
    ) as string,
  });
});

test('an import that fails leaves the earlier model in its place; its own weights may be imported over it', async () => {
  const out = join(dir, 'kept');
  const args = (weights: string): string[] => [
    'import',
    '--arch',
    'tiny',
    '--weights',
    weights,
    '--classes',
    'a,b',
    '--out',
    out,
    '--overwrite',
  ];
  expect((await covidct(args(CHECKPOINT))).code).toBe(0);
  const before = await readFile(await weightsIn(out));
  await writeFile(join(dir, 'broken.pth'), 'PK');
  expect((await covidct(args(join(dir, 'broken.pth')))).code).toBe(1);
  expect((await readFile(await weightsIn(out))).equals(before)).toBe(true);
  expect((await covidct(args(await weightsIn(out)))).code).toBe(0);
  expect(JSON.parse(await readFile(join(out, 'model.json'), 'utf8'))).toMatchObject({ classes: ['a', 'b'] });
});

test('list, inspect and convert', async () => {
  const list = await covidct(['weights', 'list', '--json']);
  expect(
    list.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name),
  ).toContain('vgg19_bn-imagenet');
  expect((await covidct(['weights', 'inspect', CHECKPOINT])).stdout).toMatch(/pth-zip, .* looks like tiny/);
  const out = join(dir, 'tiny.safetensors');
  expect((await covidct(['weights', 'convert', CHECKPOINT, '--out', out])).code).toBe(0);
  expect((await covidct(['weights', 'convert', CHECKPOINT, '--out', out])).stderr).toMatch(/--overwrite/);
});

test('weights that are not there: where to get them, and where to put them', async () => {
  const env = { XDG_CACHE_HOME: join(dir, 'cache') };
  const train = await covidct(
    ['import', '--arch', 'resnet18', '--weights', 'imagenet', '--classes', 'a,b', '--out', join(dir, 'none')],
    { env },
  );
  expect(train).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/covidct weights fetch resnet18-imagenet/) as string,
  });
  const closed = await covidct(['weights', 'fetch', 'resnet18-imagenet', '--url', 'http://127.0.0.1:9/x.pth'], { env });
  expect(closed).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/put it at .*resnet18-f37072fd\.pth/) as string,
  });
});

test('a fetched file with another digest is not kept', async () => {
  const server = createServer((_, response) => void response.end('not the weights')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await covidct(
      ['weights', 'fetch', 'resnet18-imagenet', '--url', `http://127.0.0.1:${port}/x.pth`],
      { env: { XDG_CACHE_HOME: join(dir, 'cache2') } },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not match its checksum: expected sha256 f37072fd/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
